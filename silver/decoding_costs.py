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

WEBP_BYTES_A_PIXEL = 15
"""A WebP's pixels are held as YUV, as two canvases of RGBA, as a copy, and as those of Pillow."""

BLOCK, COEFFICIENT_BYTES = 8, 2


def least_bytes(image: ImageFile, full_size: tuple[int, int]) -> int:
    """Return the bytes that decoding an opened photo takes at least.

    `image` is drafted: its size is the one that it is decoded to. `full_size` is (width, height) of the
    whole photo. The true sum is at most a third higher, and some megabytes, where the photo isn't small;
    it is not foreseen where a JPEG that isn't progressive has several scans, or has to be decoded again.
    """
    pixels = image.width * image.height
    if image.format == "WEBP":
        return WEBP_BYTES_A_PIXEL * pixels
    taken = BYTES_A_PIXEL.get(image.mode, 4) * pixels
    if isinstance(image, JpegImageFile) and "progressive" in image.info:
        taken += _blocks(image, full_size) * BLOCK**2 * COEFFICIENT_BYTES
    return taken


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
