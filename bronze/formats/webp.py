"""Removal of metadata from WebP: an allow-list decides which RIFF chunks stay.

It holds also inside the frames of an animation. A simple file (VP8 or VP8L alone) can't hold
metadata; an extended file says in the flags of its VP8X chunk what it holds. Source: RFC 9649.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone

HEADER_BYTES = 12
VP8X_BYTES, ANIM_BYTES, FRAME_BYTES = 10, 6, 16
ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02

IMAGE = (b"VP8 ", b"VP8L", b"ALPH")
NAMES = (*IMAGE, b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"EXIF", b"XMP ")


class RiffChunk(NamedTuple):
    """A chunk of a RIFF file.

    `body` is its data without padding, and shorter than `size` bytes where the file ends inside the
    chunk. `whole` says that the file holds all of the chunk, including the padding.
    """

    kind: bytes
    size: int
    body: bytes
    whole: bool


def cleaned(original: bytes) -> CleanPhoto:
    """Return the WebP, which may be animated, with the chunks of its pixels and colours alone.

    These are image data, alpha, colour profile and animation header. Raises NotAPhoto (MALFORMED)
    where the structure is broken.
    """
    end = 8 + int.from_bytes(original[4:8], "little")
    chunks = _chunks(original, HEADER_BYTES, end)
    first = next(chunks, None)
    missing = max(0, end - len(original))
    if first is not None and first.kind == b"VP8X":
        return _extended(first, list(chunks), missing)
    if first is not None and first.kind in IMAGE:
        width, height = _frame_size(first)
        return _photo([_encoded(first)], missing, width, height, None)
    raise malformed("the first chunk is no VP8, VP8L or VP8X")


def _extended(header: RiffChunk, chunks: list[RiffChunk], missing: int) -> CleanPhoto:
    """Return the photo of an extended file: its VP8X header, then `chunks`.

    `missing` is the number of declared bytes that the file lacks at its end.
    """
    if len(header.body) != VP8X_BYTES:
        raise malformed("chunk VP8X is cut or has a wrong size")
    flags = header.body[0]
    # A decoder reads the first chunk of each kind, and only if its flag is set.
    metadata = {chunk.kind: chunk.body for chunk in reversed(chunks) if chunk.whole}
    orientation, taken_on = capture_facts(
        metadata.get(b"EXIF", b"") if flags & EXIF_FLAG else b"",
        metadata.get(b"XMP ", b"") if flags & XMP_FLAG else b"",
    )
    kept = _kept(chunks)
    flags &= ICC_FLAG | ALPHA_FLAG | ANIMATION_FLAG
    if orientation != UPRIGHT and not missing:
        # EXIF is the last chunk, so a file that is cut off has no place for it.
        kept.append(_encoded(_chunk(b"EXIF", orientation_alone(orientation))))
        flags |= EXIF_FLAG
    size = header.body[4:]
    width, height = (1 + int.from_bytes(size[at : at + 3], "little") for at in (0, 3))
    kept.insert(0, _encoded(_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)))
    return _photo(kept, missing, width, height, taken_on)


def _kept(chunks: list[RiffChunk]) -> list[bytes]:
    """Return the bytes of the chunks that stay.

    A chunk that is cut off behind the first image data is left out. Raises NotAPhoto (MALFORMED)
    where an earlier one is cut off, a frame is too short, or there is no image data.
    """
    kept, pictured = [], False
    for chunk in chunks:
        if chunk.kind in IMAGE:
            kept.append(_encoded(chunk))
        elif chunk.kind == b"ANMF" and len(chunk.body) >= FRAME_BYTES:
            kept.append(_encoded(_frame(chunk)))
        elif not chunk.whole:
            if not pictured:
                raise malformed(f"chunk {_name(chunk.kind)} runs past the end")
        elif chunk.kind == b"ANMF":
            raise malformed("chunk ANMF is too short")
        elif chunk.kind == b"ANIM":
            kept.append(_encoded(_chunk(b"ANIM", chunk.body[:ANIM_BYTES])))
        elif chunk.kind == b"ICCP":
            kept.append(_encoded(chunk))
        pictured = pictured or chunk.kind in (*IMAGE, b"ANMF")
    if not pictured:
        raise malformed("the file ends before its image data")
    return kept


def _frame(frame: RiffChunk) -> RiffChunk:
    """Return the frame of an animation with its image chunks alone; one that is cut off stays so."""
    inner = _chunks(frame.body, FRAME_BYTES, frame.size)
    kept = [_encoded(chunk) for chunk in inner if chunk.kind in IMAGE]
    body = frame.body[:FRAME_BYTES] + b"".join(kept)
    return frame._replace(body=body, size=len(body) + frame.size - len(frame.body))


def _chunks(data: bytes, start: int, end: int) -> Iterator[RiffChunk]:
    """Yield the chunks of data[start:end].

    `end` is the end that the container declares; the data may end before it. Raises NotAPhoto
    (MALFORMED) where a chunk can't be one or runs past `end`.
    """
    while start < min(end, len(data)):
        if start + 8 > end:
            raise malformed("garbage in the place of a chunk")
        if start + 8 > len(data):
            return
        kind, size = struct.unpack_from("<4sI", data, start)
        if not (kind.isascii() and kind.decode().isprintable()):
            raise malformed("garbage in the place of a chunk")
        padded = start + 8 + size + size % 2
        if padded > end:
            raise malformed(f"chunk {_name(kind)} runs past the container's end")
        yield RiffChunk(kind, size, data[start + 8 : start + 8 + size], padded <= len(data))
        start = padded


def _frame_size(chunk: RiffChunk) -> tuple[int, int]:
    """Return (width, height) in pixels from the header of a VP8 key frame or a VP8L image.

    Raises NotAPhoto (MALFORMED) where the header can't be read.
    """
    body = chunk.body
    if chunk.kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        width, height = width & 0x3FFF, height & 0x3FFF
        if width and height:
            return width, height
    if chunk.kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise malformed("no readable header of the image data")


def _photo(
    kept: list[bytes], missing: int, width: int, height: int, taken_on: date | None
) -> CleanPhoto:
    """Return the photo of the chunks behind a RIFF header.

    The header still declares the `missing` bytes at the end, so that a truncated file stays one.
    """
    chunks = b"".join(kept)
    header = struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + missing, b"WEBP")
    return CleanPhoto(header + chunks, "WEBP", width, height, taken_on)


def _chunk(kind: bytes, body: bytes) -> RiffChunk:
    """Return a whole chunk of that kind with that body."""
    return RiffChunk(kind, len(body), body, whole=True)


def _encoded(chunk: RiffChunk) -> bytes:
    """Return the bytes of a chunk as they stand in a file: kind, size, body and padding."""
    padding = bytes(chunk.size % 2) if chunk.whole else b""
    return struct.pack("<4sI", chunk.kind, chunk.size) + chunk.body + padding


def _name(kind: bytes) -> str:
    """Return the chunk's name for a message. An unknown name is not quoted: it is text of the file."""
    return kind.decode().strip() if kind in NAMES else "of an unknown kind"
