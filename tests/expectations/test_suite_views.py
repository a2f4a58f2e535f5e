"""What views add: measures of vectors against NumPy, and the label mix against its formula."""

from collections import Counter

import numpy as np
import pytest
from pyspark.sql import functions as F

from expectations import suite_views
from expectations.suite_views import Views
from expectations.vector_measures import Centre, measured
from lake import catalog

ROWS = "photo_id string, weights_id string, embedding array<float>"
D = 8


def measures(spark, rows, centres):
    frame = spark.createDataFrame(rows, ROWS)
    found = measured(frame, "embedding", centres=centres).collect()
    return {row["photo_id"]: tuple(row)[2:] for row in found}


def test_measures_are_numpys(spark):
    rng = np.random.default_rng(1)
    held = {m: rng.normal(3, 2, (50, D)).astype(np.float32) for m in ("one", "other")}
    centres = {
        m: Centre(x.mean(axis=0, dtype=np.float64), float(x.astype(np.float64).var(axis=0).sum()))
        for m, x in held.items()
    }
    rows = [(f"{m}-{n}", m, x[n].tolist()) for m, x in held.items() for n in range(50)]
    found = measures(spark, rows, centres)
    for m, x in held.items():
        for n in range(50):
            length, norm, distance = found[f"{m}-{n}"]
            exact = x[n].astype(np.float64)
            moved = exact - centres[m].mean
            assert length == D
            assert norm == pytest.approx(np.linalg.norm(exact), rel=1e-12)
            assert distance == pytest.approx(moved @ moved / centres[m].spread, rel=1e-9)
    own = [found[f"one-{n}"][2] for n in range(50)]
    assert np.mean(own) == pytest.approx(1)  # the history's own mean is 1


def test_measures_of_odd_vectors(spark):
    nan = float("nan")
    rows = [
        ("null", "m", None),
        ("empty", "m", []),
        ("short", "m", [3.0, 4.0]),
        ("nan", "m", [nan] + [0.0] * (D - 1)),
        ("gap", "m", [None] + [1.0] * (D - 1)),
        ("whole", "m", [2.0] * D),
        ("unknown", None, [2.0] * D),
    ]
    found = measures(spark, rows, {"m": Centre(np.zeros(D), spread=4.0)})
    assert found["null"] == (None, None, 1.0)
    assert found["empty"] == (0, 0.0, 1.0)
    assert found["short"] == (2, 5.0, 1.0)
    assert found["whole"] == (D, pytest.approx(np.sqrt(4 * D)), D)
    assert found["unknown"][2] == 1.0
    for name in ("nan", "gap"):
        assert found[name][0] == D
        assert all(map(np.isnan, found[name][1:])), name


def expected_excess(here, before):
    """The formula of `label_excess`, in plain Python."""
    counts, held = Counter(here), Counter(before)
    n, m = len(here), len(before)
    found = {}
    for label, count in counts.items():
        p, q = count / n, held[label] / m
        pooled = (count + held[label]) / (n + m)
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        found[label] = max(0.0, (p - q - 2 * error) / p)
    return found


@pytest.mark.parametrize(
    ("here", "before"),
    [
        (["kiwi"] * 5 + ["pear"] * 5, ["kiwi"] * 500 + ["pear"] * 500),
        (["kiwi"] * 30 + [None] * 70, ["kiwi"] * 500 + ["pear"] * 500),
        ([None] * 40, [None] * 90),
        (["new"] * 40 + ["kiwi"] * 60, ["kiwi"] * 1000),
    ],
)
def test_the_excess_of_labels_is_as_its_formula_says(spark, here, before):
    rows = spark.createDataFrame([(label,) for label in here], "label string")
    history = spark.createDataFrame([(label,) for label in before], "label string")
    found = suite_views.label_excess(rows, history).collect()
    assert len(found) == len(here)
    expected = expected_excess(here, before)
    for row in found:
        assert row["label_excess"] == pytest.approx(expected[row["label"]], abs=1e-12)


def test_few_rows_differ_by_chance(spark):
    """Ten of 28 labels that are as frequent: no excess, though most labels are missing."""
    labels = [f"kind-{n}" for n in range(28)]
    rows = spark.createDataFrame([(label,) for label in labels[:10]], "label string")
    history = spark.createDataFrame([(label,) for label in labels * 40], "label string")
    assert suite_views.label_excess(rows, history).agg(F.max("label_excess")).first()[0] == 0


def test_without_a_history_nothing_is_in_excess(spark):
    rows = spark.createDataFrame([("kiwi",)], "label string")
    assert suite_views.label_excess(rows, None).first()["label_excess"] == 0


def test_the_centre_is_that_of_the_lakes_embeddings(samples_lake):
    lake = samples_lake.lake
    whole = Views(lake, history_chunks=30).of(catalog.EMBEDDINGS, lake.read(catalog.EMBEDDINGS))
    assert whole.agg(F.mean("embedding_distance")).first()[0] == pytest.approx(1, rel=1e-6)


def test_the_history_of_labels_is_the_chunks_before(samples_lake):
    lake = samples_lake.lake
    [bronze] = [c for c in lake.ledger.chunks().values() if c.layer == "bronze"]
    seen = Views(lake, history_chunks=30)
    assert seen._labels_before(bronze) is None
    later = bronze.reached(bronze.state, number=bronze.number + 100)
    held = seen._labels_before(later)
    assert held.count() == lake.read(catalog.PHOTOS).count()
