"""Messages about events in a bucket, in the forms of S3, SNS and EventBridge, and a queue that gets them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from lake import aws

REGION, ACCOUNT = "eu-west-3", "123456789012"


def record(bucket: str, key: str, *, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    """One record of S3's own notification."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-11-29T10:00:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "photos",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            # S3 leaves slashes as they are.
            "object": {"key": quote_plus(key, safe="/"), "size": 1, "eTag": "0", "sequencer": "0"},
        },
    }


def notification(bucket: str, key: str, *, event: str = "ObjectCreated:Put") -> str:
    """S3's own notification of an event."""
    return json.dumps({"Records": [record(bucket, key, event=event)]})


def sns(body: str) -> str:
    """A message as SNS wraps it."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:photos",
            "Subject": "Amazon S3 Notification",
            "Message": body,
            "Timestamp": "2026-11-29T10:00:00.000Z",
        }
    )


def event_bridge(bucket: str, key: str, *, event: str = "Object Created") -> str:
    """An event of EventBridge, whose key is plain."""
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": event,
            "source": "aws.s3",
            "account": ACCOUNT,
            "region": REGION,
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket},
                "object": {"key": key, "size": 1, "etag": "0", "sequencer": "0"},
                "reason": "PutObject",
            },
        }
    )


class Queue:
    """A queue of SQS with a name of its own."""

    made = 0

    def __init__(self) -> None:
        Queue.made += 1
        self.name = f"photos-{Queue.made}"
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"
        self.sqs = aws.client("sqs", REGION)
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def send(self, *bodies: str) -> None:
        """Puts messages into it."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def counts(self) -> tuple[int, int]:
        """The numbers of its messages that are to be received, and that are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        waiting, hidden = (int(found[name]) for name in names)
        return waiting, hidden
