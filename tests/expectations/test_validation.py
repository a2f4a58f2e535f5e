"""Judging by a suite: every row-level expectation refuses by its id, and whatever can't be judged blocks."""

import json
import re
import subprocess
import sys

import pyarrow as pa
import pytest
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame

from conf.errors import Blocked
from conf.settings import GateSettings
from expectations import suites, validation
from expectations.pandas_engine import ArrowRows
from expectations.spark_engine import SparkRows
from expectations.validation import ROWS_ON_DRIVER, judge
from tests.support.suite_cases import refused

GATES = GateSettings(refused_share=0.5, counted_from=20, history_chunks=30)


def expectation(kind, identity, *, severity="critical", **kwargs):
    meta = {"id": identity, "why": "for the test"}
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta}


def between(identity, **kwargs):
    return expectation("expect_column_values_to_be_between", identity, **kwargs)


NOT_NULL = expectation("expect_column_values_to_not_be_null", "present", column="a")
UNIQUE = expectation("expect_column_values_to_be_unique", "unique", column="a")
SMALL = between("small", column="b", max_value=10)
SMALL_WARNING = {**SMALL, "severity": "warning"}
COUNT = expectation("expect_table_row_count_to_be_between", "count", min_value=3)
PROMISED = expectation(
    "expect_table_row_count_to_equal", "promised", value={"$PARAMETER": "expected_rows"}
)
MEAN = expectation("expect_column_mean_to_be_between", "mean", column="b", max_value=5)
IS_X = {"type": "comparison", "column": {"name": "a"}, "operator": "==", "parameter": "x"}
SMALL_OF_X = between("small-of-x", column="b", max_value=10, row_condition=IS_X)


IS_NOT_X = IS_X | {"operator": "!="}
IS_NOT_NULL = {"type": "nullity", "column": {"name": "a"}, "is_null": False}


def matches(regex):
    return expectation("expect_column_values_to_match_regex", "such", column="a", regex=regex)


JUDGES = """
import sys
from pathlib import Path
import pyarrow as pa
from expectations import suite_runner, suites
from expectations.pandas_engine import ArrowRows
from expectations.validation import judge
suite_runner.gx_context()
prepared = set(sys.modules)
rows = ArrowRows(pa.table({"photo_id": ["1", "2"], "a": [1, None]}))
print(judge(rows, suites.load("rules", folder=Path(sys.argv[1])), expected=2).refused, end=" ")
print(sorted(name for name in sys.modules.keys() - prepared if name.startswith("great_expectations")))
"""


@pytest.fixture
def suite(tmp_path):
    def written(*expectations, name="rules"):
        text = json.dumps({"name": name, "expectations": expectations, "meta": {}})
        (tmp_path / f"{name}.json").write_text(text)
        return suites.load(name, folder=tmp_path)

    return written


@pytest.fixture(params=["pandas", pytest.param("spark", marks=pytest.mark.spark)])
def rows_of(request):
    """Rows (a, b) as each engine of Great Expectations takes them; only Spark's needs a session."""
    if request.param == "pandas":
        schema = pa.schema({"a": pa.string(), "b": pa.float64()})
        names = schema.names
        return lambda *rows: ArrowRows(
            pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)
        )
    spark = request.getfixturevalue("spark")
    return lambda *rows: SparkRows(spark.createDataFrame(list(rows), "a string, b double"))


def reasons(verdict):
    """The reason of each row, None for a row that isn't refused."""
    found = refused(verdict, "a", "b", otherwise="")
    return {(a, b): reason or None for a, b, reason in found}


def test_rows_that_fail_are_refused_by_the_first_rule_that_catches_them(rows_of, suite):
    rows = rows_of(("x", 1.0), (None, 2.0), ("y", 11.0), ("d", 1.5), ("d", 12.0), (None, 3.0))
    verdict = judge(rows, suite(NOT_NULL, UNIQUE, SMALL), expected=6, gates=GATES)
    assert reasons(verdict) == {
        ("x", 1.0): None,
        (None, 2.0): "expectation:present",
        (None, 3.0): "expectation:present",
        ("y", 11.0): "expectation:small",
        ("d", 1.5): "expectation:unique",
        ("d", 12.0): "expectation:unique",
    }
    assert (verdict.refused, verdict.blocked) == (5, {})
    counted = {f.expectation: (f.unexpected_count, f.action) for f in verdict.findings}
    assert counted == {
        "present": (2, "quarantined"),
        "unique": (2, "quarantined"),
        "small": (2, "quarantined"),
    }


def test_a_warning_is_recorded_and_passes(rows_of, suite):
    rows = rows_of(("x", 11.0))
    verdict = judge(rows, suite(SMALL_WARNING), expected=1, gates=GATES)
    assert (verdict.refused, verdict.blocked) == (0, {})
    assert [f.action for f in verdict.findings] == ["warned"]
    assert reasons(verdict) == {("x", 11.0): None}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (COUNT, "count: observed 2"),
        (MEAN, "mean: observed 6.0"),
        (PROMISED, "promised: observed 2"),
    ],
)
def test_a_critical_rule_about_the_table_blocks(rows_of, suite, rule, said):
    rows = rows_of(("x", 11.0), ("y", 1.0))
    verdict = judge(rows, suite(rule), expected=3, gates=GATES)
    assert verdict.blocked == {f"expectation:{rule['meta']['id']}": f"rules: {said}"}


@pytest.mark.parametrize(
    ("refused", "before", "kept", "blocks"),
    [
        (9, 0, 11, False),
        (10, 0, 10, False),
        (11, 0, 9, True),
        (5, 6, 9, True),
        (0, 20, 0, True),
        (0, 19, 0, False),
    ],
)
def test_too_large_a_share_of_refused_rows_blocks(rows_of, suite, refused, before, kept, blocks):
    rows = rows_of(*((str(n), 99.0 if n < refused else None) for n in range(refused + kept)))
    whole = refused + kept + before
    earlier = {"blank": before} if before else {}
    verdict = judge(rows, suite(SMALL), expected=whole, gates=GATES, refused_before=earlier)
    assert list(verdict.blocked) == (["refused_share"] if blocks else [])
    if blocks:
        told = verdict.blocked["refused_share"]
        assert f"{refused + before} of {whole} photos are refused" in told
        assert (f"{before} blank" in told) is bool(before)
        assert (f"small: {refused} of " in told) is bool(refused)
        assert judge(rows, suite(SMALL), expected=whole, refused_before=earlier).blocked == {}


def test_where_rows_may_not_be_refused_one_that_fails_blocks(rows_of, suite):
    rows = rows_of(("x", 11.0))
    verdict = judge(rows, suite(SMALL), expected=1, may_refuse_rows=False)
    assert verdict.blocked == {"expectation:small": "rules: small: 1 of 1 rows fail"}
    assert verdict.refused == 0


def test_of_no_row_only_their_number_is_judged(rows_of, suite):
    rows, rules = rows_of(), suite(NOT_NULL, MEAN, PROMISED)
    verdict = judge(rows, rules, expected=0)
    actions = {f.expectation: f.action for f in verdict.findings}
    assert actions == {"promised": "passed", "present": "skipped", "mean": "skipped"}
    assert (verdict.blocked, verdict.refused) == ({}, 0)
    assert list(judge(rows, rules, expected=1).blocked) == ["expectation:promised"]


def test_where_nobody_knows_their_number_it_is_not_judged(rows_of, suite):
    verdict = judge(rows_of(("x", 1.0)), suite(PROMISED), expected=None)
    assert [f.action for f in verdict.findings] == ["skipped"]


def test_a_rule_for_some_rows_refuses_none_of_the_others(rows_of, suite):
    rows = rows_of(("x", 1.0), ("x", 11.0), ("y", 11.0), (None, 11.0))
    verdict = judge(rows, suite(SMALL_OF_X), expected=4)
    assert [row for row, why in reasons(verdict).items() if why] == [("x", 11.0)]
    assert verdict.refused == 1


def test_everything_fails_and_everything_is_refused(rows_of, suite):
    rows = rows_of(*((str(n), 11.0 + n) for n in range(19)))
    verdict = judge(rows, suite(SMALL), expected=19, gates=GATES)
    assert (verdict.refused, verdict.blocked) == (19, {})


def test_where_the_failing_rows_can_not_be_told_nothing_passes(rows_of, suite, monkeypatch):
    """Should Great Expectations' condition flag other rows than those that it counts."""
    plain = validation.failing_rows

    def none(batch, result):
        condition, domain = plain(batch, result)
        return condition & ~condition, domain

    monkeypatch.setattr(validation, "failing_rows", none)
    verdict = judge(rows_of(("x", 11.0)), suite(SMALL), expected=1)
    assert "it can't be told which rows fail" in verdict.blocked["expectation:small"]


def test_a_rule_that_raises_blocks_and_tells_no_value(rows_of, suite):
    rows = rows_of(("secret", 1.0))
    casted = expectation("expect_column_values_to_match_regex", "bad-regex", column="a", regex="(")
    verdict = judge(rows, suite(casted, SMALL), expected=1)
    [said] = verdict.blocked.values()
    assert re.fullmatch(
        r"rules: bad-regex could not be evaluated: (\w+Error|\[INVALID_PARAMETER_VALUE.PATTERN\]); correct "
        r"it in expectations/rules.json",
        said,
    )
    assert [f.action for f in verdict.findings] == ["blocked", "passed"]


def test_an_exception_with_a_value_in_its_message_leaves_it_out(rows_of, suite):
    """With ANSI casts, Spark quotes the value that it could not cast; pandas quotes them all."""
    rows = rows_of(("anna-secret", 1.0))
    rule = expectation("expect_column_mean_to_be_between", "mean-of-text", column="a", max_value=1)
    verdict = judge(rows, suite(rule), expected=1)
    assert verdict.blocked
    assert "anna-secret" not in repr(verdict)


def test_a_million_failing_rows_collect_nothing(spark, suite, monkeypatch):
    """Neither rows nor values come to the driver, however many fail."""
    seen = []
    for name in ("collect", "take", "head", "toPandas", "toLocalIterator", "tail"):
        plain = getattr(DataFrame, name)

        def watched(self, *words, plain=plain, **more):
            found = plain(self, *words, **more)
            seen.append(found)
            return found

        monkeypatch.setattr(DataFrame, name, watched)
    rows = spark.range(1_000_000).select(
        F.concat(F.lit("anna-"), F.col("id") % 1000).alias("a"), F.lit(99.0).alias("b")
    )
    rules = suite(NOT_NULL, UNIQUE, SMALL, MEAN)
    verdict = judge(SparkRows(rows), rules, expected=1_000_000, gates=GATES)
    assert verdict.refused == 1_000_000
    assert seen
    assert all(len(found) <= 1 for found in seen if isinstance(found, list))
    assert "anna-" not in repr(seen)
    assert "anna-" not in repr(verdict.findings)


def test_as_many_failing_rows_as_the_driver_judges_show_no_value(suite, caplog, capfd):
    """Neither results nor logs quote one, whether rows fail or a rule raises."""
    n = ROWS_ON_DRIVER
    table = pa.table({"a": [f"anna-{n % 1000}" for n in range(n)], "b": pa.repeat(99.0, n)})
    text = expectation("expect_column_mean_to_be_between", "mean-of-text", column="a", max_value=1)
    order = between("order", column="a", max_value=1)
    rules = suite(NOT_NULL, UNIQUE, SMALL, MEAN, text, order)
    with caplog.at_level("DEBUG"):
        verdict = judge(ArrowRows(table), rules, expected=n, gates=GATES)
    assert verdict.refused == n
    assert list(verdict.blocked) == [
        "expectation:mean",
        "expectation:mean-of-text",
        "expectation:order",
        "refused_share",
    ]
    assert "anna-" not in caplog.text + "".join(capfd.readouterr())
    assert "anna-" not in repr((verdict, ArrowRows(table)))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            {**SMALL, "kwargs": {"column": "bb", "max_value": 1}},
            "small names the column bb, .* mean b?",
        ),
        (between("other", column="zzz", max_value=1), "other names the column zzz, .* it has a, b"),
        (
            expectation("expect_compound_columns_to_be_unique", "pair", column_list=["a", "c"]),
            "pair names the column c",
        ),
        (
            between(
                "some",
                column="b",
                max_value=1,
                row_condition=IS_X | {"column": {"name": "aa"}},
            ),
            "some names the column aa",
        ),
    ],
)
def test_a_rule_on_a_column_that_is_not_there_blocks(rows_of, suite, rule, message):
    with pytest.raises(Blocked, match=message):
        judge(rows_of(("x", 1.0)), suite(NOT_NULL, rule), expected=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "rules.json is missing; restore it"),
        ("{", "no valid JSON"),
        (json.dumps({"name": "rules", "expectations": [NOT_NULL, NOT_NULL]}), "two .* id present"),
        (
            json.dumps({"name": "rules", "expectations": [{**NOT_NULL, "meta": {"id": "x"}}]}),
            "lacks meta.why; add it",
        ),
        (
            json.dumps({"name": "rules", "expectations": [{**NOT_NULL, "severity": "high"}]}),
            "lacks a severity; add one of critical",
        ),
        (
            json.dumps({"name": "rules", "expectations": [{**NOT_NULL, "type": "expect_a_typo"}]}),
            "the expectation present can't be used .*expect_a_typo",
        ),
        (
            json.dumps({"name": "rules", "expectations": [{**NOT_NULL, "kwargs": {"colum": "a"}}]}),
            "the expectation present can't be used .*column",
        ),
        (json.dumps({"name": "rules", "expectations": []}), "holds no expectation"),
        *(
            (json.dumps({"name": "rules", "expectations": [rule]}), message)
            for rule, message in [
                (between("free", column="b"), "free can't (be used|fail)"),
                (between("never", column="b", max_value=1, mostly=0), "never can't fail"),
                (
                    between("words", column="b", max_value=1, row_condition="a = 1")
                    | {"kwargs": {"column": "b", "max_value": 1, "row_condition": "a = 1"}},
                    "words .*row_condition",
                ),
                *(
                    (matches(regex), f"such would say other things .* write what {sign} means")
                    for regex, sign in [
                        ("^a$", r"\$"),
                        (r"^a\z", r"\\z"),
                        (r"[^\p{Cntrl}]", r"\\p"),
                        (r"\s", r"\\s"),
                        ("a.b", r"\."),
                        ("(?i)a", r"\(\?i"),
                    ]
                ),
                (
                    expectation(
                        "expect_column_pair_values_a_to_be_greater_than_b",
                        "order",
                        column_A="a",
                        column_B="b",
                    ),
                    'order would say .* add "ignore_row_if": "either_value_is_missing"',
                ),
                *(
                    (
                        between("some", column="b", max_value=1, row_condition=condition),
                        "some would say .* let its row_condition ask first that a isn't null",
                    )
                    for condition in (
                        IS_NOT_X,
                        {"type": "and", "conditions": [IS_X, IS_NOT_X]},
                        {"type": "or", "conditions": [IS_NOT_NULL, IS_NOT_X]},
                    )
                ),
                (
                    expectation(
                        "expect_table_row_count_to_equal", "typo", value={"$PARAMETER": "expected"}
                    ),
                    "typo names the parameter expected; the only one is expected_rows",
                ),
            ]
        ),
    ],
)
def test_a_suite_that_cannot_be_used_blocks(tmp_path, text, message):
    if text is not None:
        (tmp_path / "rules.json").write_text(text)
    with pytest.raises(Blocked, match=message):
        suites.load("rules", folder=tmp_path)


def test_a_suite_that_both_engines_read_alike_is_taken(suite):
    other = {"type": "and", "conditions": [IS_NOT_NULL, IS_NOT_X]}
    rules = suite(
        matches(r"^a\.b\x41[\s\S](?![\s\S])"),
        between("other", column="b", max_value=1, row_condition=other),
    )
    assert len(rules.expectations) == 2


def test_a_suite_that_changed_on_disk_is_seen(suite):
    assert len(suite(NOT_NULL).expectations) == 1
    assert len(suite(NOT_NULL, SMALL).expectations) == 2


def test_a_process_can_prepare_for_its_first_suite_beside_other_work(suite, tmp_path):
    """So that a gate doesn't wait for an import while Java could have been starting."""
    suite(NOT_NULL, SMALL | {"kwargs": {"column": "a", "max_value": 10}})
    words = [sys.executable, "-c", JUDGES, str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == "1 []\n"
