"""The bytes of a file as they are, and unpacked where the file is a compressed container that is known here.

Nothing is kept whole in memory, and a container may unfold to a multiple of its size alone. What can't be
unpacked is reported, and what came out before it is yielded.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import pyarrow as pa

from privacy.erasure import spark_lz4_blocks, stored_zips
from privacy.erasure.spark_lz4_blocks import PIECE, Opener, Undecoded

BLOCK = 8 << 20
"""The bytes of a file that are searched at a time."""

OVERLAP = 4096
"""The bytes of a block that are searched again with the next one, so that nothing is missed between them."""

HEAD = PIECE + 64
"""The bytes at the beginning of a file by which a container is known: one of Spark's blocks begins there."""

MOST_LAYERS = 3
"""How many containers may lie in one another."""

LARGEST_RATIO, SMALLEST_LIMIT = 250, 64 << 20
"""A container unfolds to so many times the file's size, or to so many bytes where that is more."""


@dataclass(frozen=True)
class Container:
    """A kind of container: its name, how it is unpacked, and the bytes that it begins with."""

    name: str
    unpack: Callable[[Opener], Iterator[bytes]] | None
    begins: tuple[bytes, ...]


def blocks(
    opener: Opener, *, size: int, ending: str, report: Callable[[str], None]
) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, and after them those of each container that it is.

    `ending` is what the file's name ends with, such as `.gz`. What can't be unpacked is told to `report`.
    Raises OSError.
    """
    limit = max(LARGEST_RATIO * size, SMALLEST_LIMIT)
    for layer in range(MOST_LAYERS + 1):
        head = b""
        try:
            with opener() as file:
                for block in overlapping(file):
                    head = head or block[:HEAD]
                    yield block
        except Undecoded as error:
            report(str(error))
        kind = _kind(head)
        if kind is None:
            if layer == 0 and ending.lower() in ENDINGS and head:
                report(f"no container that the ending {ending.lower()} promises")
            return
        if kind.unpack is None:
            report(f"{kind.name}, which is not unpacked")
            return
        if layer == MOST_LAYERS:
            report(f"{kind.name} in {MOST_LAYERS} other containers")
            return
        opener = partial(_unpacked, kind, opener, limit)


def overlapping(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, each after the last `OVERLAP` bytes of the one before.

    What was unpacked before a container breaks is yielded before Undecoded is raised.
    """
    tail = b""
    while True:
        parts, broken = _parts(file)
        if parts:
            content = tail + b"".join(parts)
            yield content
            tail = content[-OVERLAP:]
        if broken:
            raise broken
        if not parts:
            return


def _parts(file: BinaryIO) -> tuple[list[bytes], Undecoded | None]:
    """Return the next bytes of a file, up to a block, and the error that ended them, if any."""
    parts, count = [], 0
    try:
        while count < BLOCK and (part := file.read(BLOCK - count)):
            parts.append(part)
            count += len(part)
    except Undecoded as error:
        return parts, error
    return parts, None


class _Pieces(io.RawIOBase):
    """A file for reading once, of the pieces that a container unfolds to. An empty piece is left out."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes of the next piece, `b""` in the end. Raises Undecoded and OSError."""
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        found = self._rest[:size] if size >= 0 else self._rest
        self._rest = self._rest[len(found) :]
        return found


def _kind(head: bytes) -> Container | None:
    """Return the kind of container that begins with these bytes; None where it is none."""
    for kind in CONTAINERS:
        if head.startswith(kind.begins):
            return kind
    return SPARK_BLOCKS if spark_lz4_blocks.MAGIC in head else None


def _unpacked(kind: Container, opener: Opener, limit: int) -> BinaryIO:
    """Open what a container unfolds to, up to `limit` bytes."""
    assert kind.unpack is not None
    return _Pieces(_limited(kind, kind.unpack(opener), limit))  # type: ignore[return-value]


def _limited(kind: Container, pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    for piece in pieces:
        limit -= len(piece)
        if limit < 0:
            raise Undecoded(f"{kind.name}, which unfolds to too many times its size")
        yield piece


def _gzip(opener: Opener) -> Iterator[bytes]:
    """Unpack the members of a gzip file, one after another."""
    with opener() as file:
        feed = file.read(PIECE)
        while feed:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                before = member.copy()
                try:
                    piece = member.decompress(feed, PIECE)
                except zlib.error:
                    yield from _as_far_as_it_goes(before, feed)
                    raise Undecoded("gzip, broken") from None
                yield piece
                feed = member.unconsumed_tail or (b"" if member.eof else file.read(PIECE))
                if not feed and not piece and not member.eof:
                    raise Undecoded("gzip, cut off")
            feed = member.unused_data.lstrip(b"\0")
            while len(feed) < 2 and (more := file.read(PIECE)):
                # Zeros of any length may stand before the next member.
                feed = (feed + more).lstrip(b"\0")
            if feed and not feed.startswith(b"\x1f\x8b"):
                raise Undecoded("gzip, with other bytes behind its end")


def _as_far_as_it_goes(member: zlib._Decompress, feed: bytes) -> Iterator[bytes]:
    """Yield what a member unfolds to before it breaks, in small pieces, of which the last is lost."""
    try:
        while feed:
            yield member.decompress(feed, 16)
            feed = member.unconsumed_tail
    except zlib.error:
        return


def _by_arrow(codec: str, name: str, opener: Opener) -> Iterator[bytes]:
    """Unpack the frames of a codec of Arrow, one after another."""
    done = 0
    try:
        with opener() as file:
            stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec)
            while piece := stream.read(PIECE):
                done += len(piece)
                yield piece
    except (pa.ArrowException, OSError) as error:
        failed = str(error)
    else:
        return
    yield _last_bytes(codec, opener, done)
    raise Undecoded(f"{name}, {'cut off' if 'Truncated' in failed else 'broken'}")


def _last_bytes(codec: str, opener: Opener, done: int) -> bytes:
    """Return what a broken container unfolds to behind the first `done` bytes, up to a piece.

    Arrow's reader drops it where it fails before a piece is full.
    """
    last = bytearray()
    try:
        with opener() as file:
            stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec)
            while done and (piece := stream.read(min(done, PIECE))):
                done -= len(piece)
            while len(last) < PIECE and (byte := stream.read(1)):
                last += byte
    except (pa.ArrowException, OSError):
        pass
    return bytes(last)


def _stored_zip(opener: Opener) -> Iterator[bytes]:
    """Unpack nothing of a ZIP whose members were searched with its own bytes. Raises Undecoded for others."""

    def is_container(name: bytes, head: bytes) -> bool:
        ending = f".{name.decode(errors='replace').rpartition('.')[2]}".lower()
        return _kind(head) is not None or ending in ENDINGS

    return stored_zips.checked(opener, is_container)


SPARK_BLOCKS = Container(
    "blocks of Spark's LZ4", spark_lz4_blocks.unpacked, (spark_lz4_blocks.MAGIC,)
)
CONTAINERS = (
    Container("gzip", _gzip, (b"\x1f\x8b\x08",)),
    Container(
        "zstd",
        partial(_by_arrow, "zstd", "zstd"),
        (b"\x28\xb5\x2f\xfd", *(bytes([each]) + b"\x2a\x4d\x18" for each in range(0x50, 0x60))),
    ),
    Container("LZ4", partial(_by_arrow, "lz4", "LZ4"), (b"\x04\x22\x4d\x18",)),
    SPARK_BLOCKS,
    Container("LZ4 of the first form", None, (b"\x02\x21\x4c\x18",)),
    Container("Snappy", None, (b"\xff\x06\x00\x00sNaPpY", b"\x82SNAPPY\x00")),
    Container("LZF", None, (b"ZV\x00", b"ZV\x01")),
    Container("zip", _stored_zip, (stored_zips.MAGIC,)),
    Container("bzip2", None, tuple(b"BZh%d1AY&SY" % level for level in range(1, 10))),
    Container("xz", None, (b"\xfd7zXZ\x00",)),
    Container("7z", None, (b"7z\xbc\xaf\x27\x1c",)),
    Container("compress", None, (b"\x1f\x9d", b"\x1f\xa0")),
    Container("RAR", None, (b"Rar!\x1a\x07",)),
    Container("Parquet in another container, or encrypted", None, (b"PAR1", b"PARE")),
    Container("ORC", None, (b"ORC",)),
)
"""The kinds that are known. Those without a way to unpack them are reported."""

ENDINGS = frozenset(
    (".gz", ".tgz", ".zst", ".zstd", ".lz4", ".snappy", ".lzf", ".zip", ".bz2", ".xz", ".7z", ".br")
)
"""Ends of the names of containers. Some have nothing in their bytes by which they are known."""
