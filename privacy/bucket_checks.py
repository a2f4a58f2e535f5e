"""The rules that a bucket must meet before a person's photo is read from it or written to it."""

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

NOT_CONFIGURED = (
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchPublicAccessBlockConfiguration",
    "ObjectLockConfigurationNotFoundError",
)
"""The error codes by which S3 says that a bucket has no such configuration."""


@dataclass(frozen=True)
class BucketFacts:
    """The configuration of a bucket, as S3 describes it.

    `encryption` is the algorithm of its default encryption. `blocks` is how many of the four blocks of public
    access are on.
    """

    name: str
    region: str
    encryption: str | None
    blocks: int
    is_versioned: bool
    is_locked: bool

    @classmethod
    def of(cls, name: str, *, region: str) -> BucketFacts:
        """Ask S3 for the facts of the bucket `name`, whose region is known.

        Raises BadInput where there is no such bucket or access is denied, and StorageFailed.
        """
        rules = _configuration("get_bucket_encryption", name).get(
            "ServerSideEncryptionConfiguration", {}
        )
        algorithms = [
            rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
            for rule in rules.get("Rules", [])
            if "ApplyServerSideEncryptionByDefault" in rule
        ]
        blocks = _configuration("get_public_access_block", name).get(
            "PublicAccessBlockConfiguration", {}
        )
        lock = _configuration("get_object_lock_configuration", name).get(
            "ObjectLockConfiguration", {}
        )
        return cls(
            name=name,
            region=region,
            encryption=algorithms[0] if algorithms else None,
            blocks=sum(blocks.values()),
            is_versioned=_configuration("get_bucket_versioning", name).get("Status") == "Enabled",
            is_locked=lock.get("ObjectLockEnabled") == "Enabled",
        )

    def check(self, settings: BucketSettings) -> None:
        """Raise Refused (exit code 5) where the encryption or the privacy of the bucket breaks the
        settings."""
        if settings.encryption == "kms" and not (self.encryption or "").startswith("aws:kms"):
            raise Refused(
                f"The bucket {self.name} has {self.encryption or 'no'} encryption, and "
                f"buckets.encryption asks for a KMS key: set its default encryption (run.py emr policies "
                f"--apply), or name another bucket."
            )
        if settings.encryption == "any" and self.encryption is None:
            raise Refused(
                f"The bucket {self.name} has no default encryption: set one, or name another bucket."
            )
        if settings.private and self.blocks < 4:
            raise Refused(
                f"The bucket {self.name} doesn't block public access ({self.blocks} of 4 blocks are on): "
                f"turn all four on, or name another bucket."
            )


def check(roots: Iterable[str], settings: BucketSettings, *, erases: bool = False) -> list[str]:
    """Check every bucket among the roots before anything in it is read or written; return notes for the user.

    The region is asked first. A bucket in a region that is not allowed is asked for nothing else. With
    `erases`, a bucket with an object lock is refused too, because nothing could be erased from it. Raises
    Refused, and BadInput where there is no such bucket or access is denied.
    """
    notes = []
    for name in dict.fromkeys(
        addresses.bucket_and_prefix(root, may_be_bucket=True)[0] for root in roots if is_s3(root)
    ):
        bucket = BucketFacts.of(name, region=_allowed_region(name, settings))
        bucket.check(settings)
        if bucket.is_locked and erases:
            raise Refused(
                f"The bucket {name} has an object lock: what it holds can't be erased until the lock ends. "
                f"Keep photos in a bucket without one."
            )
        if bucket.is_versioned:
            notes.append(
                f"the bucket {name} keeps old versions of objects, though the lake keeps versions of its "
                f"own, and erasures must remove both. A bucket without versioning costs less and is simpler "
                f"to erase from."
            )
    return notes


def storage_facts(root: str) -> Mapping[str, str]:
    """Return where a lake lies (`root`, `kind`, `region`) and its `encryption`, for the reader of an audit.

    Raises BadInput where access to the bucket is denied, and StorageFailed.
    """
    if not is_s3(root):
        return {
            "root": root,
            "kind": "a local folder",
            "region": "that of this machine",
            "encryption": "that of its disk: not known here",
        }
    name, _ = addresses.bucket_and_prefix(root, may_be_bucket=True)
    bucket = BucketFacts.of(name, region=s3_requests.bucket_region(name))
    return {
        "root": root,
        "kind": "a bucket of S3" + (" that keeps old versions" if bucket.is_versioned else ""),
        "region": bucket.region,
        "encryption": bucket.encryption or "none",
    }


def _allowed_region(name: str, settings: BucketSettings) -> str:
    """Return the region of a bucket. Raises Refused where it is not one of the regions in the settings."""
    region = s3_requests.bucket_region(name)
    if region not in settings.regions:
        raise Refused(
            f"The bucket {name} lies in {region}, and photos may lie only in "
            f"{', '.join(settings.regions)} (buckets.regions); name a bucket there."
        )
    return region


def _configuration(call: str, name: str) -> dict[str, Any]:
    """Return S3's answer to one call about a bucket; it is empty where the bucket has no such
    configuration."""
    what = f"{call.removeprefix('get_').replace('_', ' ')} of {name}"
    try:
        with s3_requests.requests(what):
            answer: dict[str, Any] = getattr(aws.client("s3"), call)(Bucket=name)
    except StorageFailed as error:
        if error.code in NOT_CONFIGURED:
            return {}
        if error.exit_code == BadInput.exit_code:
            raise BadInput(str(error)) from None
        raise
    return answer
