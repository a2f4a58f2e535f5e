"""What views add: measures of vectors against NumPy, and the label mix against its formula."""

from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from expectations import suite_views, suites, view_columns
from expectations.pandas_engine import ArrowRows
from expectations.spark_engine import SparkRows
from expectations.suite_views import Views
from expectations.validation import judged_rows
from expectations.vector_measures import Centre, VectorMeasures
from lake import catalog
from lake.row_source import RowSource
from lake.subject_names import NameRule, NameRuleVersion
from lake.subject_paths import IN_CLEAR
from tests.support.suite_cases import Elsewhere, read_by_spark

ROWS = pa.schema(
    {"photo_id": pa.string(), "weights_id": pa.string(), "embedding": pa.list_(pa.float32())}
)
D = 8


def measures(rows, centres):
    names = ROWS.names
    batch = pa.RecordBatch.from_pylist([dict(zip(names, r, strict=True)) for r in rows], ROWS)
    found = VectorMeasures("embedding", centres)(batch).to_pylist()
    return {row["photo_id"]: tuple(row.values())[2:] for row in found}


def test_measures_are_numpys():
    rng = np.random.default_rng(1)
    held = {m: rng.normal(3, 2, (50, D)).astype(np.float32) for m in ("one", "other")}
    centres = {
        m: Centre(x.mean(axis=0, dtype=np.float64), float(x.astype(np.float64).var(axis=0).sum()))
        for m, x in held.items()
    }
    rows = [(f"{m}-{n}", m, x[n].tolist()) for m, x in held.items() for n in range(50)]
    found = measures(rows, centres)
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


def test_measures_of_odd_vectors():
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
    found = measures(rows, {"m": Centre(np.zeros(D), spread=4.0)})
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
def test_the_excess_of_labels_is_as_its_formula_says(here, before):
    found = view_columns.label_excess(Counter(here), Counter(before), rows=len(here))
    assert found == pytest.approx(expected_excess(here, before), abs=1e-12)


def test_few_rows_differ_by_chance():
    """Ten of 28 labels that are as frequent: no excess, though most labels are missing."""
    labels = [f"kind-{n}" for n in range(28)]
    found = view_columns.label_excess(Counter(labels[:10]), Counter(labels * 40), rows=10)
    assert max(found.values()) == 0


def test_without_a_history_nothing_is_in_excess():
    assert view_columns.label_excess({"kiwi": 1}, {}, rows=1) == {"kiwi": 0}


def test_the_pseudonym_of_a_path_is_told_from_a_subject_in_clear():
    pseudonym, key = "0123456789abcdef" * 4, "f" * 64
    paths = {
        f"subject={pseudonym}/{key}": pseudonym,
        f"x/subject={pseudonym}/{key}": IN_CLEAR,
        f"subject={pseudonym}/a": IN_CLEAR,
        "Subject=anna/a": IN_CLEAR,
        "user=anna/a": IN_CLEAR,
        "client=web/a": None,
        "kiwi/a": None,
        "": None,
        None: None,
    }
    evening = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
    rows = [{"path": path, "uploaded_at": evening, "label": None} for path in paths]
    schema = pa.schema(
        {"path": pa.string(), "uploaded_at": pa.timestamp("us", "UTC"), "label": pa.string()}
    )
    batch = pa.RecordBatch.from_pylist(rows, schema)
    names = NameRule.of_settings(case="kept", plain_keys=["client"])
    found = view_columns.PhotoColumns({}, names)(batch, {(None,): len(rows)}).to_pylist()
    assert [row["path_subject"] for row in found] == list(paths.values())
    before = NameRule(NameRuleVersion.AS_WRITTEN)
    found = view_columns.PhotoColumns({}, before)(batch, {(None,): len(rows)}).to_pylist()
    assert {row["path"] for row in found if row["path_subject"]} == {
        path for path in paths if path and "subject=" in path
    }
    assert {row["day_after_upload"] for row in found} == {date(1970, 1, 1)}


def test_more_rows_than_the_bound_stay_in_spark(samples_lake):
    lake = samples_lake.lake
    view = Views(lake, history_chunks=30).of(catalog.PHOTOS, lake.source(catalog.PHOTOS))
    held = lake.source(catalog.PHOTOS).count()
    assert view.on_driver(most=held).num_rows == held
    by_spark = read_by_spark(view)
    assert by_spark.on_driver(most=held).num_rows == held
    for each in (view, by_spark):
        assert each.on_driver(most=held - 1) is None
    suite = suites.load(suites.name_of(catalog.PHOTOS))
    assert isinstance(judged_rows(view, suite, expected=None, most=held), ArrowRows)
    for expected in (None, held):
        assert isinstance(judged_rows(view, suite, expected=expected, most=held - 1), SparkRows)


def test_a_view_on_the_driver_is_one_spark_job(spark):
    """Of rows in one part; else Spark counts the limit as a job of its own."""
    columns = ("string(id) photo_id", "'m' weights_id", "array(1f) embedding", "1L dhash")
    rows = spark.range(1).selectExpr(*columns)
    view = suite_views.embeddings(RowSource(lambda: rows.coalesce(1)), [], {}, others=Elsewhere())
    spark.sparkContext.setJobGroup("view", "a view on the driver")
    try:
        assert view.on_driver(most=1000).num_rows == 1
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup("view")) == 1


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_both_forms_of_a_view_are_the_same(samples_lake, table):
    lake = samples_lake.lake
    seen = Views(lake, history_chunks=30)
    view = seen.of(table, lake.source(table))
    here, there = view.on_driver(most=1000), view.in_spark().toArrow()
    by_spark = seen.of(table, RowSource(lambda: lake.read(table))).on_driver(most=1000)
    key = "version" if table is catalog.MODELS else "photo_id"
    assert here.num_rows
    for other in (there, by_spark):
        assert here.schema.names == other.schema.names
        assert here.sort_by(key).to_pylist() == other.sort_by(key).to_pylist()


def test_the_centre_is_that_of_the_lakes_embeddings(samples_lake):
    lake = samples_lake.lake
    view = Views(lake, history_chunks=30).of(catalog.EMBEDDINGS, lake.source(catalog.EMBEDDINGS))
    distances = view.on_driver(most=1000).column("embedding_distance")
    assert pc.mean(distances).as_py() == pytest.approx(1, rel=1e-6)


def test_the_history_of_labels_is_the_chunks_before(samples_lake):
    lake = samples_lake.lake
    [bronze] = [c for c in lake.ledger.chunks().values() if c.layer == "bronze"]
    seen = Views(lake, history_chunks=30)
    assert seen._labels_before(bronze) == {}
    later = bronze.reached(bronze.state, number=bronze.number + 100)
    held = seen._labels_before(later)
    assert sum(held.values()) == lake.source(catalog.PHOTOS).count()
