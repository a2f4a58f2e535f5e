"""The bicubic convolution as it is defined, in float64 and without any rounding: what SIMD comes near to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def resized(
    pixels: NDArray[np.number], size: int, box: tuple[float, float, float, float] | None = None
) -> Floats:
    """The box (left, top, right, bottom) of float64[h, w, bands] as float64[size, size, bands]."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box or (0, 0, width, height)
    down, across = weights(height, size, top, bottom), weights(width, size, left, right)
    passes = [("yh,hwc->ywc", down), ("xw,ywc->yxc", across)]
    # What overshoots is cut after each pass, so their order counts: along the longer side first.
    square = pixels
    for indices, shares in reversed(passes) if width > height else passes:
        square = np.clip(np.einsum(indices, shares, square, optimize=True), 0, 255)
    return square


def resized_on_white(
    pixels: NDArray[np.number], size: int, box: tuple[float, float, float, float] | None = None
) -> Floats:
    """RGBA float64[h, w, 4] as RGB float64[size, size, 3] on white: colours count by their opacity."""
    alpha = pixels[..., 3:] / 255
    small = resized(np.concatenate([pixels[..., :3] * alpha, pixels[..., 3:]], axis=2), size, box)
    # No colour is brighter than full opacity lets it be.
    return np.minimum(small[..., :3], small[..., 3:]) + 255 - small[..., 3:]


def weights(length: int, size: int, start: float, end: float) -> Floats:
    """The share float64[size, length] that each old pixel has in each new one, on one axis."""
    scale = (end - start) / size
    reach = max(scale, 1.0)
    centres = start + (np.arange(size) + 0.5) * scale
    x = np.abs(np.arange(length) + 0.5 - centres[:, None]) / reach
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    shares = np.where(x < 1, near, np.where(x < 2, far, 0))
    return shares / shares.sum(axis=1, keepdims=True)
