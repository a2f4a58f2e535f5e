"""Compare-and-swap of one object in S3, by conditional requests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from lake import aws
from lake.storage.s3_requests import CHANGED, StorageFailed, content_of, requests


def swap_object(
    uri: str, which: Mapping[str, str], content: bytes | None, *, expected: bytes | None
) -> bool:
    """Put `content` in the place of `expected`; return False where the object holds something else.

    None stands for no object, and one of the two must not be None. `which` names the object as boto3's calls
    do; errors name `uri`. The requests are conditional: `If-None-Match` for a new object, `If-Match` for an
    object that is there. Raises StorageFailed.
    """
    s3 = aws.client("s3")
    # boto3 may repeat a request that succeeded, because its answer was lost. The repetition is refused, and
    # then the object's metadata shows whether this swap wrote it.
    mark = {"swap": secrets.token_hex(8)}
    condition = {"IfNoneMatch": "*"}
    if expected is not None:
        try:
            current, tag = content_of(uri, **which)
        except FileNotFoundError:
            return False
        if current != expected:
            return False
        condition = {"IfMatch": tag}
    try:
        with requests(uri):
            if content is None:
                s3.delete_object(**which, **condition)
            else:
                s3.put_object(**which, Body=content, Metadata=mark, **condition)
    except FileNotFoundError:
        return content is None
    except StorageFailed as error:
        if error.code not in CHANGED:
            raise
        return content is not None and _metadata(uri, which) == mark
    return True


def _metadata(uri: str, which: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of an object, empty where there is no object."""
    try:
        with requests(uri):
            metadata: dict[str, str] = aws.client("s3").head_object(**which)["Metadata"]
    except FileNotFoundError:
        return {}
    return metadata
