"""The ways in which a decoded photo is resized to the square that a model takes.

Embeddings of pixels that were resized in two ways are near each other and not the same, so a model keeps its
way for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from conf.errors import BadInput
from lake.enums import PixelWay

try:
    # It is loaded here, because the process that decodes can load nothing later.
    import cykooz_resizer as resizer
except ImportError:  # it has no wheel for Linux on ARM
    resizer = None

# On 1,142 shop photos of 28 kinds, the nearest centroid of MobileNetV2's embeddings was right equally
# often with Pillow's filters (0.82 to 0.83). Hamming takes as long as bilinear and half as long as bicubic,
# and its embeddings are near those of bicubic (cosine 0.9985). Box is faster still, and worse on photos
# that have to be enlarged.
FILTER = Image.Resampling.HAMMING
"""Pillow's filter of the way HAMMING."""

REDUCING_GAP = 3.0
"""With HAMMING, larger images are first averaged down to this multiple of the target's side, which makes no
visible difference."""

Box = tuple[float, float, float, float]
"""The left, top, right and bottom of a part of an image, in pixels."""


def check(way: PixelWay) -> None:
    """Raise BadInput where this machine can't resize in that way."""
    if way == PixelWay.BICUBIC and resizer is None:
        raise BadInput(
            "Pixels of the way bicubic need the package cykooz-resizer, which this Python doesn't have; "
            "install it, or set model.pixels=hamming."
        )


def resized(image: Image.Image, size: int, *, box: Box | None, way: PixelWay) -> Image.Image:
    """Return the box of an image, or all of it, with `size` x `size` pixels, in the image's own mode.

    `image` is L, RGB, RGBA or CMYK. Raises MemoryError, and ValueError or RuntimeError where the resizer
    fails.
    """
    if way == PixelWay.HAMMING:
        return image.resize((size, size), FILTER, box, REDUCING_GAP)
    left, top, right, bottom = box or (0, 0, *image.size)
    # Colours count by their opacity. Pillow multiplies them, as it raises MemoryError where it gets none.
    whole = image.convert("RGBa") if image.mode == "RGBA" else image
    # What lies between two passes is a small part of the whole if the first one is along the longer side.
    # The resizer's own first pass is always along the columns.
    if whole.width > whole.height:
        whole = _convolved(whole, (size, whole.height), (left, 0, right, whole.height))
        left, right = 0, size
    square = _convolved(whole, (size, size), (left, top, right, bottom))
    return square if square.mode == image.mode else square.convert(image.mode)


def _convolved(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """Return the box of an image in another size (width, height), by a bicubic convolution."""
    left, top, right, bottom = box
    target = Image.new(image.mode, size)
    # What other filters cost and are worth stands in docs/performance.md.
    options = resizer.ResizeOptions(
        resize_alg=resizer.ResizeAlg.convolution(resizer.FilterType.catmull_rom),
        crop_box=resizer.CropBox(left, top, right - left, bottom - top),
    )
    if size[0] != image.width and size[1] != image.height:
        # Rust ends the process where it gets no memory. So what it is about to take between its two passes
        # is taken and given back.
        np.empty((size[1], image.width, 4), np.uint8)
    with panics_as_errors():
        resizer.Resizer().resize_pil(image, target, options)
    return target


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise RuntimeError where code in Rust panics, which is no Exception by itself."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise RuntimeError("a panic in Rust") from error
