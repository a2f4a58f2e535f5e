"""Addresses of folders: a path on this machine, or `s3://bucket/prefix`."""

from __future__ import annotations

from pathlib import Path

from conf.errors import BadInput

S3 = "s3://"


def is_s3(root: str) -> bool:
    """Whether an address is one of S3."""
    return root.startswith(S3)


def bucket_and_prefix(uri: str, *, may_be_bucket: bool = False) -> tuple[str, str]:
    """The bucket and the prefix of an address of S3. Raises BadInput where it isn't `s3://bucket/prefix`; the
    prefix is empty where the address `may_be_bucket`, as that of a landing folder, and is one."""
    bucket, _, rest = uri.removeprefix(S3).partition("/")
    prefix = rest.strip("/")
    if not bucket or not (prefix or may_be_bucket):
        raise BadInput(f"{uri}: write it as s3://bucket/prefix, with a prefix of its own.")
    return bucket, prefix


def within(inner: str, outer: str) -> bool:
    """Whether one folder lies in another or is the same. A local folder and one in S3 never do."""
    if is_s3(inner) or is_s3(outer):
        return f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/")
    return Path(inner).resolve().is_relative_to(Path(outer).resolve())
