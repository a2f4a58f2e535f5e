"""ZIPs whose members are stored as they are, such as the model files in int8: nothing in them is packed.

What searches the bytes of such a file has searched its members too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from privacy.erasure.spark_lz4_blocks import PIECE, Opener, Undecoded

MAGIC = b"PK\x03\x04"
ENTRY, END = struct.Struct("<4s24xHHH12x"), struct.Struct("<4s16xH")
"""An entry of the list of members behind the last one, and what follows the list: the magic, and the sizes of
the texts behind it."""

HEADER = struct.Struct("<4s2xHH8xI4xHH")
"""The magic, flags and method of a member, its size in the file, and the sizes of its name and of what
follows that."""

STORED = (0, 0)
"""The flags and the method of a member that is stored, with its sizes before it."""


def checked(opener: Opener, is_container: Callable[[bytes, bytes], bool]) -> Iterator[bytes]:
    """Check that a ZIP has only members that are stored, of which none is a container itself by its first
    bytes or the end of its name, and nothing behind its end. It yields nothing, as all was searched. Raises
    Undecoded for any other ZIP.

    `is_container` says of the name of a member and its first bytes whether it may be one.
    """
    count = 0
    with opener() as file:
        while (magic := _exactly(file, len(MAGIC))) == MAGIC:
            header = magic + _exactly(file, HEADER.size - len(magic))
            _, flags, method, size, name, more = HEADER.unpack(header)
            named = _exactly(file, name + more)[:name]
            head = _exactly(file, min(size, PIECE))
            if (flags, method) != STORED or is_container(named, head):
                raise _undecoded()
            for left in range(size - len(head), 0, -PIECE):
                _exactly(file, min(left, PIECE))
            count += 1
        for _ in range(count):
            entry = ENTRY.unpack(magic + _exactly(file, ENTRY.size - len(magic)))
            _exactly(file, sum(entry[1:]))
            if entry[0] != b"PK\x01\x02":
                raise _undecoded()
            magic = _exactly(file, len(MAGIC))
        if END.unpack(magic + _exactly(file, END.size - len(magic))) != (b"PK\x05\x06", 0):
            raise _undecoded()
        if file.read(1):
            raise _undecoded()
    yield from ()


def _exactly(file: BinaryIO, size: int) -> bytes:
    """Return the next `size` bytes of a file. Raises Undecoded where it has less."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise _undecoded()
    return b"".join(parts)


def _undecoded() -> Undecoded:
    return Undecoded("zip, which is not unpacked")
