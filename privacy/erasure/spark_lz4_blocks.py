"""The stream of LZ4 blocks that Spark writes for shuffles, broadcasts and spilled rows.

It is the form of the class `LZ4BlockOutputStream` of lz4-java, not the frames of the `lz4` tool.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa

Opener = Callable[[], BinaryIO]

PIECE = 64 << 10
"""The bytes that are read or unpacked at a time."""

LARGEST_BLOCK = 32 << 20
"""The largest block that Spark's stream of blocks has."""

MOST_BROKEN = 100
"""After so many broken blocks the rest of a stream of blocks is left."""

MAGIC = b"LZ4Block"
HEADER = struct.Struct("<8sBIII")
"""The magic, the token with the method, the sizes packed and unpacked, and a checksum."""

STORED_METHOD, LZ4_METHOD = 0x10, 0x20


class Undecoded(Exception):
    """A container, or a part of it, can't be unpacked. The message says which kind and why."""


def unpacked(opener: Opener) -> Iterator[bytes]:
    """Unpack the blocks that Spark writes (`LZ4BlockOutputStream`), also of a file that begins or ends within
    one, as a piece of a broadcast does."""
    codec = pa.Codec("lz4_raw")
    broken = 0
    with opener() as file:
        buffer = file.read(PIECE)
        while len(buffer) >= HEADER.size and broken < MOST_BROKEN:
            at = buffer.find(MAGIC)
            if at != 0:
                broken += 1
                buffer = buffer[at:] if at > 0 else buffer[1 - len(MAGIC) :]
                buffer += file.read(PIECE)
                if at < 0 and MAGIC not in buffer and len(buffer) < PIECE:
                    break
                continue
            if len(buffer) < HEADER.size:
                break
            _, token, packed, size, _ = HEADER.unpack_from(buffer)
            end = HEADER.size + packed
            if packed <= LARGEST_BLOCK and len(buffer) < end:
                buffer += _exactly(file, end - len(buffer))
            piece = _of_block(codec, token & 0xF0, buffer[HEADER.size : end], packed, size)
            if piece is None:
                broken += 1
                buffer = buffer[1:]
            else:
                yield piece
                buffer = buffer[end:]
            if len(buffer) < PIECE:
                buffer += file.read(PIECE)
    if broken or buffer:
        raise Undecoded("blocks of Spark's LZ4, not all whole")


def _exactly(file: BinaryIO, count: int) -> bytes:
    """Return the next `count` bytes of a file, or as many as there are."""
    parts = []
    while count and (part := file.read(min(count, PIECE))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _of_block(codec: pa.Codec, method: int, body: bytes, packed: int, size: int) -> bytes | None:
    """Return what one of Spark's blocks unfolds to; None where it is broken."""
    if len(body) != packed or size > LARGEST_BLOCK:
        return None
    if method == STORED_METHOD:
        return body
    if method != LZ4_METHOD:
        return None
    try:
        return bytes(codec.decompress(body, size, asbytes=True))
    except (pa.ArrowException, OSError):
        return None
