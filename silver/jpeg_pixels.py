"""Decoding of a JPEG at the scale that is enough, and the proof that all of it is there.

libjpeg fills with grey what a file lacks, and only warns. So whether a JPEG is whole can be seen in its
pixels alone: in one that isn't, more image data change them.
"""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

DRAFT_GAP = 2
"""A JPEG is decoded at 1/2, 1/4 or 1/8 scale as long as its sides stay above this multiple of `size`."""

END, SCAN = b"\xff\xd9", b"\xff\xda"
"""The end marker, and the marker in front of a scan: two bytes behind it stands its number of components."""

MORE_DATA = bytes(range(1, 255)) * 4
OTHER_DATA = (b"\xaa" * 1000, b"\x55" * 1000, b"\xfe" * 1000, b"\x33" * 1000)
"""Image data that are tried, too, where no end marker says that the data before it are all there were: in the
last block the first ones may stand for the same as those that the decoder fills in."""

ZEROS = bytes(3)
"""No image data end so. The files of a camera or a download that broke off may be filled with zeros."""

GREY_FILLING = {127, 128}
"""The values that libjpeg fills in where data is missing: CMYK is inverted, so there are two."""


class Drafted(NamedTuple):
    """An opened image at the scale at which it is decoded, and the box (left, top, right, bottom) of it that
    the photo covers; None for all."""

    image: ImageFile
    box: tuple[float, float, float, float] | None


def drafted(image: ImageFile, size: int) -> Drafted:
    """Return an opened image at the scale that is enough, which is a reduced one for a large JPEG alone."""
    draft = image.draft(None, (DRAFT_GAP * size, DRAFT_GAP * size))
    return Drafted(image, draft[1] if draft else None)


def loaded(opened: Drafted, content: bytes, size: int) -> Drafted | None:
    """Decode a drafted JPEG and return it, or None where some of its pixels are missing.

    The end marker may be missing behind a JPEG of one scan, which decoders show whole. Raises what Pillow
    raises where it gives up, as it does where other JPEGs have no end marker.
    """
    image = opened.image
    assert isinstance(image, JpegImageFile)
    lacks_end = _lacks_end_alone(image, content)
    if lacks_end:
        content = content.rstrip(b"\xff") + END  # the first half of an end marker is none
        opened = drafted(JpegImageFile(BytesIO(content)), size)
    opened.image.load()
    tried: tuple[bytes, ...] = ()  # each costs another decoding
    if lacks_end:
        tried = (MORE_DATA, *OTHER_DATA)
    elif "progressive" in image.info or _ends_in_grey(opened.image):
        tried = (MORE_DATA,)
    return None if any(_is_changed(opened, content, size, more) for more in tried) else opened


def _lacks_end_alone(image: JpegImageFile, content: bytes) -> bool:
    """Return whether a JPEG whose one scan has all components has no end marker behind it."""
    scan = content.rfind(SCAN)
    has_one_scan = "progressive" not in image.info and content[scan + 4 : scan + 5] == bytes(
        [image.layers]
    )
    return has_one_scan and content.find(END, scan) < 0 and not content.endswith(ZEROS)


def _ends_in_grey(image: ImageFile) -> bool:
    """Return whether the last pixel is as grey as the filling."""
    last = image.getpixel((image.width - 1, image.height - 1))
    return (set(last) if isinstance(last, tuple) else {last}) <= GREY_FILLING


def _is_changed(opened: Drafted, content: bytes, size: int, more: bytes) -> bool:
    """Return whether more data before the end marker change the pixels; in a whole JPEG they are skipped."""
    end = content.rfind(END)
    longer = drafted(JpegImageFile(BytesIO(content[:end] + more + END)), size).image
    return longer.tobytes() != opened.image.tobytes()
