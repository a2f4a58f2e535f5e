"""PNG: chunks stay by allow-list, their bytes and checksums unchanged.

Source: W3C PNG, third edition, with APNG.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from bronze.formats.clean_photo import CleanPhoto, malformed
from bronze.formats.exif import UPRIGHT, orientation_alone, remembered

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST = 2**31 - 1
LONGEST_TEXT = 2**20

# Kept chunks and the longest body of each, so that a kept chunk can't swallow the one behind it.
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
    """`whole` is the chunk as it stands in the file, `body` its data; a cut one has no body."""

    kind: bytes
    body: bytes
    whole: bytes


@dataclass
class _Seen:
    exif: bytes = b""
    texts: dict[bytes, PngChunk] = field(default_factory=dict)
    pictured: bool = False
    first_frame_over: bool = False


def cleaned(original: bytes) -> CleanPhoto:
    """A PNG (also animated) of the chunks that make its pixels and colours alone.

    Raises NotAPhoto (MALFORMED).
    """
    chunks = _chunks(original)
    header = next(chunks)
    if header.kind != b"IHDR" or len(header.body) != KEPT[b"IHDR"]:
        raise malformed("the first chunk is no IHDR")
    width, height = struct.unpack_from(">II", header.body)
    if not (width and height):
        raise malformed("the header has no width or no height")
    seen, kept = _Seen(), [SIGNATURE, header.whole]
    for chunk in chunks:
        _note(chunk, seen)
        if chunk.kind in KEPT:
            kept.append(chunk.whole)
    orientation, taken_on = remembered(seen.exif or _raw_exif(seen.texts), _xmp(seen.texts))
    if orientation != UPRIGHT:
        kept.insert(2, _written(b"eXIf", orientation_alone(orientation)))
    return CleanPhoto(b"".join(kept), "PNG", width, height, taken_on)


def _chunks(original: bytes) -> Iterator[PngChunk]:
    """Every chunk up to IEND. What is cut off after the image data began just ends it."""
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
    if not kind.isalpha():
        raise malformed("garbage in the place of a chunk")
    if length > KEPT.get(kind, LONGEST):
        raise malformed(f"chunk {_name(kind)} is too long")


def _cut_picture(kind: bytes, rest: bytes) -> PngChunk:
    # An end inside says that the length is wrong: other chunks would pass for image data.
    if b"IEND" in rest:
        raise malformed(f"chunk {_name(kind)} runs over the end of the image")
    return PngChunk(kind, b"", rest)


def _name(kind: bytes) -> str:
    """The chunk's name if the format knows it: any other is the file's own text."""
    return kind.decode() if kind in KEPT or kind in (*TEXTS, b"eXIf") else "of an unknown kind"


def _note(chunk: PngChunk, seen: _Seen) -> None:
    """Remember what outlives the chunk. Raises NotAPhoto where the order can't be right."""
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
    """ImageMagick's way: a line break, the kind, the length, then the EXIF block in hex."""
    if RAW_EXIF in texts:
        with suppress(ValueError):
            return bytes.fromhex(b"".join(_text(texts[RAW_EXIF]).split(b"\n")[3:]).decode("ascii"))
    return b""


def _xmp(texts: dict[bytes, PngChunk]) -> bytes:
    return _text(texts[XMP]) if XMP in texts else b""


def _text(chunk: PngChunk) -> bytes:
    """The value of a tEXt, zTXt or iTXt; empty where it can't be read or is above 1 MB."""
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


def _written(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
