"""Photos without their private metadata: cut by allow-list, never re-encoded.

What goes: EXIF (GPS, serial numbers, owner), XMP, IPTC, comments, embedded thumbnails, everything
after the end of the image. What stays: the pixels, bit for bit, the colour profile, and the
orientation alone. The capture date comes back as a date.

A truncated image is cut like any other and stays truncated. Where the structure can't be followed,
the photo is refused: bytes that are not understood are never stored.
"""

from __future__ import annotations

from bronze.formats import jpeg, png, webp
from bronze.formats.clean_photo import CleanPhoto, NotAPhoto, RejectionReason

__all__ = ["CleanPhoto", "NotAPhoto", "Reason", "clean"]

# (offset, signature, name) of what people upload in the place of photos.
LOOKALIKES = (
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyp", "MP4"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"%PDF-", "PDF"),
    (0, b"PK\3\4", "ZIP"),
)


def clean(original: bytes) -> CleanPhoto:
    """The photo without private metadata; its format is told by its first bytes.

    Nothing is decoded, so a header that declares 60,000 x 60,000 pixels costs nothing.

    Raises NotAPhoto: EMPTY without bytes, NOT_A_PHOTO for any other format, MALFORMED where the
    structure can't be followed up to the image data, or contradicts itself after it.
    """
    if not original:
        raise NotAPhoto(RejectionReason.EMPTY, "the file holds no bytes")
    if original.startswith(jpeg.SIGNATURE):
        return jpeg.cleaned(original)
    if original.startswith(png.SIGNATURE):
        return png.cleaned(original)
    if original.startswith(b"RIFF") and original[8:12] == b"WEBP":
        return webp.cleaned(original)
    raise NotAPhoto(RejectionReason.NOT_A_PHOTO, _resemblance(original))


def _resemblance(original: bytes) -> str:
    for offset, signature, name in LOOKALIKES:
        if original.startswith(signature, offset):
            return name
    if original.startswith(b"BM") and original[6:10] == bytes(4):
        return "BMP"
    if b"<svg" in original[:1024].lower():
        return "SVG"
    return "no JPEG, PNG or WebP signature"
