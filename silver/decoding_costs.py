"""What decoding a photo takes: pixels and bytes of memory, known from its header before anything is decoded.

A baseline JPEG is decoded row by row at the scale that is enough, so one of 200 megapixels costs as much as
the 3 that it is decoded to. libjpeg holds the coefficients of a whole progressive JPEG, at any scale.
"""

from __future__ import annotations

from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

BYTES_A_PIXEL = {"1": 2, "L": 2, "I;16": 3, "P": 5, "RGB": 4, "LA": 11, "RGBA": 8, "CMYK": 8}
"""The bytes that a pixel of each of Pillow's modes takes until the photo is small, at the peak. Pillow stores
three bands in four bytes, and some modes are converted before the photo is resized."""

WITH_TRANSPARENT_COLOUR = {"1": 9, "L": 9, "P": 9, "RGB": 12}
"""The same of a PNG one of whose colours is transparent: it is converted to RGBA, and that once more."""

OF_FORMAT = {
    ("WEBP", "RGB"): 15,
    ("WEBP", "RGBA"): 15,
    ("HEIF", "RGB"): 7,
    ("AVIF", "RGB"): 8,
    ("AVIF", "RGBA"): 11,
}
"""The same of formats whose decoders hold all pixels themselves: a WebP's as YUV, as two canvases of RGBA and
as a copy, those of HEIC and AVIF as YUV and as RGB. Pillow's own come on top."""

BLOCK, COEFFICIENT_BYTES = 8, 2


def least_bytes(image: ImageFile, full_size: tuple[int, int]) -> int:
    """Return the bytes that decoding an opened photo takes at least.

    `image` is drafted: its size is the one that it is decoded to. `full_size` is (width, height) of the
    whole photo. The true sum is at most a third higher, and some megabytes, where the photo isn't small;
    it is not foreseen where a JPEG that isn't progressive has several scans, or has to be decoded again, and
    where HEIC or AVIF has more than 8 bits, or colours in full behind an alpha.
    """
    taken = _bytes_a_pixel(image) * image.width * image.height
    if isinstance(image, JpegImageFile) and "progressive" in image.info:
        taken += _blocks(image, full_size) * BLOCK**2 * COEFFICIENT_BYTES
    return taken


def _bytes_a_pixel(image: ImageFile) -> int:
    mode = image.mode
    if own := OF_FORMAT.get((image.format or "", mode)):
        return own
    has_colour = image.format == "PNG" and "transparency" in image.info
    return (has_colour and WITH_TRANSPARENT_COLOUR.get(mode)) or BYTES_A_PIXEL.get(mode, 4)


def least_file_bytes(image: ImageFile, full_size: tuple[int, int]) -> int:
    """Return the bytes that a photo's file has at least: 0 where its format sets no bound.

    A block of a JPEG that is neither progressive nor arithmetically coded takes two codes of a bit or more.
    """
    if isinstance(image, JpegImageFile) and "progressive" not in image.info:
        return _blocks(image, full_size) * 2 // 8
    return 0


def _blocks(image: JpegImageFile, full_size: tuple[int, int]) -> int:
    """Return the number of blocks of all components of a JPEG."""
    factors = [(max(1, across), max(1, down)) for _, across, down, _ in image.layer]
    most_across, most_down = (max(each) for each in zip(*factors, strict=True))
    width, height = full_size
    return sum(
        -(-width * across // (most_across * BLOCK)) * -(-height * down // (most_down * BLOCK))
        for across, down in factors
    )
