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

    `mean` and `scale` are float64[d], `basis` float64[d, k] with a component a column; `variance` is the
    sum of the scaled columns' variances, `scree` float64[d] every component's share of it, in falling order.
    """

    mean: Matrix
    scale: Matrix
    basis: Matrix
    scree: Matrix
    variance: float

    @property
    def components(self) -> int:
        """k."""
        return self.basis.shape[1]

    @property
    def explained_variance(self) -> float:
        """The share of the variance that the k components hold, in [0, 1]."""
        return float(self.scree[: self.components].sum())

    @property
    def variances(self) -> Matrix:
        """float64[k]: the variance of each component over what the PCA was fitted on."""
        return self.variance * self.scree[: self.components]

    def project(self, embeddings: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """float[n, d] to float32[n, k]. Raises ValueError where d is another."""
        return self.project_with_residuals(embeddings)[0]

    def project_with_residuals(
        self, embeddings: NDArray[np.floating[Any]]
    ) -> tuple[NDArray[np.float32], Matrix]:
        """As `project`, with the reconstruction error of each: the squared distance float64[n] between a
        scaled embedding and its projection."""
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.mean):
            raise ValueError(f"this PCA takes embeddings of {len(self.mean)} values")
        centred = (embeddings.astype(np.float64) - self.mean) / self.scale
        features = centred @ self.basis
        lost = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", features, features)
        return features.astype(np.float32), np.clip(lost, 0, None)

    def explains(self, moments: Moments) -> float:
        """The share of the variance about this PCA's mean that it keeps of the embeddings behind `moments`.

        Of those that it was fitted on it is `explained_variance`.
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
    """The PCA of the embeddings behind `moments`, with so many components or so much of the variance.

    `scale` brings every column to unit variance first (a constant one stays). Never more components than
    the embeddings' own rank bound, min(n − 1, d). Raises ValueError below two embeddings, and where a
    moment is not finite.
    """
    covariance = moments.covariance()
    if not np.isfinite(covariance).all():
        raise ValueError("moments of embeddings that are not finite have no PCA")
    divisor = _deviations(moments, covariance) if scale else np.ones(len(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(divisor, divisor))
    values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
    total = values.sum()
    scree = values / total if total > 0 else values
    most = min(moments.n - 1, len(values))
    wanted = (
        most if variance is None else int(np.searchsorted(scree.cumsum(), variance - 1e-12)) + 1
    )
    k = min(most, components or wanted)
    return Pca(moments.mean, divisor, _with_fixed_signs(vectors[:, :k]), scree, float(total))


def _deviations(moments: Moments, covariance: Matrix) -> Matrix:
    """The columns' standard deviations; 1 for a column whose variance is what rounding leaves of a constant
    (the bound of Chan, Golub & LeVeque 1983, for a sum in two passes)."""
    variances = np.clip(np.diag(covariance), 0, None)
    epsilon = np.finfo(np.float64).eps
    rounding = moments.n * epsilon * variances + (moments.n * epsilon * moments.mean) ** 2
    return np.where(variances > rounding, np.sqrt(variances), 1.0)


def _with_fixed_signs(basis: Matrix) -> Matrix:
    """Of each component's two signs, the one in which its largest entry is positive."""
    largest = np.abs(basis).argmax(axis=0)
    signs = np.sign(basis[largest, np.arange(basis.shape[1])])
    return np.ascontiguousarray(basis * np.where(signs == 0, 1.0, signs))
