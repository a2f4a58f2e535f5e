"""The queue of SQS that gets the events of a landing folder: its messages are received, and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from threading import Lock
from typing import Any

from bronze.discovery.event_messages import Named, named_objects
from conf.errors import BadInput, FruitLakeError
from lake import aws
from lake.concurrent_work import merged

BATCH = 10
"""The most messages that one request receives or deletes."""

THREADS = 8
"""The number of requests that receive or delete messages at once."""

WAIT_SECONDS = 1
"""The time for which SQS looks for messages on all of its servers before it says that there are none."""

HIDDEN_SECONDS = 3_600
"""The time for which a message that was received is hidden: after a run was killed, it comes again then."""

ABSENT = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
"""Codes by which SQS says that there is no such queue."""

FULL = "OverLimit"
"""The code by which SQS says that too many messages are received and not deleted."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its id, the handle by which it is deleted, when it was sent, in ms since 1970, and the
    objects that it names; None where nobody can read it."""

    message_id: str
    handle: str
    sent_ms: int
    objects: Sequence[Named] | None


class EventQueue:
    """A queue, by its ARN. Every call raises BadInput where there is no such queue, or no right to it."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        *_, self._region, self._account, self._name = arn.split(":")

    @cached_property
    def _of(self) -> dict[str, str]:
        """The parameter by which calls name the queue."""
        with self._asking():
            found = self._sqs.get_queue_url(
                QueueName=self._name, QueueOwnerAWSAccountId=self._account
            )
        return {"QueueUrl": found["QueueUrl"]}

    @property
    def _sqs(self) -> Any:
        return aws.client("sqs", self._region)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with aws.asking(f"the queue {self.arn}"):
            try:
                yield
            except ClientError as error:
                if aws.code(error) not in ABSENT:
                    raise
                raise BadInput(
                    f"There is no queue {self.arn}: make it as docs/discovery.md says, or correct "
                    f"landing.queue."
                ) from None

    def retention(self) -> timedelta:
        """Return how long the queue keeps a message."""
        name = "MessageRetentionPeriod"
        with self._asking():
            found = self._sqs.get_queue_attributes(**self._of, AttributeNames=[name])
        return timedelta(seconds=int(found["Attributes"][name]))

    def receive(self, most: int) -> list[Message]:
        """Return messages until the queue has none, or there are about so many. They are hidden for
        HIDDEN_SECONDS."""
        left, lock = [most], Lock()

        def batches() -> Iterator[list[Message]]:
            while True:
                with lock:
                    left[0] -= BATCH
                    if left[0] < 0:
                        return
                found = self._received()
                if not found:
                    return
                yield found

        found = merged([batches] * THREADS, THREADS)
        by_id = {each.message_id: each for batch in found for each in batch}
        return list(by_id.values())

    def _received(self) -> list[Message]:
        from botocore.exceptions import ClientError

        with self._asking():
            try:
                answer = self._sqs.receive_message(
                    **self._of,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HIDDEN_SECONDS,
                    WaitTimeSeconds=WAIT_SECONDS,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            except ClientError as error:
                if aws.code(error) != FULL:
                    raise
                return []
        return [
            Message(
                each["MessageId"],
                each["ReceiptHandle"],
                int(each["Attributes"]["SentTimestamp"]),
                named_objects(each["Body"]),
            )
            for each in answer.get("Messages", [])
        ]

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete messages, and return how many could not be deleted: they come again. Raises nothing for
        these."""
        batches = [messages[at : at + BATCH] for at in range(0, len(messages), BATCH)]
        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(self._failed, batches))

    def _failed(self, messages: Sequence[Message]) -> int:
        entries = [
            {"Id": str(place), "ReceiptHandle": each.handle} for place, each in enumerate(messages)
        ]
        try:
            with self._asking():
                answer = self._sqs.delete_message_batch(**self._of, Entries=entries)
        except FruitLakeError:
            return len(messages)
        return len(answer.get("Failed", []))
