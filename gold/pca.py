"""Principal component analysis from moments.

It is exact and centred, and the order and the signs of its components are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gold.moments import DIFFER, Matrix, Moments


@dataclass(frozen=True)
class Pca:
    """A fitted PCA: `project` turns embeddings float[n, d] into features float32[n, k].

    `mean` and `scale` are float64[d]. `basis` is float64[d, k], with one component in each column.
    `variance` is the sum of the scaled columns' variances, and `scree`, float64[d], is the share of each
    component in it, in descending order.
    """

    mean: Matrix
    scale: Matrix
    basis: Matrix
    scree: Matrix
    variance: float

    @property
    def components(self) -> int:
        """The number k of components."""
        return self.basis.shape[1]

    @property
    def explained_variance(self) -> float:
        """The share of the variance that the k components explain, in [0, 1]."""
        return float(self.scree[: self.components].sum())

    @property
    def variances(self) -> Matrix:
        """The variance of each component over the embeddings that the PCA was fitted on, float64[k]."""
        return self.variance * self.scree[: self.components]

    def project(self, embeddings: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the features float32[n, k] of embeddings float[n, d]. Raises ValueError for another d."""
        return self.project_with_residuals(embeddings)[0]

    def project_with_residuals(
        self, embeddings: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float32], Matrix]:
        """Return the features float32[n, k] of embeddings float[n, d], and their reconstruction errors.

        A reconstruction error, float64[n], is the squared distance between a scaled embedding and its
        projection. Raises ValueError for another d.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.mean):
            raise ValueError(f"{DIFFER}: this PCA takes embeddings of {len(self.mean)} values")
        centred = (embeddings.astype(np.float64) - self.mean) / self.scale
        features = centred @ self.basis
        lost = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", features, features)
        return features.astype(np.float32), np.clip(lost, 0, None)

    def explains(self, moments: Moments) -> float:
        """Return the share, in [0, 1], of the variance of other embeddings that this PCA keeps.

        `moments` are those of the embeddings. Their variance is taken about this PCA's mean. For the
        embeddings that the PCA was fitted on, the share is `explained_variance`.
        """
        off = moments.mean - self.mean
        covariance = moments.covariance() * (moments.n - 1) / moments.n + np.outer(off, off)
        scaled = covariance / np.outer(self.scale, self.scale)
        total = np.trace(scaled)
        return float(np.trace(self.basis.T @ scaled @ self.basis) / total) if total > 0 else 0.0


def fit(
    moments: Moments,
    *,
    components: int | None = None,
    variance: float | None = None,
    scale: bool = False,
) -> Pca:
    """Return the PCA of the embeddings whose moments are given.

    It has `components` components, or as many as explain the share `variance` of the variance, or all. It
    never has more than the bound on the embeddings' rank, min(n − 1, d). With `scale`, every column is
    scaled to unit variance first, except constant ones. Raises ValueError for fewer than two embeddings, and
    where a moment is not finite.
    """
    covariance = moments.covariance()
    if not np.isfinite(covariance).all():
        raise ValueError("no PCA can be fitted: the moments of the embeddings are not finite")
    divisor = _deviations(moments, covariance) if scale else np.ones(len(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(divisor, divisor))
    values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
    total = values.sum()
    scree = values / total if total > 0 else values
    most = min(moments.n - 1, len(values))
    enough = (
        most if variance is None else int(np.searchsorted(scree.cumsum(), variance - 1e-12)) + 1
    )
    k = min(most, components or enough)
    return Pca(moments.mean, divisor, _with_fixed_signs(vectors[:, :k]), scree, float(total))


def _deviations(moments: Moments, covariance: Matrix) -> Matrix:
    """Return the standard deviation of each column, float64[d], and 1 for a constant column.

    A column counts as constant where its variance is no larger than the error of rounding (the bound of
    Chan, Golub & LeVeque 1983, for a sum in two passes).
    """
    variances = np.clip(np.diag(covariance), 0, None)
    epsilon = np.finfo(np.float64).eps
    rounding = moments.n * epsilon * variances + (moments.n * epsilon * moments.mean) ** 2
    return np.where(variances > rounding, np.sqrt(variances), 1.0)


def _with_fixed_signs(basis: Matrix) -> Matrix:
    """Return the basis with each component's sign chosen so that its largest entry is positive.

    The largest entry is the one with the largest absolute value.
    """
    largest = np.abs(basis).argmax(axis=0)
    signs = np.sign(basis[largest, np.arange(basis.shape[1])])
    return np.ascontiguousarray(basis * np.where(signs == 0, 1.0, signs))
