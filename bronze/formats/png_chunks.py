"""The chunks of a PNG file, in their order, checked as far as that needs no knowledge of the others.

Source: W3C PNG, third edition, section 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from bronze.formats.cleaning_results import malformed

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST = 2**31 - 1

# The chunks that are kept, with the longest body allowed for each in bytes. Without that limit, a chunk
# with a wrong length could contain the chunks behind it.
KEPT = {
    b"IHDR": 13,
    b"PLTE": 768,
    b"IDAT": LONGEST,
    b"IEND": 0,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"iCCP": LONGEST,
    b"sBIT": 4,
    b"bKGD": 6,
    b"pHYs": 9,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
    b"acTL": 8,
    b"fcTL": 26,
    b"fdAT": LONGEST,
}
PICTURE = (b"IDAT", b"fdAT")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


class PngChunk(NamedTuple):
    """A chunk of a PNG file.

    `whole` is all of its bytes in the file, `body` its data alone. Of a chunk that the
    file's end cuts off both are what is there.
    """

    kind: bytes
    body: bytes
    whole: bytes


def chunks(original: bytes) -> Iterator[PngChunk]:
    """Yield every chunk up to IEND.

    A file that is cut off after its image data began yields the chunks up to there. Raises
    NotAPhoto (MALFORMED) for a file that is cut off earlier, and for a chunk that is broken.
    """
    position, pictured = len(SIGNATURE), False
    while position + 8 <= len(original):
        length, kind = struct.unpack_from(">I4s", original, position)
        _check(kind, length)
        end = position + 12 + length
        if end > len(original):
            if kind in PICTURE:
                yield _cut_picture(kind, length, original[position:])
            elif not pictured:
                raise malformed(f"chunk {name(kind)} runs past the end")
            return
        chunk = PngChunk(kind, original[position + 8 : end - 4], original[position:end])
        if kind in KEPT and zlib.crc32(chunk.whole[4:-4]) != int.from_bytes(chunk.whole[-4:]):
            raise malformed(f"chunk {name(kind)} fails its checksum")
        yield chunk
        if kind == b"IEND":
            return
        pictured = pictured or kind in PICTURE
        position = end
    if not pictured:
        raise malformed("the file ends before its image data")


def _check(kind: bytes, length: int) -> None:
    """Check the name and the length of a chunk. Raises NotAPhoto (MALFORMED) where one can't be right."""
    if not kind.isalpha():
        raise malformed("garbage in the place of a chunk")
    if length > KEPT.get(kind, LONGEST):
        raise malformed(f"chunk {name(kind)} is too long")


def _cut_picture(kind: bytes, length: int, rest: bytes) -> PngChunk:
    """Return the chunk of image data that the file's end cuts off; `rest` is all of it."""
    # If IEND stands inside, the length is wrong and other chunks would be kept as image data.
    if b"IEND" in rest:
        raise malformed(f"chunk {name(kind)} runs over the end of the image")
    return PngChunk(kind, rest[8 : 8 + length], rest)


def name(kind: bytes) -> str:
    """Return the chunk's name for a message. An unknown name is not quoted: it is text of the file."""
    return kind.decode() if kind in KEPT or kind in (*TEXTS, b"eXIf") else "of an unknown kind"


def encoded(kind: bytes, body: bytes) -> PngChunk:
    """Return the chunk of that kind with that body: its bytes are length, kind, body and checksum."""
    whole = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return PngChunk(kind, body, whole)
