"""What a bucket must be before a person's photo is read from it or written to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conf.errors import BadInput, Refused
from conf.settings import BucketSettings
from lake import aws
from lake.storage import addresses, s3_requests
from lake.storage.addresses import is_s3
from lake.storage.s3_requests import StorageFailed

UNSET = (
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchPublicAccessBlockConfiguration",
    "ObjectLockConfigurationNotFoundError",
)
"""What S3 says where a bucket has no such configuration."""


@dataclass(frozen=True)
class BucketFacts:
    """A bucket as S3 tells of it. `encryption`: the algorithm of its default one; `blocks`: how many of the
    four blocks of public access it has."""

    name: str
    region: str
    encryption: str | None
    blocks: int
    is_versioned: bool
    is_locked: bool

    @classmethod
    def of(cls, name: str, *, region: str) -> BucketFacts:
        """Asks S3 for all but the region. Raises BadInput (no such bucket, denied), StorageFailed."""
        rules = _asked("get_bucket_encryption", name).get("ServerSideEncryptionConfiguration", {})
        algorithms = [
            rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
            for rule in rules.get("Rules", [])
            if "ApplyServerSideEncryptionByDefault" in rule
        ]
        blocks = _asked("get_public_access_block", name).get("PublicAccessBlockConfiguration", {})
        lock = _asked("get_object_lock_configuration", name).get("ObjectLockConfiguration", {})
        return cls(
            name=name,
            region=region,
            encryption=algorithms[0] if algorithms else None,
            blocks=sum(blocks.values()),
            is_versioned=_asked("get_bucket_versioning", name).get("Status") == "Enabled",
            is_locked=lock.get("ObjectLockEnabled") == "Enabled",
        )

    def check(self, wanted: BucketSettings) -> None:
        """Raises Refused, exit code 5, where it is not as the settings want it."""
        if wanted.encryption == "kms" and not (self.encryption or "").startswith("aws:kms"):
            raise Refused(
                f"The bucket {self.name} is encrypted by {self.encryption or 'nothing'}, and "
                f"buckets.encryption wants a KMS key: set its default encryption (run.py emr policies "
                f"--apply), or name another bucket."
            )
        if wanted.encryption == "any" and self.encryption is None:
            raise Refused(
                f"The bucket {self.name} has no default encryption: set one, or name another bucket."
            )
        if wanted.private and self.blocks < 4:
            raise Refused(
                f"The bucket {self.name} doesn't block public access ({self.blocks} of 4 blocks are on): "
                f"turn all four on, or name another bucket."
            )


def check(roots: Iterable[str], wanted: BucketSettings, *, erases: bool = False) -> list[str]:
    """Sees to every bucket among the roots before anything in it is read or written; returns what to tell.

    Its region is asked first, and of one elsewhere nothing else. With `erases`, one whose objects are locked
    is refused too: nothing could be erased from it. Raises Refused, BadInput (no such bucket, denied).
    """
    notes = []
    for name in dict.fromkeys(
        addresses.bucket_and_prefix(root)[0] for root in roots if is_s3(root)
    ):
        found = BucketFacts.of(name, region=_allowed_region(name, wanted))
        found.check(wanted)
        if found.is_locked and erases:
            raise Refused(
                f"The bucket {name} has an object lock: what it holds can't be erased until the lock ends. "
                f"Keep photos in a bucket without one."
            )
        if found.is_versioned:
            notes.append(
                f"the bucket {name} keeps old versions of objects: the lake has its own, and erasures "
                f"must remove these too. Without versioning it is cheaper, and erasure simpler."
            )
    return notes


def described(root: str) -> Mapping[str, str]:
    """Where a lake lies and how it is encrypted, for a reviewer. Raises BadInput (denied), StorageFailed."""
    if not is_s3(root):
        return {
            "root": root,
            "kind": "a local folder",
            "region": "that of this machine",
            "encryption": "that of its disk: not known here",
        }
    name, _ = addresses.bucket_and_prefix(root)
    found = BucketFacts.of(name, region=s3_requests.bucket_region(name))
    return {
        "root": root,
        "kind": "a bucket of S3" + (" that keeps old versions" if found.is_versioned else ""),
        "region": found.region,
        "encryption": found.encryption or "none",
    }


def _allowed_region(name: str, wanted: BucketSettings) -> str:
    """Where a bucket lies. Raises Refused where that is none of the regions that are wanted."""
    region = s3_requests.bucket_region(name)
    if region not in wanted.regions:
        raise Refused(
            f"The bucket {name} lies in {region}, and photos may lie only in "
            f"{', '.join(wanted.regions)} (buckets.regions); name a bucket there."
        )
    return region


def _asked(call: str, name: str) -> dict[str, Any]:
    """One fact about a bucket; empty where it is not configured."""
    what = f"{call.removeprefix('get_').replace('_', ' ')} of {name}"
    try:
        with s3_requests.requests(what):
            answer: dict[str, Any] = getattr(aws.client("s3"), call)(Bucket=name)
    except StorageFailed as error:
        if error.code in UNSET:
            return {}
        if error.exit_code == BadInput.exit_code:
            raise BadInput(str(error)) from None
        raise
    return answer
