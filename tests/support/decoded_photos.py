"""The pixels of photos, as `silver.pixels` decodes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lake.enums import PixelWay
from silver import pixels
from silver.pixels import Limits


def decoded_pixels(
    content: bytes, *, size: int, limits: Limits, way: PixelWay = PixelWay.HAMMING
) -> NDArray[np.uint8]:
    """A photo's pixels alone. Raises RefusedPhoto."""
    return pixels.decode(content, size=size, limits=limits, way=way).pixels
