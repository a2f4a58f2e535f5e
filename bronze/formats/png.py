"""Removal of metadata from PNG: an allow-list decides which chunks stay.

The chunks that stay keep their bytes and checksums, but for what no decoder reads in them: bytes
behind the image data, entries of the palette that no pixel uses, and the name of the colour profile,
which is rebuilt. Source: W3C PNG, third edition, with APNG.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, field

from bronze.formats import icc_profiles
from bronze.formats.cleaning_results import CleanPhoto, counted, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone
from bronze.formats.png_chunks import (
    KEPT,
    PICTURE,
    SIGNATURE,
    TEXTS,
    PngChunk,
    chunks,
    encoded,
    name,
)
from bronze.formats.png_frames import FRAMES, cut_images, without_lost_frames
from bronze.formats.png_image_data import PALETTE, PixelLayout
from bronze.formats.png_palette import PaletteUse

LONGEST_TEXT = 2**20
RAW_EXIF, XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"
PROFILE_NAME = b"colours\0"

COLOUR_BYTES = {
    b"PLTE": {3: 768},
    b"tRNS": {0: 2, 2: 6, 3: 256},
    b"sBIT": {0: 1, 2: 3, 3: 3, 4: 2, 6: 4},
    b"bKGD": {0: 2, 2: 6, 3: 1, 4: 2, 6: 6},
}
"""The most bytes of chunks that have more or fewer by the colour type, or that have none."""


@dataclass
class _PngFacts:
    """What the chunks read so far say.

    `kept` are the chunks that stay. `exif` and `texts` hold metadata. `pictured` says that image data
    began, `first_frame_over` that the first frame of an animation has ended.
    """

    colour: int
    kept: list[PngChunk]
    kinds: set[bytes] = field(default_factory=set)
    exif: bytes = b""
    texts: dict[bytes, PngChunk] = field(default_factory=dict)
    pictured: bool = False
    first_frame_over: bool = False


def cleaned(original: bytes) -> CleanPhoto:
    """Return the PNG, which may be animated, with the chunks of its pixels and colours alone.

    Raises NotAPhoto (MALFORMED) where the structure is broken.
    """
    found = counted(chunks(original), "chunks")
    header = next(found)
    if header.kind != b"IHDR" or len(header.body) != KEPT[b"IHDR"]:
        raise malformed("the first chunk is no IHDR")
    width, height = struct.unpack_from(">II", header.body)
    if not (width and height):
        raise malformed("the header has no width or no height")
    layout = PixelLayout.of(header.body)
    seen = _PngFacts(layout.colour, [header])
    for chunk in found:
        _collect(chunk, seen)
    orientation, days = capture_facts(seen.exif or _raw_exif(seen.texts), _xmp(seen.texts))
    kept = without_lost_frames(seen.kept)
    palette = _palette(kept, layout)
    kept = _coloured(cut_images(kept, layout, palette), palette)
    if orientation != UPRIGHT:
        kept.insert(1, encoded(b"eXIf", orientation_alone(orientation)))
    content = b"".join([SIGNATURE, *(chunk.whole for chunk in kept)])
    return CleanPhoto(content, "PNG", width, height, days)


def _collect(chunk: PngChunk, seen: _PngFacts) -> None:
    """Add the chunk and its facts to `seen`. Raises NotAPhoto (MALFORMED) for an impossible order.

    Chunks about colours stay in front of the image data alone, where decoders look for them.
    """
    kind = chunk.kind
    if kind == b"IHDR":
        raise malformed("a second IHDR")
    if kind in (*PICTURE, b"IEND") or (kind in KEPT and (kind in FRAMES or not seen.pictured)):
        if kind in seen.kinds and kind not in (*PICTURE, *FRAMES):
            raise malformed(f"a second {name(kind)}")
        seen.kinds.add(kind)
        seen.kept += _fitted(chunk, seen.colour)
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


def _fitted(chunk: PngChunk, colour: int) -> list[PngChunk]:
    """Return the chunk with no more than an image of that colour type has in it; none where it has none."""
    if chunk.kind not in COLOUR_BYTES:
        return [chunk]
    most = COLOUR_BYTES[chunk.kind].get(colour, 0)
    if len(chunk.body) <= most:
        return [chunk]
    return [encoded(chunk.kind, chunk.body[:most])] if most else []


def _palette(kept: list[PngChunk], layout: PixelLayout) -> PaletteUse | None:
    """Return the use of the image's palette, where nothing but the background was noted yet."""
    bodies = {chunk.kind: chunk.body for chunk in kept if chunk.kind in (b"PLTE", b"bKGD")}
    if layout.colour != PALETTE or b"PLTE" not in bodies:
        return None
    return PaletteUse(bodies[b"PLTE"], layout.depth, background=bodies.get(b"bKGD", b""))


def _coloured(kept: list[PngChunk], palette: PaletteUse | None) -> list[PngChunk]:
    """Return the chunks with a rebuilt colour profile, if it can be, and the palette's entries in use."""
    coloured = []
    for chunk in kept:
        body: bytes | None = chunk.body
        if chunk.kind == b"iCCP":
            body = _profile(chunk.body)
        elif palette and chunk.kind == b"PLTE":
            body = palette.colours()
        elif palette and chunk.kind == b"tRNS":
            body = palette.transparency(chunk.body)
        if body is not None:
            coloured.append(chunk if body == chunk.body else encoded(chunk.kind, body))
    return coloured


def _profile(body: bytes) -> bytes | None:
    """Return the body of iCCP with the profile rebuilt, or None where it can't be.

    A profile that unpacks to more than any profile has is unpacked no further. No reader uses it.
    """
    packed = body.partition(b"\0")[2]
    if packed[:1] != b"\0":
        return None
    try:
        profile = zlib.decompressobj().decompress(packed[1:], icc_profiles.LONGEST + 1)
    except zlib.error:
        return None
    fresh = icc_profiles.rebuilt(profile)
    return None if fresh is None else PROFILE_NAME + b"\0" + zlib.compress(fresh)


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
