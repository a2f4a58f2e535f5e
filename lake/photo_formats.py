"""The photo formats that the project takes: one table, which every layer and the page read.

A format is a file of its name in `bronze/formats`, which cuts its metadata, and one entry here. The rule
`format-known` of the suite bronze_photos takes its names from here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lake import iso_boxes

HEADER_BYTES = 12
"""The first bytes of most files that tell their format."""

MOST_FTYP = 256
"""The first bytes of a file of boxes that are searched for the brand that tells its format."""

OTHER_TYPES = ("image/*", "application/octet-stream", "binary/octet-stream")
"""The media types, besides those of the formats, under which a photo may be sent: programs have many names
for one format, such as image/jpg and image/pjpeg for JPEG."""

OTHER_ENDINGS = (".gif", ".bmp", ".tif", ".tiff")
"""The endings of photos in formats that are not taken. Such a file is refused, and not passed over."""

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
AVIF_BRANDS = (b"avif", b"avis")
"""The brands of files that are made of boxes. One that isn't here, such as mif1, or a maker's, tells none."""


class PhotoFormat(NamedTuple):
    """A photo format.

    `name` is the value of the column `format`, and in lower case the module in `bronze/formats` with the
    function `cleaned`. `title` is how texts call it. `signature` has pairs of an offset and the bytes of
    which one stands there. `reader` is Pillow's class that decodes it, as `module:class`. `is_cut` returns
    whether a file stops before its end. `coded_pixels` returns the number of pixels of the largest picture
    that a file declares, where that may be more than the photo's.
    """

    name: str
    title: str
    signature: tuple[tuple[int, tuple[bytes, ...]], ...]
    media_types: tuple[str, ...]
    endings: tuple[str, ...]
    reader: str
    is_cut: Callable[[bytes], bool]
    coded_pixels: Callable[[bytes], int] = lambda content: 0


JPEG = PhotoFormat(
    "JPEG",
    "JPEG",
    signature=((0, (b"\xff\xd8\xff",)),),
    media_types=("image/jpeg",),
    endings=(".jpg", ".jpeg", ".jpe", ".jfif"),
    reader="PIL.JpegImagePlugin:JpegImageFile",
    is_cut=lambda content: not content.endswith(b"\xff\xd9"),
)
PNG = PhotoFormat(
    "PNG",
    "PNG",
    signature=((0, (b"\x89PNG\r\n\x1a\n",)),),
    media_types=("image/png",),
    endings=(".png",),
    reader="PIL.PngImagePlugin:PngImageFile",
    is_cut=lambda content: content.rfind(b"IEND\xae\x42\x60\x82") < 0,
)
WEBP = PhotoFormat(
    "WEBP",
    "WebP",
    signature=((0, (b"RIFF",)), (8, (b"WEBP",))),
    media_types=("image/webp",),
    endings=(".webp",),
    reader="PIL.WebPImagePlugin:WebPImageFile",
    is_cut=lambda content: int.from_bytes(content[4:8], "little") > len(content) - 8,
)

HEIC = PhotoFormat(
    "HEIC",
    "HEIC",
    signature=((0, (b"\0\0",)), (4, (b"ftyp",)), (8, HEIC_BRANDS)),
    media_types=("image/heic", "image/heif"),
    endings=(".heic", ".heif", ".hif"),
    reader="pi_heif:HeifImageFile",
    is_cut=iso_boxes.is_cut,
    coded_pixels=iso_boxes.largest_picture,
)
AVIF = PhotoFormat(
    "AVIF",
    "AVIF",
    signature=((0, (b"\0\0",)), (4, (b"ftyp",)), (8, AVIF_BRANDS)),
    media_types=("image/avif",),
    endings=(".avif",),
    reader="PIL.AvifImagePlugin:AvifImageFile",
    is_cut=iso_boxes.is_cut,
    coded_pixels=iso_boxes.largest_picture,
)

FORMATS = (JPEG, PNG, WEBP, HEIC, AVIF)

MEDIA_TYPES = tuple(kind for each in FORMATS for kind in each.media_types)
ENDINGS = tuple(ending for each in FORMATS for ending in each.endings)


def format_of(content: bytes) -> PhotoFormat | None:
    """Return the format that the first bytes of a file show, or None where it is none of the table."""
    content = _specific(content)
    for each in FORMATS:
        if all(content.startswith(parts, at) for at, parts in each.signature):
            return each
    return None


def _specific(content: bytes) -> bytes:
    """Return the header of a file, with the first brand that tells a format in the place of one that tells
    none, such as a maker's. Where brands tell two formats, the kind of the first coded item does."""
    if content[4:8] != b"ftyp":
        return content[:HEADER_BYTES]
    end = min(int.from_bytes(content[:4]), MOST_FTYP)
    brands = [content[at : at + 4] for at in (8, *range(16, min(end, len(content)) - 3, 4))]
    telling = [each for each in brands if each in (*HEIC_BRANDS, *AVIF_BRANDS)]
    if len({each in AVIF_BRANDS for each in telling}) > 1:
        coded = {b"hvc1": HEIC_BRANDS, b"av01": AVIF_BRANDS}
        kinds = (each for each in iso_boxes.item_kinds(content) if each in coded)
        brands_of_kind = coded.get(next(kinds, b""), ())
        telling.sort(key=lambda each: each not in brands_of_kind)
    return content[:8] + (*telling, content[8:12])[0]


def ends_in_header(content: bytes) -> bool:
    """Return whether the bytes are the beginning of a photo that is cut off before its format is certain."""
    return len(content) < HEADER_BYTES and any(
        all(
            any(part.startswith(content[at : at + len(part)]) for part in parts)
            for at, parts in each.signature
        )
        for each in FORMATS
    )


def listed(word: str) -> str:
    """Return the formats' titles in words, such as `JPEG, PNG or WebP` where the word is `or`."""
    *first, last = (each.title for each in FORMATS)
    return f"{', '.join(first)} {word} {last}"
