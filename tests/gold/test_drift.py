"""Drift on generated scores: what is drawn as before is none, what is not is."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest

from gold.drift import COMPONENTS, Reference, Sample, drift, stability_index
from gold.moments import Moments
from gold.pca import fit
from lake import finite_numbers
from lake.arrow_scan import Scan
from lake.row_source import RowSource

RNG = np.random.default_rng(3)
DEVIATIONS = np.array([4.0, 2.0, 1.0, 0.5])
KINDS = ("apple", "kiwi", "pear", None)


def sample(n, *, rng=RNG, mean=0.0, stretch=1.0, residual=1.0, light=0.5, kinds=KINDS):
    return Sample(
        components=4,
        scores=rng.normal(size=(n, 4)) * DEVIATIONS * stretch + mean * DEVIATIONS,
        residuals=residual * rng.chisquare(20, n) / 20,
        labels=[kinds[place] for place in rng.integers(0, len(kinds), n)],
        brightness=rng.normal(light, 0.1, n),
    )


@pytest.fixture(scope="module")
def reference():
    """Of 2,000 photos whose residual is a part in 22.25 of the variance."""
    return Reference.of(sample(2000), photos=2000, variance=float((DEVIATIONS**2).sum() + 1))


def measures(found):
    return {
        "mean_shift": found.mean_shift,
        "reconstruction": found.reconstruction,
        "label_mix": found.label_mix,
        "brightness": found.brightness,
        "components": max(found.components),
    }


@pytest.mark.parametrize("n", [1, 3, 30, 300, 3000])
def test_more_of_the_same_is_no_drift(reference, n):
    rng = np.random.default_rng(n)
    found = [measures(drift(sample(n, rng=rng), reference)) for _ in range(40)]
    above = [name for each in found for name, value in each.items() if value > 0.02]
    assert len(above) <= 1, above


@pytest.mark.parametrize(
    ("changed", "measure", "bound"),
    [
        ({"mean": 1.0}, "mean_shift", 0.5),
        ({"residual": 4.0}, "reconstruction", 0.1),
        ({"kinds": ("mango",)}, "label_mix", 0.25),
        ({"kinds": ("apple",)}, "label_mix", 0.25),
        ({"light": 0.7}, "brightness", 0.25),
        ({"stretch": 0.3}, "components", 0.25),
    ],
)
def test_what_changes_shows_where_it_changed(reference, changed, measure, bound):
    found = measures(drift(sample(200, **changed), reference))
    assert found[measure] > bound
    assert found["mean_shift"] == 0 or "mean" in changed


def test_components_of_few_photos_each_tell_nothing_of_reconstruction():
    few = Reference.of(sample(39), photos=39, variance=float((DEVIATIONS**2).sum() + 1))
    assert drift(sample(200, residual=9.0), few).reconstruction == 0


def test_the_stability_index_is_the_textbooks_less_chance():
    here, before = [3000, 7000], [5000, 5000]
    textbook = (0.3 - 0.5) * np.log(0.3 / 0.5) + (0.7 - 0.5) * np.log(0.7 / 0.5)
    # 10.83: the value that χ² of one degree of freedom exceeds once in a thousand times
    assert stability_index(here, before) == pytest.approx(textbook - 10.83 * 2e-4, abs=1e-4)
    assert stability_index([1, 0], [5000, 5000]) == 0
    assert stability_index([7], [9]) == 0


BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    ("where", "changed"),
    [
        ("scores", {"mean_shift", "components"}),
        ("residuals", {"reconstruction"}),
        ("brightness", {"brightness"}),
    ],
)
def test_one_value_that_is_not_finite_is_never_no_drift(reference, where, changed, value):
    spoiled = sample(50)
    getattr(spoiled, where)[7 if where != "scores" else (7, 2)] = value
    found = drift(spoiled, reference)
    names = {
        name for name, measure in measures(found).items() if name in changed and measure != measure
    }
    assert "component" in found.largest
    assert names | ({"components"} & changed) == changed
    largest = {n if n != "component" else "components" for n, v in found.largest.items() if v != v}
    assert largest == changed


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("where", ["scores", "residuals", "brightness"])
def test_a_reference_that_is_not_finite_compares_with_nothing(where, value):
    """Every chunk after it would have no drift."""
    fitted = sample(200)
    getattr(fitted, where)[7 if where != "scores" else (7, 0)] = value
    with np.errstate(invalid="ignore"):
        poor = Reference.of(fitted, photos=200, variance=float((DEVIATIONS**2).sum() + 1))
    assert finite_numbers.of_text(poor.to_json()) > 0 or where == "brightness"
    found = drift(sample(200, mean=1.0, residual=4.0, light=0.9), poor)
    shown = {"scores": found.mean_shift, "residuals": found.reconstruction}
    shown["brightness"] = found.brightness
    assert not shown[where] <= 0.01


def test_a_variance_that_is_not_finite_compares_with_nothing():
    poor = Reference.of(sample(200), photos=200, variance=np.nan)
    found = drift(sample(200), poor)
    assert np.isnan([found.mean_shift, found.reconstruction]).all()


def test_a_reference_survives_as_text(reference):
    assert Reference.from_json(reference.to_json()) == reference


def test_equal_photos_have_no_spread_to_compare_with():
    equal = Sample(2, np.zeros((5, 2)), np.zeros(5), ["kiwi"] * 5, np.full(5, 0.5))
    found = drift(equal, Reference.of(equal, photos=5, variance=0.0))
    assert measures(found) == dict.fromkeys(measures(found), 0.0)


def test_a_pca_of_few_photos_is_not_held_against_the_next():
    """What it was fitted to it keeps better than any others: 160 photos of 200 values on 15 components."""
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(200, 200)) * np.linspace(2, 0.1, 200)

    def seen(pca, x):
        scores, residuals = pca.project_with_residuals(x)
        return Sample(15, scores.astype(float), residuals, ["kiwi"] * len(x), np.full(len(x), 0.5))

    found = []
    for _ in range(20):
        x, y = (rng.normal(size=(n, 200)) @ mix for n in (160, 30))
        pca = fit(Moments.of(x, x.mean(axis=0)), components=15)
        before = Reference.of(seen(pca, x), photos=160, variance=pca.variance)
        found.append(drift(seen(pca, y), before).reconstruction)
    assert np.mean(found) < 0.05  # 0.14 without the correction


def test_a_sample_is_the_same_whichever_way_it_is_read(spark):
    n, k = 30, COMPONENTS + 5
    table = pa.table(
        {
            "photo_id": [f"{place:03}" for place in range(n)],
            "features": pa.array(list(RNG.normal(size=(n, k))), pa.list_(pa.float32())),
            "residual": np.arange(n, dtype=np.float64),
            "label": [None, "kiwi", "pear"] * (n // 3),
            "brightness": RNG.normal(size=n),
        }
    )
    here = RowSource(None, Scan(lambda: pyarrow.dataset.dataset(table), most=lambda: n))
    there = RowSource(lambda: spark.createDataFrame(table))
    one, other = (Sample.of(rows, components=k) for rows in (here, there))
    order = np.argsort(other.residuals)  # Spark sorts by a hash
    assert one.scores.shape == (n, COMPONENTS)
    np.testing.assert_array_equal(one.scores, other.scores[order])
    np.testing.assert_array_equal(one.residuals, other.residuals[order])
    np.testing.assert_array_equal(one.brightness, other.brightness[order])
    assert one.labels == [other.labels[place] for place in order]
    assert one.components == other.components == k
