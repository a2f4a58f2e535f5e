"""Principal component analysis from moments: exact, centred, with components in a fixed order and sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gold.moments import Matrix, Moments


@dataclass(frozen=True)
class Pca:
    """`project` takes embeddings float32[n, d] to features float32[n, k].

    `mean` and `scale` are float64[d], `basis` float64[d, k] with a component a column;
    `scree` float64[d] is every component's share of the variance, in falling order.
    """

    mean: Matrix
    scale: Matrix
    basis: Matrix
    scree: Matrix

    @property
    def components(self) -> int:
        """k."""
        return self.basis.shape[1]

    @property
    def explained_variance(self) -> float:
        """The share of the variance that the k components hold, in [0, 1]."""
        return float(self.scree[: self.components].sum())

    def project(self, embeddings: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """float[n, d] to float32[n, k]."""
        centred = (embeddings.astype(np.float64) - self.mean) / self.scale
        return (centred @ self.basis).astype(np.float32)


def fit(
    moments: Moments,
    *,
    components: int | None = None,
    variance: float | None = None,
    scale: bool = False,
) -> Pca:
    """The PCA of the embeddings behind `moments`, with so many components or so much of the variance.

    `scale` brings every column to unit variance first (a constant one stays). Never more components than
    the embeddings' own rank bound, min(n − 1, d). Raises ValueError below two embeddings.
    """
    covariance = moments.covariance()
    deviations = np.sqrt(np.clip(np.diag(covariance), 0, None))
    divisor = np.where(deviations > 0, deviations, 1.0) if scale else np.ones_like(deviations)
    values, vectors = np.linalg.eigh(covariance / np.outer(divisor, divisor))
    values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
    total = values.sum()
    scree = values / total if total > 0 else values
    most = min(moments.n - 1, len(values))
    wanted = (
        most if variance is None else int(np.searchsorted(scree.cumsum(), variance - 1e-12)) + 1
    )
    k = min(most, components or wanted)
    return Pca(moments.mean, divisor, _with_fixed_signs(vectors[:, :k]), scree)


def _with_fixed_signs(basis: Matrix) -> Matrix:
    """Of each component's two signs, the one in which its largest entry is positive."""
    largest = np.abs(basis).argmax(axis=0)
    signs = np.sign(basis[largest, np.arange(basis.shape[1])])
    return np.ascontiguousarray(basis * np.where(signs == 0, 1.0, signs))
