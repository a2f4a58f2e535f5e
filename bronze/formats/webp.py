"""Removal of metadata from WebP: an allow-list decides which RIFF chunks stay.

It holds also inside the frames of an animation. A simple file (VP8 or VP8L alone) can't hold
metadata; an extended file says in the flags of its VP8X chunk what it holds, and what they don't
name is removed. A VP8 or VP8L chunk is as long as its size says, and only a decoder can tell
whether its image ends before: bytes behind that end stay. Source: RFC 9649.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, counted, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone
from bronze.formats.icc_profiles import rebuilt

HEADER_BYTES = 12
VP8X_BYTES, ANIM_BYTES, FRAME_BYTES = 10, 6, 16
ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02

ALPHA_BYTES = 1
"""The bytes of an ALPH chunk before its alphas. The first one says how they are stored."""

ALPHA_COMPRESSION, FRAME_FLAGS = 0x03, 0x03
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
    chunks = counted(_chunks(original, HEADER_BYTES, end), "chunks")
    first = next(chunks, None)
    missing = max(0, end - len(original))
    if first is not None and first.kind == b"VP8X":
        return _extended(first, list(chunks), missing)
    if first is not None and first.kind in IMAGE:
        width, height = _frame_size(first)
        return _photo([_encoded(first)], missing, width, height, ())
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
    orientation, days = capture_facts(
        metadata.get(b"EXIF", b"") if flags & EXIF_FLAG else b"",
        metadata.get(b"XMP ", b"") if flags & XMP_FLAG else b"",
    )
    _check(chunks)
    size = header.body[4:]
    width, height = _size(size)
    kept = _animation(chunks) if flags & ANIMATION_FLAG else _picture(chunks, width * height)
    if not any(chunk.kind in (*IMAGE, b"ANMF") for chunk in kept):
        raise malformed("no image data of the kind that the flags name")
    profile = rebuilt(metadata.get(b"ICCP", b"")) if flags & ICC_FLAG else None
    flags &= ALPHA_FLAG | ANIMATION_FLAG
    if profile:
        kept.insert(0, _chunk(b"ICCP", profile))
        flags |= ICC_FLAG
    if orientation != UPRIGHT and not missing:
        # EXIF is the last chunk, so a file that is cut off has no place for it.
        kept.append(_chunk(b"EXIF", orientation_alone(orientation)))
        flags |= EXIF_FLAG
    kept.insert(0, _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
    return _photo(list(map(_encoded, kept)), missing, width, height, days)


def _check(chunks: list[RiffChunk]) -> None:
    """Check that the chunks can be followed up to the image data, whichever of them stay.

    Raises NotAPhoto (MALFORMED) where one is cut off before, a frame is too short, or there are none.
    """
    pictured = False
    for chunk in chunks:
        frame = chunk.kind == b"ANMF" and len(chunk.body) >= FRAME_BYTES
        if not (frame or chunk.kind in IMAGE or chunk.whole or pictured):
            raise malformed(f"chunk {_name(chunk.kind)} runs past the end")
        if chunk.kind == b"ANMF" and chunk.whole and not frame:
            raise malformed("chunk ANMF is too short")
        pictured = pictured or chunk.kind in (*IMAGE, b"ANMF")
    if not pictured:
        raise malformed("the file ends before its image data")


def _animation(chunks: list[RiffChunk]) -> list[RiffChunk]:
    """Return the chunks of an animation that a decoder reads: the first header, and the frames."""
    headers = [chunk for chunk in chunks if chunk.kind == b"ANIM" and chunk.whole][:1]
    frames = [_frame(c) for c in chunks if c.kind == b"ANMF" and len(c.body) >= FRAME_BYTES]
    return [_chunk(b"ANIM", header.body[:ANIM_BYTES]) for header in headers] + frames


def _frame(frame: RiffChunk) -> RiffChunk:
    """Return the frame of an animation with its image chunks alone; one that is cut off stays so."""
    inner = counted(_chunks(frame.body, FRAME_BYTES, frame.size), "chunks")
    width, height = _size(frame.body[6:12])
    kept = map(_encoded, _picture(list(inner), width * height))
    head = frame.body[: FRAME_BYTES - 1] + bytes([frame.body[FRAME_BYTES - 1] & FRAME_FLAGS])
    body = head + b"".join(kept)
    return frame._replace(body=body, size=len(body) + frame.size - len(frame.body))


def _picture(chunks: list[RiffChunk], pixels: int) -> list[RiffChunk]:
    """Return the chunks of one image that a decoder reads: the first VP8 or VP8L, and alphas before a VP8.

    Alphas count whatever the flags say: libwebp's simple decoder shows them without asking. They are
    all of an image that is cut off before its VP8.
    """
    alphas = list[RiffChunk]()
    for chunk in chunks:
        if chunk.kind == b"ALPH" and not alphas:
            alphas.append(_alphas(chunk, pixels))
        elif chunk.kind == b"VP8 ":
            return [*alphas, chunk]
        elif chunk.kind == b"VP8L":
            return [chunk]
    return alphas


def _alphas(chunk: RiffChunk, pixels: int) -> RiffChunk:
    """Return the ALPH chunk without what stands behind its alphas, if they are stored as they are.

    They are a byte for each pixel then. Of compressed alphas only a decoder can tell the end.
    """
    if chunk.whole and chunk.body and not chunk.body[0] & ALPHA_COMPRESSION:
        return _chunk(chunk.kind, chunk.body[: ALPHA_BYTES + pixels])
    return chunk


def _size(size: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels, each stored as three bytes, one less."""
    width, height = (1 + int.from_bytes(size[at : at + 3], "little") for at in (0, 3))
    return width, height


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
    kept: list[bytes], missing: int, width: int, height: int, days: tuple[date, ...]
) -> CleanPhoto:
    """Return the photo of the chunks behind a RIFF header.

    The header still declares the `missing` bytes at the end, so that a truncated file stays one.
    """
    chunks = b"".join(kept)
    header = struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + missing, b"WEBP")
    return CleanPhoto(header + chunks, "WEBP", width, height, days)


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
