"""Both engines of Great Expectations say the same of the same rows, by every expectation of every suite."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from pyspark.sql import types

from expectations import checked_views, suite_views, suites
from expectations.pandas_engine import ArrowRows
from expectations.spark_engine import SparkRows
from expectations.validation import ROWS_ON_DRIVER, judge, judged_rows
from lake import catalog
from tests.support.suite_cases import (
    BLOCKS_WHOLE,
    CAUGHT,
    CLASSIFIER,
    DRIFT_RULES,
    GOOD,
    KEYS,
    MEASURED,
    PCA,
    SHA,
    WHOLE,
    in_spark,
    on_driver,
    read_by_spark,
    refused,
    seen,
)

NAN, INFINITE = float("nan"), float("inf")

ODD = {
    types.StringType(): [
        None,
        "",
        " ",
        "\n",
        SHA,
        SHA + "\n",
        SHA + "\r\n",
        "\n" + SHA,
        SHA.upper(),
        "kiwi\x00",
        "kiwi\x1f",
        "kiwi\x7f",
        "kiwi\x85",
        "\u0085",
        "\u00a0",
        "\u2003\u2003",
        "\u2028",
        "\u2028kiwi",
        "   kiwi   ",
        "\U0001f34f" * 255,
        "\U0001f34f" * 256,
        "JPEG\n",
        "WEBP",
        "pca",
        "classifier",
        "champion",
        "retired",
        "٣" * 64,
    ],
    types.IntegerType(): [None, 0, -1, 1, 65_535, 65_536, 16_384, 2**31 - 1, -(2**31)],
    types.LongType(): [None, 0, -1, 1, 10**9, 10**9 + 1, 2**53 + 1, 2**63 - 1, -(2**63)],
    types.DoubleType(): [None, NAN, INFINITE, -INFINITE, 0.0, -0.0, 1.0, 1.0000001, 5e-324],
    types.DateType(): [None, date(1, 1, 1), date(1677, 1, 1), date(9999, 12, 31)],
    types.TimestampType(): [
        None,
        datetime(1600, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9998, 12, 31, tzinfo=UTC),
    ],
    types.ArrayType(types.FloatType()): [
        None,
        [],
        [NAN],
        [NAN] * 4,
        [None] * 4,
        [INFINITE] * 4,
        [1.0, None, 1.0, NAN],
    ],
}
"""Values of each type on which engines could differ: nothing, no number, bounds, odd spaces and signs."""


NOTHING = [
    (table, value)
    for table in suites.GATED
    for value in (None, NAN)
    if value is None or types.DoubleType() in (field.dataType for field in table.schema)
]
"""Each gated table with what its columns of numbers hold, NaN only where a column can hold it."""


def told(verdict):
    """What a verdict says, but for the last digits of a mean."""
    findings = []
    for finding in verdict.findings:
        observed = finding.observed and float(f"{float(finding.observed):.12g}")
        findings.append(replace(finding, observed=observed and repr(observed)))
    return findings, verdict.blocked, verdict.refused


def told_rows(view):
    """The rows of a view on the driver, in any order, as text: NaN differs from itself."""
    return sorted(map(repr, view.on_driver(most=ROWS_ON_DRIVER).to_pylist()))


def assert_same(view, table, only=None, *, expected, may_refuse_rows=True):
    """Check that both engines give the same verdict on a view, and return pandas' and Spark's. `only` names
    expectations. Without `may_refuse_rows`, as in `check`, no row is refused, so that none is compared."""
    suite = suites.load(suites.name_of(table))
    if only:
        suite.expectations = [e for e in suite.expectations if suites.identity(e) in only]
    assert told_rows(view) == told_rows(read_by_spark(view))
    verdicts = [
        judge(rows, suite, expected=expected, may_refuse_rows=may_refuse_rows)
        for rows in (on_driver(view), in_spark(view))
    ]
    here, there = verdicts
    for one, other in zip(told(here)[0], told(there)[0], strict=True):
        assert one == other
    assert told(here) == told(there)
    if not may_refuse_rows:
        return verdicts
    key = KEYS[table]
    everything = [sorted(refused(v, key, otherwise="released"), key=repr) for v in verdicts]
    assert everything[0] == everything[1]
    return verdicts


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_rows_that_pass(spark, table):
    view = seen(table, GOOD[table], spark=spark)
    verdict, _ = assert_same(view, table, expected=len(GOOD[table]))
    assert verdict.refused == 0


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_rows_that_each_expectation_catches(spark, table):
    given = [d if isinstance(d, list) else [d] for d in CAUGHT[table].values()]
    rows = [{k: v for k, v in d.items() if k != "path_differs"} for each in given for d in each]
    verdict, _ = assert_same(seen(table, rows, spark=spark), table, expected=len(rows) + 1)
    caught = {f.expectation for f in verdict.findings if not f.success}
    assert CAUGHT[table].keys() <= caught


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_rows_with_an_odd_value_in_each_column(spark, table):
    plain = [{}, PCA, CLASSIFIER] if table is catalog.MODELS else [{}]
    rows = [
        base | {field.name: value}
        for base in plain
        for field in table.schema
        for value in ODD.get(field.dataType, [])
    ]
    if table is catalog.MODELS:
        odd_accuracies = [{"accuracy": value, "baseline": 0.6} for value in (None, NAN, INFINITE)]
        rows += [CLASSIFIER | {"metrics": metrics} for metrics in [None, {}, *odd_accuracies]]
        rows += [CLASSIFIER | {"metrics": {"accuracy": 0.75, "baseline": v}} for v in (None, NAN)]
    verdicts = assert_same(seen(table, rows, spark=spark), table, expected=len(rows))
    alone = [sorted(refused(verdict, KEYS[table]), key=repr) for verdict in verdicts]
    assert alone[0] == alone[1]
    assert 0 < len(alone[0]) == verdicts[0].refused < len(rows)


@pytest.mark.parametrize(("table", "value"), NOTHING, ids=lambda each: getattr(each, "name", each))
def test_columns_with_nothing_in_any_row(spark, table, value):
    """NaN where a column can hold it, and null in all others."""
    nothing = {f.name: value if f.dataType == types.DoubleType() else None for f in table.schema}
    verdict, _ = assert_same(seen(table, [nothing] * 2, spark=spark), table, expected=1)
    assert verdict.refused == 2


@pytest.mark.parametrize("table", checked_views.OF, ids=lambda table: table.name)
def test_rows_of_tables_that_check_alone_judges(spark, table):
    """What passes, what each expectation catches, and odd values, of each table at once, as `check` judges:
    no gate refuses rows of these tables."""
    given = [d if isinstance(d, list) else [d] for d in CAUGHT[table].values()]
    odd = [{f.name: value} for f in table.schema for value in ODD.get(f.dataType, [])]
    rows = [*GOOD[table], *(d for each in given for d in each), *odd]
    view = seen(table, rows, spark=spark)
    verdict, _ = assert_same(view, table, expected=len(rows), may_refuse_rows=False)
    caught = {f.expectation for f in verdict.findings if not f.success}
    assert CAUGHT[table].keys() <= caught
    columns = seen(table, []).columns
    assert suites.are_judged_alike(suites.load(suites.name_of(table)), columns)


def test_a_chunk_that_is_blocked_for_its_vectors(spark):
    for table, identity in BLOCKS_WHOLE:
        for differences in (
            BLOCKS_WHOLE[table, identity][0][3],
            BLOCKS_WHOLE[table, identity][1][1],
        ):
            view = seen(table, differences, spark=spark)
            assert_same(view, table, {identity}, expected=len(differences))


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case[1])
def test_whole_chunks(spark, case):
    table, identity = case
    for differences, passes in zip(WHOLE[case], (True, False), strict=True):
        view = seen(table, differences, spark=spark)
        verdict, _ = assert_same(view, table, {identity}, expected=len(differences))
        [finding] = verdict.findings
        assert finding.success is passes


def test_every_kind_that_is_judged_on_the_driver_is_compared_here():
    kinds = {
        e.configuration.type
        for t in suites.TABLES
        for e in suites.load(suites.name_of(t)).expectations
    }
    assert kinds == suites.COMPARED


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_our_suites_are_judged_on_the_driver(spark, table):
    view = seen(table, GOOD[table], spark=spark)
    assert isinstance(judged_rows(view, suites.load(suites.name_of(table)), expected=1), ArrowRows)


TIMES_OF_RESET_CLOCKS = {"column": "taken_on", "value_set": ["1970-01-01"]}


@pytest.mark.parametrize(
    ("kind", "kwargs", "refused", "blocks"),
    [
        ("expect_column_values_to_not_be_in_set", TIMES_OF_RESET_CLOCKS, 1, False),
        ("expect_column_values_to_be_in_set", TIMES_OF_RESET_CLOCKS, 1, False),
        ("expect_column_values_to_be_in_set", {"column": "format", "value_set": [1]}, 0, True),
        (
            "expect_column_values_to_be_of_type",
            {"column": "format", "type_": "StringType"},
            0,
            False,
        ),
    ],
)
def test_what_pandas_may_judge_otherwise_is_judged_in_spark(
    spark, tmp_path, kind, kwargs, refused, blocks
):
    """Dates compared with texts, for example: pandas finds none of them. What Spark can't compare blocks."""
    meta = {"id": "mine", "why": "for the test"}
    rule = {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": meta}
    (tmp_path / "mine.json").write_text(json.dumps({"name": "mine", "expectations": [rule]}))
    suite = suites.load("mine", folder=tmp_path)
    view = seen(catalog.PHOTOS, [{"taken_on": date(1970, 1, 1)}, {}], spark=spark)
    rows = judged_rows(view, suite, expected=2)
    assert isinstance(rows, SparkRows)
    verdict = judge(rows, suite, expected=2)
    assert (verdict.refused, bool(verdict.blocked)) == (refused, blocks)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.1000001, 0.5, 9.0, NAN, None])
def test_drift(spark, value):
    measures = dict.fromkeys(suite_views.DRIFTS, value)
    view = seen(catalog.FEATURES, [{}, {}], spark=spark, **measures)
    verdict, _ = assert_same(view, catalog.FEATURES, {*DRIFT_RULES, MEASURED}, expected=2)
    assert bool(verdict.blocked) is (value is None or value != value)
    failed = {f.expectation for f in verdict.findings if not f.success}
    assert bool(failed) is (value is None or not value <= 0.1)


@pytest.mark.parametrize("table", suites.GATED, ids=lambda table: table.name)
def test_no_rows(spark, table):
    assert_same(seen(table, [], spark=spark), table, expected=3)
