"""The bilinear convolution as it is defined, in float64 and without any rounding: what SIMD comes near to."""

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
    rows = np.einsum("yh,hwc->ywc", weights(height, size, top, bottom), pixels, optimize=True)
    return np.einsum("xw,ywc->yxc", weights(width, size, left, right), rows, optimize=True)


def resized_on_white(
    pixels: NDArray[np.number], size: int, box: tuple[float, float, float, float] | None = None
) -> Floats:
    """RGBA float64[h, w, 4] as RGB float64[size, size, 3] on white: colours count by their opacity."""
    alpha = pixels[..., 3:] / 255
    small = resized(np.concatenate([pixels[..., :3] * alpha, alpha], axis=2), size, box)
    return small[..., :3] + 255 * (1 - small[..., 3:])


def weights(length: int, size: int, start: float, end: float) -> Floats:
    """The share float64[size, length] that each old pixel has in each new one, on one axis."""
    scale = (end - start) / size
    reach = max(scale, 1.0)
    centres = start + (np.arange(size) + 0.5) * scale
    distances = np.abs(np.arange(length) + 0.5 - centres[:, None]) / reach
    shares = np.maximum(0.0, 1 - distances)
    return shares / shares.sum(axis=1, keepdims=True)
