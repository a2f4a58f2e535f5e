"""Removal of metadata from PNG: an allow-list decides which chunks stay.

The chunks that stay keep their bytes and checksums. Source: W3C PNG, third edition, with APNG.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST = 2**31 - 1
LONGEST_TEXT = 2**20

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
RAW_EXIF, XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"


class PngChunk(NamedTuple):
    """A chunk of a PNG file.

    `whole` is all of its bytes in the file, `body` its data alone. The body of a chunk that is cut
    off by the end of the file is empty.
    """

    kind: bytes
    body: bytes
    whole: bytes


@dataclass
class _PngFacts:
    """What the chunks read so far say.

    `exif` and `texts` hold metadata. `pictured` says that image data began, `first_frame_over` that
    the first frame of an animation has ended.
    """

    exif: bytes = b""
    texts: dict[bytes, PngChunk] = field(default_factory=dict)
    pictured: bool = False
    first_frame_over: bool = False


def cleaned(original: bytes) -> CleanPhoto:
    """Return the PNG, which may be animated, with the chunks of its pixels and colours alone.

    Raises NotAPhoto (MALFORMED) where the structure is broken.
    """
    chunks = _chunks(original)
    header = next(chunks)
    if header.kind != b"IHDR" or len(header.body) != KEPT[b"IHDR"]:
        raise malformed("the first chunk is no IHDR")
    width, height = struct.unpack_from(">II", header.body)
    if not (width and height):
        raise malformed("the header has no width or no height")
    seen, kept = _PngFacts(), [SIGNATURE, header.whole]
    for chunk in chunks:
        _collect(chunk, seen)
        if chunk.kind in KEPT:
            kept.append(chunk.whole)
    orientation, taken_on = capture_facts(seen.exif or _raw_exif(seen.texts), _xmp(seen.texts))
    if orientation != UPRIGHT:
        kept.insert(2, _encoded(b"eXIf", orientation_alone(orientation)))
    return CleanPhoto(b"".join(kept), "PNG", width, height, taken_on)


def _chunks(original: bytes) -> Iterator[PngChunk]:
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
                yield _cut_picture(kind, original[position:])
            elif not pictured:
                raise malformed(f"chunk {_name(kind)} runs past the end")
            return
        chunk = PngChunk(kind, original[position + 8 : end - 4], original[position:end])
        if kind in KEPT and zlib.crc32(chunk.whole[4:-4]) != int.from_bytes(chunk.whole[-4:]):
            raise malformed(f"chunk {_name(kind)} fails its checksum")
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
        raise malformed(f"chunk {_name(kind)} is too long")


def _cut_picture(kind: bytes, rest: bytes) -> PngChunk:
    """Return the chunk of image data that the file's end cuts off; `rest` is all that is left of it."""
    # If IEND stands inside, the length is wrong and other chunks would be kept as image data.
    if b"IEND" in rest:
        raise malformed(f"chunk {_name(kind)} runs over the end of the image")
    return PngChunk(kind, b"", rest)


def _name(kind: bytes) -> str:
    """Return the chunk's name for a message. An unknown name is not quoted: it is text of the file."""
    return kind.decode() if kind in KEPT or kind in (*TEXTS, b"eXIf") else "of an unknown kind"


def _collect(chunk: PngChunk, seen: _PngFacts) -> None:
    """Add the chunk's facts to `seen`. Raises NotAPhoto (MALFORMED) for an impossible order of chunks."""
    kind = chunk.kind
    if kind == b"IHDR":
        raise malformed("a second IHDR")
    if kind in PICTURE:
        seen.pictured = True
    elif kind == b"IEND" and not seen.pictured:
        raise malformed("no image data before the end of the image")
    elif kind == b"fcTL" and seen.pictured:
        # Pillow reads metadata up to the end of an animation's first frame.
        seen.first_frame_over = True
    elif not seen.first_frame_over:
        if kind == b"eXIf":
            seen.exif = chunk.body
        elif kind in TEXTS and (key := chunk.body.partition(b"\0")[0]) in (RAW_EXIF, XMP):
            seen.texts[key] = chunk


def _raw_exif(texts: dict[bytes, PngChunk]) -> bytes:
    """Return the EXIF block that ImageMagick stores as text; empty where there is none or it is broken.

    The text is a line break, a line with the kind, a line with the length, then the block in hex.
    """
    if RAW_EXIF in texts:
        with suppress(ValueError):
            return bytes.fromhex(b"".join(_text(texts[RAW_EXIF]).split(b"\n")[3:]).decode("ascii"))
    return b""


def _xmp(texts: dict[bytes, PngChunk]) -> bytes:
    return _text(texts[XMP]) if XMP in texts else b""


def _text(chunk: PngChunk) -> bytes:
    """Return the value of a tEXt, zTXt or iTXt chunk, decompressed where it is compressed.

    A value that can't be decompressed is returned empty; decompressing stops after 1 MiB.
    """
    value = chunk.body.partition(b"\0")[2]
    compressed = chunk.kind == b"zTXt"
    if compressed:
        value = value[1:]
    elif chunk.kind == b"iTXt":
        compressed = value[:1] == b"\1"
        value = value[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not compressed:
        return value
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(value, LONGEST_TEXT)
    return b""


def _encoded(kind: bytes, body: bytes) -> bytes:
    """Return the bytes of a chunk as they stand in a file: length, kind, body and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
