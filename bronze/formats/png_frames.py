"""The images of a PNG: the one that every decoder shows, and the frames of an animation.

A frame is shown only in a file that says how many it has (acTL). Source: W3C PNG, third edition,
section 4.9 and 11.3.4 (APNG).
"""

from __future__ import annotations

import struct

from bronze.formats.cleaning_results import malformed
from bronze.formats.png_chunks import PngChunk, encoded
from bronze.formats.png_image_data import ImageData, PixelLayout
from bronze.formats.png_palette import PaletteUse

FRAMES = (b"fcTL", b"fdAT")
ANIMATION = (b"acTL", *FRAMES)
SEQUENCE_BYTES = 4
"""Each chunk of a frame begins with its number among all of them."""


def without_lost_frames(kept: list[PngChunk]) -> list[PngChunk]:
    """Return the chunks without frames that no decoder shows.

    These are all where acTL is missing or no frame is there, those behind the number that acTL says,
    and image data of frames that have no header. Raises NotAPhoto (MALFORMED) where nothing is left.
    """
    most = next((_frame_count(chunk) for chunk in kept if chunk.kind == b"acTL"), 0)
    most = most if any(chunk.kind == b"fcTL" for chunk in kept) else 0
    frames, shown = 0, []
    for chunk in kept:
        frames += chunk.kind == b"fcTL"
        if chunk.kind not in ANIMATION or (chunk.kind == b"acTL" and most) or 0 < frames <= most:
            shown.append(chunk)
    if not any(chunk.kind == b"IDAT" for chunk in shown):
        raise malformed("no image data but those of frames")
    return shown


def _frame_count(control: PngChunk) -> int:
    """Return the number of frames that acTL says; 0 where decoders take it for a mistake."""
    count = int.from_bytes(control.body[:4]) if len(control.body) == 8 else 0
    return count if count < 2**31 else 0


def cut_images(
    kept: list[PngChunk], layout: PixelLayout, palette: PaletteUse | None
) -> list[PngChunk]:
    """Return the chunks with the data of each image cut where it ends, and frames numbered without gaps.

    `kept` begins with IHDR. `palette` notes the entries that pixels use.
    """
    data, left = ImageData(), dict[int, bytes]()
    for size, numbers in _images(kept):
        packed = [_packed(kept[number]) for number in numbers]
        cut = data.cut(packed, layout.passes(*size), palette)
        left |= zip(numbers, [*cut, *[b""] * (len(numbers) - len(cut))], strict=True)
    chunks, sequence = [], 0
    for number, chunk in enumerate(kept):
        body = left.get(number, chunk.body)
        if not body and chunk.body:
            continue
        if chunk.kind in FRAMES:
            content = body if number in left else body[SEQUENCE_BYTES:]
            body = sequence.to_bytes(SEQUENCE_BYTES) + content
            sequence += 1
        chunks.append(chunk if body == chunk.body else encoded(chunk.kind, body))
    return chunks


def _images(kept: list[PngChunk]) -> list[tuple[tuple[int, int], list[int]]]:
    """Return (width, height) of each image in pixels, with the numbers of the chunks that hold its data."""
    images = [(struct.unpack_from(">II", kept[0].body), list[int]())]
    for number, chunk in enumerate(kept):
        if chunk.kind == b"IDAT":
            images[0][1].append(number)
        elif chunk.kind == b"fcTL":
            images.append((struct.unpack_from(">II", chunk.body.ljust(12, b"\0"), 4), []))
        elif chunk.kind == b"fdAT":
            images[-1][1].append(number)
    return images


def _packed(chunk: PngChunk) -> bytes:
    """Return the part of a chunk's body that is image data."""
    return chunk.body if chunk.kind == b"IDAT" else chunk.body[SEQUENCE_BYTES:]
