"""A reader of one object in S3 from any place in it, by requests for ranges of its bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

from lake import aws
from lake.storage.s3_requests import content_of, requests

READ_AHEAD = 1 << 20
"""The fewest bytes that one request asks for, unless the object ends before."""


def open_object(uri: str, which: Mapping[str, str]) -> BinaryIO:
    """Open an object for reading from any place in it.

    `which` names the object as boto3's calls do: `Bucket`, `Key` and, for an old version, `VersionId`. Errors
    name `uri`. Raises FileNotFoundError where there is no such object, and StorageFailed.
    """
    with requests(uri):
        size = aws.client("s3").head_object(**which)["ContentLength"]
    return io.BufferedReader(ObjectReader(uri, which, size), READ_AHEAD)


class ObjectReader(io.RawIOBase):
    """The bytes of an object of `size` bytes as an unbuffered stream. Each read is one request."""

    def __init__(self, uri: str, which: Mapping[str, str], size: int) -> None:
        self._uri = uri
        self._which = which
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which counts from the start, from here or from the end; return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; return how many there were, 0 at the end."""
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        span = f"bytes={self._position}-{self._position + length - 1}"
        content, _ = content_of(self._uri, **self._which, Range=span)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
