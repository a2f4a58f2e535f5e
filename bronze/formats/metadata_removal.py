"""Removal of private metadata from photos, by allow-list and without encoding the image again.

`clean` removes EXIF (GPS, serial numbers, owner), XMP, IPTC, comments, embedded thumbnails and
everything that no decoder reads, as far as it can be told without decoding. It keeps the pixels, bit
for bit, the colours of the colour profile, and of the EXIF the orientation alone. It returns the
capture date as a date.

A truncated image is cleaned like any other one and stays truncated. A photo whose structure can't
be followed is refused: bytes that are not understood are never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from bronze.formats.cleaning_results import CleanPhoto, NotAPhoto, RejectionReason
from lake import photo_formats

CLEANERS: dict[str, Callable[[bytes], CleanPhoto]] = {
    each.name: import_module(f"bronze.formats.{each.name.lower()}").cleaned
    for each in photo_formats.FORMATS
}
"""The functions that clean the photos of each format, by its name."""

# (offset, signature, name) of file formats that people upload instead of photos.
OTHER_FORMATS = (
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftypmif", "a HEIF of another kind than HEIC and AVIF"),
    (4, b"ftypmsf", "a HEIF of another kind than HEIC and AVIF"),
    (4, b"ftyp", "MP4"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"%PDF-", "PDF"),
    (0, b"PK\3\4", "ZIP"),
)


def clean(original: bytes) -> CleanPhoto:
    """Return the photo without its private metadata. The first bytes decide its format.

    No pixel is decoded, so a header that declares 60,000 x 60,000 of them costs nothing. The image data
    of a PNG are unpacked, in bounded pieces, because nothing else tells where they end.

    Raises NotAPhoto with the reason EMPTY where there are no bytes, NOT_A_PHOTO for a format that
    isn't one of `photo_formats`, and MALFORMED where the structure can't be followed up to the image
    data, or contradicts itself after it.
    """
    if not original:
        raise NotAPhoto(RejectionReason.EMPTY, "the file holds no bytes")
    if photo_format := photo_formats.format_of(original):
        return CLEANERS[photo_format.name](original)
    raise NotAPhoto(RejectionReason.NOT_A_PHOTO, _other_format(original))


def _other_format(original: bytes) -> str:
    """Return the name of the file's format where its signature is known, else a note that it isn't."""
    for offset, signature, name in OTHER_FORMATS:
        if original.startswith(signature, offset):
            return name
    if original.startswith(b"BM") and original[6:10] == bytes(4):
        return "BMP"
    if b"<svg" in original[:1024].lower():
        return "SVG"
    return f"no {photo_formats.listed('or')} signature"
