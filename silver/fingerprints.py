"""What is measured of a photo's pixels, all of it from one plane of their luminance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

STRONGEST = 1.001 * (4 * 255) ** 2
"""No Laplacian of four neighbours has a larger variance, with what sums of float32 add by rounding."""


class Fingerprint(NamedTuple):
    """What silver/embeddings has of a photo's decoded pixels: its difference hash, its mean luminance in
    [0, 1], and the variance of its luminance's Laplacian. Photos with the same pixels have the same."""

    dhash: int
    brightness: float
    sharpness: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Fingerprint:
        """Return the fingerprint of RGB pixels uint8[size, size, 3], or of their `luminance`."""
        grey = luminance(pixels)
        return cls(dhash(grey), brightness(grey), sharpness(grey))

    @property
    def is_possible(self) -> bool:
        """Whether there are pixels that have it: its numbers are finite and in their ranges."""
        return 0 <= self.brightness <= 1 and 0 <= self.sharpness <= STRONGEST


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance uint8[h, w] of RGB pixels uint8[h, w, 3], by ITU-R 601.

    Pixels uint8[h, w] are luminance already and are returned unchanged.
    """
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


def brightness(pixels: NDArray[np.uint8]) -> float:
    """Return the mean luminance in [0, 1] of RGB pixels, or of their `luminance`."""
    grey = luminance(pixels)
    # The sum of integers is as exact as `mean`, and takes a third of its time.
    return int(grey.sum(dtype=np.uint32)) / grey.size / 255


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the variance of the luminance's Laplacian, in levels squared: low where nothing is in focus.

    `pixels` are RGB, or their `luminance`. The Laplacian is over four neighbours, of inner pixels only.
    Values are comparable among photos of one size.
    """
    grey = luminance(pixels).astype(np.int16)
    width = grey.shape[1]
    flat = grey.ravel()
    # Row after row without a gap, which is faster. The first and last of a row have neighbours of other rows,
    # and are left out afterwards.
    laplacian = 4 * flat[width:-width]
    laplacian -= flat[: -2 * width]
    laplacian -= flat[2 * width :]
    laplacian[1:] -= flat[width : -width - 1]
    laplacian[:-1] -= flat[width + 1 : -width]
    # This is twice as fast as `var`, and exact enough because a Laplacian's mean is near zero.
    values = laplacian.reshape(-1, width)[:, 1:-1].astype(np.float32).ravel()
    return max(0.0, float(values @ values) / values.size - float(values.mean()) ** 2)


def dhash(pixels: NDArray[np.uint8]) -> int:
    """Return the difference hash, a signed 64-bit integer: hashes of similar photos differ in few bits.

    `pixels` are RGB, or their `luminance`. Each bit says, row by row, whether a cell in a grid of 9 x 8
    cells of luminance is darker than the next one in its row.
    """
    cells = Image.fromarray(luminance(pixels)).resize((9, 8), Image.Resampling.BOX)
    grid = np.asarray(cells)
    return int.from_bytes(np.packbits(grid[:, :-1] < grid[:, 1:]).tobytes(), "big", signed=True)
