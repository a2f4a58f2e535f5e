"""Moments and PCA against scikit-learn and NumPy, without Spark."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from gold.moments import Moments
from gold.pca import fit


def correlated(n=300, d=40, seed=1, mean=3.0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + mean).astype(np.float32)


def moments(x, shift=None):
    return Moments.of(x, x[:50].mean(axis=0).astype(np.float64) if shift is None else shift)


def nearly_constant():
    """A column of mean 1000 and deviation 1e-4, beside others: about zero it would have no digits."""
    x = correlated().astype(np.float64)
    x[:, 0] = 1000 + 1e-4 * np.random.default_rng(2).normal(size=len(x))
    return x


@pytest.mark.parametrize(
    "x",
    [correlated(), correlated(n=20), correlated(mean=1e4), nearly_constant()],
    ids=["plain", "fewer rows than columns", "far from zero", "nearly constant"],
)
def test_pca_equals_scikit_learns(x):
    k = min(10, len(x) - 1)
    ours = fit(moments(x), components=k)
    theirs = PCA(k, svd_solver="full").fit(x.astype(np.float64))
    np.testing.assert_allclose(ours.scree[:k], theirs.explained_variance_ratio_, atol=1e-8)
    np.testing.assert_allclose(
        np.abs(np.sum(ours.basis * theirs.components_.T, axis=0)), 1, atol=1e-6
    )
    projected = theirs.transform(x.astype(np.float64))
    np.testing.assert_allclose(np.abs(ours.project(x)), np.abs(projected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("x", [correlated(), correlated(mean=1e4), nearly_constant()])
def test_eigenvalues_and_subspaces_are_scikit_learns(x):
    ours = fit(moments(x), components=20)
    theirs = PCA(svd_solver="full").fit(x.astype(np.float64))
    values = theirs.explained_variance_
    np.testing.assert_allclose(ours.variances, values[:20], atol=1e-8 * values.sum())
    np.testing.assert_allclose(ours.variance, values.sum(), rtol=1e-8)
    for k in range(1, 20):
        if (values[k - 1] - values[k]) / values[k - 1] > 1e-4:
            angles = subspace_angles(ours.basis[:, :k], theirs.components_[:k].T)
            assert angles.max() < 1e-6, k


def test_residuals_are_what_the_components_leave():
    x = correlated()
    pca = fit(moments(x), components=7, scale=True)
    features, residuals = pca.project_with_residuals(x)
    centred = (x - pca.mean) / pca.scale
    back = features.astype(np.float64) @ pca.basis.T
    np.testing.assert_allclose(residuals, ((centred - back) ** 2).sum(axis=1), rtol=1e-3)
    lost = pca.variance * (1 - pca.explained_variance)
    assert residuals.mean() == pytest.approx(lost * (len(x) - 1) / len(x), rel=1e-6)


@pytest.mark.parametrize("scale", [False, True])
def test_what_a_pca_explains_of_its_own_embeddings_and_of_others(scale):
    x, y = correlated(), correlated(seed=9, mean=5.0)
    pca = fit(moments(x), components=6, scale=scale)
    assert pca.explains(moments(x)) == pytest.approx(pca.explained_variance, abs=1e-9)
    moved = (y - pca.mean) / pca.scale
    kept = ((moved @ pca.basis) ** 2).sum() / (moved**2).sum()
    assert pca.explains(moments(y)) == pytest.approx(kept, abs=1e-9)


def test_embeddings_of_another_length_are_refused():
    pca = fit(moments(correlated()), components=2)
    with pytest.raises(ValueError, match="takes embeddings of 40 values"):
        pca.project(np.ones((3, 39), np.float32))


def test_moments_that_are_not_finite_are_refused():
    x = correlated()
    x[7, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        fit(moments(x, shift=np.zeros(40)), components=2)


def test_a_constant_column_is_not_scaled_by_what_rounding_leaves_of_it():
    x = correlated()
    x[:, 3] = 0.1
    shift = x[:50].mean(axis=0).astype(np.float64) * (1 + 1e-13)
    pca = fit(moments(x, shift=shift), components=5, scale=True)
    assert pca.scale[3] == 1


def test_a_nearly_constant_column_keeps_its_variance():
    x = nearly_constant()
    variance = moments(x).covariance()[0, 0]
    np.testing.assert_allclose(variance, x[:, 0].var(ddof=1), rtol=1e-6)


@given(st.integers(1, 299), st.integers(0, 5))
def test_moments_add_and_subtract(cut, seed):
    x = correlated(seed=seed)
    shift = x[:50].mean(axis=0).astype(np.float64)
    whole = Moments.of(x, shift)
    first, rest = Moments.of(x[:cut], shift), Moments.of(x[cut:], shift)
    both, left = first + rest, whole - rest
    total = np.trace(whole.gram)
    np.testing.assert_allclose(both.gram, whole.gram, atol=1e-9 * total)
    np.testing.assert_allclose(left.gram, first.gram, atol=1e-9 * total)
    assert (both.n, left.n) == (300, cut)


def test_moments_about_two_shifts_are_not_combined():
    x = correlated()
    with pytest.raises(ValueError, match="two shifts"):
        moments(x) + moments(x, shift=np.zeros(40))


def test_moments_survive_their_row():
    held = moments(correlated())
    back = Moments.read(held.row(weights_id="w", through_chunk=3))
    np.testing.assert_array_equal(back.gram, held.gram)
    assert back.n == held.n


def test_a_share_of_the_variance_takes_as_many_components_as_it_needs():
    x = correlated()
    pca = fit(moments(x), variance=0.9)
    assert pca.explained_variance >= 0.9
    assert pca.scree[: pca.components - 1].sum() < 0.9


def test_scaling_gives_every_column_unit_variance_and_leaves_constants():
    x = correlated() * np.linspace(1, 100, 40, dtype=np.float32)
    x[:, 3] = 7
    pca = fit(moments(x), components=5, scale=True)
    np.testing.assert_allclose(
        pca.scale,
        np.where(np.arange(40) == 3, 1, x.astype(np.float64).std(axis=0, ddof=1)),
        rtol=1e-4,
    )
    assert pca.scree.sum() == pytest.approx(1)


def test_signs_and_order_are_fixed():
    pca = fit(moments(correlated()), components=8)
    largest = pca.basis[np.abs(pca.basis).argmax(axis=0), np.arange(8)]
    assert (largest > 0).all()
    assert (np.diff(pca.scree) <= 0).all()


@pytest.mark.parametrize(("rows", "components", "expected"), [(2, 20, 1), (5, 20, 4), (60, 50, 40)])
def test_there_are_never_more_components_than_the_rows_span(rows, components, expected):
    assert fit(moments(correlated(n=rows)), components=components).components == expected


def test_one_embedding_has_no_covariance():
    with pytest.raises(ValueError, match="takes two embeddings"):
        fit(moments(correlated(n=1)), components=2)


def test_equal_embeddings_have_no_variance_to_explain():
    pca = fit(moments(np.ones((5, 4), np.float32)), components=2)
    assert pca.explained_variance == 0
    assert np.isfinite(pca.project(np.ones((1, 4)))).all()
