"""What is asked of each bucket: its policy, its encryption, no public access, and what expires by itself."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from conf.errors import BadInput
from conf.settings import Settings
from emr.account import LOGS, PACKAGES, Account, S3Places
from emr.iam_statements import Document, Statement, document

DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 31, "year": 366}
"""The longest that each lasts: nothing expires before its age."""

NOT_PUBLIC = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}

OURS = "FruitLake"
"""How the ids of our statements and rules begin: others in a bucket's policy stay as they are."""


@dataclass(frozen=True)
class BucketConfiguration:
    """What a bucket has to have, each in the form of its S3 call."""

    name: str
    policy: Document
    encryption: dict[str, Any]
    lifecycle: dict[str, Any]

    @property
    def public_access(self) -> dict[str, bool]:
        """All four blocks."""
        return dict(NOT_PUBLIC)


def buckets(settings: Settings, at: Account, places: S3Places) -> list[BucketConfiguration]:
    """Every bucket once."""
    return [
        BucketConfiguration(
            name, _policy(name, at), _encryption(at), {"Rules": _rules(name, settings, places)}
        )
        for name in places.buckets
    ]


def _policy(name: str, at: Account) -> Document:
    """Denials alone: who may do what stands in the roles.

    A bucket lies in one region, and a request for it counts as one in that region, wherever it comes from:
    what keeps its objects there is that nobody may have them replicated.
    """
    bucket, objects = f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"
    header = "s3:x-amz-server-side-encryption"
    put = "s3:PutObject"
    return document(
        [
            _deny("Tls", "s3:*", [bucket, objects], {"Bool": {"aws:SecureTransport": "false"}}),
            _deny(
                "ThisAccount",
                "s3:*",
                [bucket, objects],
                {
                    "StringNotEquals": {"aws:PrincipalAccount": at.number},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                },
            ),
            _deny("Encryption", put, [objects], _other("String", header, "aws:kms")),
            _deny("Key", put, [objects], _other("Arn", f"{header}-aws-kms-key-id", at.key)),
            _deny("Replication", "s3:PutReplicationConfiguration", [bucket], {}),
        ]
    )


def _deny(sid: str, action: str, resources: list[str], when: dict[str, Any]) -> Statement:
    made: Statement = {
        "Sid": f"{OURS}{sid}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
    }
    return made | ({"Condition": when} if when else {})


def _other(kind: str, header: str, value: str) -> dict[str, Any]:
    """A put that asks for something else. One that asks for nothing gets the bucket's default: the key."""
    return {"Null": {header: "false"}, f"{kind}NotEquals": {header: value}}


def _encryption(at: Account) -> dict[str, Any]:
    """With one key a bucket and not one an object: KMS is asked, and paid, far less often."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": at.key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


def _rules(name: str, settings: Settings, places: S3Places) -> list[dict[str, Any]]:
    """What was deleted or replaced goes as Delta's deleted files do. No current object of landing or lake
    expires: `retain` and erasures remove those, and write down that they did."""
    kept = days(settings.delta.deleted_file_retention, of="delta.deleted_file_retention")
    rules: list[dict[str, Any]] = [
        {
            "ID": f"{OURS}Deleted",
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
                "ID": f"{OURS}{under.capitalize()}",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{places.artifacts.prefix}/{under}/"},
                "Expiration": {"Days": age},
            }
            for under in (PACKAGES, LOGS)
        ]
    return rules


def days(age: str, *, of: str) -> int:
    """An age in whole days, at least one. Raises BadInput."""
    found = re.fullmatch(
        r"(?:interval )?([0-9]+) (hour|day|week|month|year)s?", age.strip().lower()
    )
    if not found:
        raise BadInput(f"{of} = {age!r} can't be told in days; write it as `7 days`.")
    return max(1, math.ceil(int(found[1]) * DAYS[found[2]]))
