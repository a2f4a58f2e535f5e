"""The configuration of each bucket: its policy, its encryption, its public access block and its lifecycle."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from conf.errors import BadInput
from conf.settings import Settings
from emr.account import LOGS, PACKAGES, Account, S3Places
from emr.iam_statements import Document, Statement, document

LONGEST_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 31, "year": 366}
"""The days of the longest possible unit of each kind, so that nothing expires before its age."""

NOT_PUBLIC = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
"""The public access block of S3 with all its four parts."""

OUR_PREFIX = "FruitLake"
"""The prefix of the ids of our statements and rules. Others of a bucket are not touched."""


@dataclass(frozen=True)
class BucketConfiguration:
    """The configuration that a bucket has to have, each part in the form of its S3 call."""

    name: str
    policy: Document
    encryption: dict[str, Any]
    lifecycle: dict[str, Any]

    @property
    def public_access(self) -> dict[str, bool]:
        """A public access block with all its four parts."""
        return dict(NOT_PUBLIC)


def bucket_configurations(
    settings: Settings, aws_account: Account, places: S3Places
) -> list[BucketConfiguration]:
    """Return the configuration of every bucket."""
    return [
        BucketConfiguration(
            name,
            _policy(name, aws_account),
            _encryption(aws_account),
            {"Rules": _lifecycle_rules(name, settings, places)},
        )
        for name in places.buckets
    ]


def _policy(name: str, aws_account: Account) -> Document:
    """Return the policy of a bucket. It only denies, because the roles say who may do what.

    A bucket lies in one region, and each request for it counts as a request in that region, wherever it comes
    from. What keeps the objects in the region is that nobody may have them replicated.
    """
    bucket, objects = f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"
    header = "s3:x-amz-server-side-encryption"
    key_header = f"{header}-aws-kms-key-id"
    put = "s3:PutObject"
    return document(
        [
            _deny("Tls", "s3:*", [bucket, objects], {"Bool": {"aws:SecureTransport": "false"}}),
            _deny(
                "ThisAccount",
                "s3:*",
                [bucket, objects],
                {
                    "StringNotEquals": {"aws:PrincipalAccount": aws_account.number},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                },
            ),
            _deny("Encryption", put, [objects], _asks_for_other("String", header, "aws:kms")),
            _deny("Key", put, [objects], _asks_for_other("Arn", key_header, aws_account.key_arn)),
            _deny("Replication", "s3:PutReplicationConfiguration", [bucket], {}),
        ]
    )


def _deny(sid: str, action: str, resources: list[str], condition: dict[str, Any]) -> Statement:
    statement: Statement = {
        "Sid": f"{OUR_PREFIX}{sid}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
    }
    return statement | ({"Condition": condition} if condition else {})


def _asks_for_other(kind: str, header: str, value: str) -> dict[str, Any]:
    """Return the condition that a put has the header with another value.

    A put without the header gets the bucket's default, which is the key.
    """
    return {"Null": {header: "false"}, f"{kind}NotEquals": {header: value}}


def _encryption(aws_account: Account) -> dict[str, Any]:
    """Return the default encryption of a bucket.

    It has one data key for the bucket and not one for each object: KMS is asked, and paid, far less often.
    """
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": aws_account.key_arn}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


def _lifecycle_rules(name: str, settings: Settings, places: S3Places) -> list[dict[str, Any]]:
    """Return the lifecycle rules of a bucket.

    Deleted and replaced versions expire after the same time as the files that Delta has deleted. In the
    bucket for artifacts, packages and logs expire after the age of the journals. No current object of landing
    or lake expires: `retain` and erasures remove those, and record that they did.
    """
    kept = days(settings.delta.deleted_file_retention, of="delta.deleted_file_retention")
    rules: list[dict[str, Any]] = [
        {
            "ID": f"{OUR_PREFIX}Deleted",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": kept},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": kept},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        }
    ]
    if name == places.artifacts.bucket and settings.retention.journals:
        age = days(settings.retention.journals, of="retention.journals")
        rules += [
            {
                "ID": f"{OUR_PREFIX}{folder.capitalize()}",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{places.artifacts.prefix}/{folder}/"},
                "Expiration": {"Days": age},
            }
            for folder in (PACKAGES, LOGS)
        ]
    return rules


def days(age: str, *, of: str) -> int:
    """Convert an age such as `3 weeks` to whole days, at least one. `of` is the setting that it comes from.

    Raises BadInput where the text is no such age.
    """
    found = re.fullmatch(
        r"(?:interval )?([0-9]+) (hour|day|week|month|year)s?", age.strip().lower()
    )
    if not found:
        raise BadInput(f"{of} = {age!r} can't be converted to days; write it as `7 days`.")
    return max(1, math.ceil(int(found[1]) * LONGEST_DAYS[found[2]]))
