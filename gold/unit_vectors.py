"""Vectors of length one, whose products are cosines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return vectors float[n, d] with each row scaled to length one; a row of zeros stays as it is."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
