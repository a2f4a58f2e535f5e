"""WebP: RIFF chunks stay by allow-list, also inside the frames of an animation.

Source: RFC 9649. A simple file (VP8 or VP8L alone) can't hold metadata; an extended one says in
the flags of its VP8X what it holds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from bronze.formats.clean_photo import CleanPhoto, malformed
from bronze.formats.exif import UPRIGHT, orientation_alone, remembered

HEADER_BYTES = 12
VP8X_BYTES, ANIM_BYTES, FRAME_BYTES = 10, 6, 16
ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02

IMAGE = (b"VP8 ", b"VP8L", b"ALPH")
NAMES = (*IMAGE, b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"EXIF", b"XMP ")


class RiffChunk(NamedTuple):
    """`body` is without padding, and shorter than `size` where the file ends inside the chunk.

    `whole` says that its padding is there too.
    """

    kind: bytes
    size: int
    body: bytes
    whole: bool


def cleaned(original: bytes) -> CleanPhoto:
    """A WebP (also animated) of image data, alpha, colour profile and animation header alone.

    Raises NotAPhoto (MALFORMED).
    """
    end = 8 + int.from_bytes(original[4:8], "little")
    chunks = _chunks(original, HEADER_BYTES, end)
    first = next(chunks, None)
    missing = max(0, end - len(original))
    if first is not None and first.kind == b"VP8X":
        return _extended(first, list(chunks), missing)
    if first is not None and first.kind in IMAGE:
        width, height = _frame_size(first)
        return _photo([_written(first)], missing, width, height, None)
    raise malformed("the first chunk is no VP8, VP8L or VP8X")


def _extended(header: RiffChunk, chunks: list[RiffChunk], missing: int) -> CleanPhoto:
    if len(header.body) != VP8X_BYTES:
        raise malformed("chunk VP8X is cut or has a wrong size")
    flags = header.body[0]
    # A decoder that follows the flags sees the first chunk of each kind, and only if it is flagged.
    metadata = {chunk.kind: chunk.body for chunk in reversed(chunks) if chunk.whole}
    orientation, taken_on = remembered(
        metadata.get(b"EXIF", b"") if flags & EXIF_FLAG else b"",
        metadata.get(b"XMP ", b"") if flags & XMP_FLAG else b"",
    )
    kept = _kept(chunks)
    flags &= ICC_FLAG | ALPHA_FLAG | ANIMATION_FLAG
    if orientation != UPRIGHT and not missing:
        # It stands last, so a cut file has no place for it.
        kept.append(_written(_chunk(b"EXIF", orientation_alone(orientation))))
        flags |= EXIF_FLAG
    size = header.body[4:]
    width, height = (1 + int.from_bytes(size[at : at + 3], "little") for at in (0, 3))
    kept.insert(0, _written(_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)))
    return _photo(kept, missing, width, height, taken_on)


def _kept(chunks: list[RiffChunk]) -> list[bytes]:
    """The chunks that stay, as written; what is cut off behind the first image data goes."""
    kept, pictured = [], False
    for chunk in chunks:
        if chunk.kind in IMAGE:
            kept.append(_written(chunk))
        elif chunk.kind == b"ANMF" and len(chunk.body) >= FRAME_BYTES:
            kept.append(_written(_frame(chunk)))
        elif not chunk.whole:
            if not pictured:
                raise malformed(f"chunk {_name(chunk.kind)} runs past the end")
        elif chunk.kind == b"ANMF":
            raise malformed("chunk ANMF is too short")
        elif chunk.kind == b"ANIM":
            kept.append(_written(_chunk(b"ANIM", chunk.body[:ANIM_BYTES])))
        elif chunk.kind == b"ICCP":
            kept.append(_written(chunk))
        pictured = pictured or chunk.kind in (*IMAGE, b"ANMF")
    if not pictured:
        raise malformed("the file ends before its image data")
    return kept


def _frame(frame: RiffChunk) -> RiffChunk:
    """The frame of an animation without unknown chunks; one that is cut stays cut."""
    inner = _chunks(frame.body, FRAME_BYTES, frame.size)
    kept = [_written(chunk) for chunk in inner if chunk.kind in IMAGE]
    body = frame.body[:FRAME_BYTES] + b"".join(kept)
    return frame._replace(body=body, size=len(body) + frame.size - len(frame.body))


def _chunks(data: bytes, start: int, end: int) -> Iterator[RiffChunk]:
    """The chunks of data[start:end]; `end` is the declared one, the data may end before it."""
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
    """Width and height from the header of a VP8 key frame or a VP8L image."""
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
    """`missing` bytes at the end stay declared, so that a truncated file stays one."""
    chunks = b"".join(kept)
    header = struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + missing, b"WEBP")
    return CleanPhoto(header + chunks, "WEBP", width, height, taken_on)


def _chunk(kind: bytes, body: bytes) -> RiffChunk:
    return RiffChunk(kind, len(body), body, whole=True)


def _written(chunk: RiffChunk) -> bytes:
    padding = bytes(chunk.size % 2) if chunk.whole else b""
    return struct.pack("<4sI", chunk.kind, chunk.size) + chunk.body + padding


def _name(kind: bytes) -> str:
    """The chunk's name if the format knows it: any other is the file's own text."""
    return kind.decode().strip() if kind in NAMES else "of an unknown kind"
