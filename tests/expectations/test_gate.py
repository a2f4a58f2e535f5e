"""The gate: every row-level expectation refuses by its id, and whatever can't be judged blocks."""

import json

import pytest
from pyspark.sql import functions as F

from conf.errors import Blocked
from conf.settings import Gates
from expectations import suites
from expectations.gate import judge

GATES = Gates(refused_share=0.5, counted_from=20)
SHA = "a" * 64


def expectation(kind, identity, *, severity="critical", **kwargs):
    meta = {"id": identity, "why": "for the test"}
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta}


NOT_NULL = expectation("expect_column_values_to_not_be_null", "present", column="a")
UNIQUE = expectation("expect_column_values_to_be_unique", "unique", column="a")
SMALL = expectation("expect_column_values_to_be_between", "small", column="b", max_value=10)
SMALL_WARNING = {**SMALL, "severity": "warning"}
COUNT = expectation("expect_table_row_count_to_be_between", "count", min_value=3)
MEAN = expectation("expect_column_mean_to_be_between", "mean", column="b", max_value=5)


@pytest.fixture
def suite(tmp_path):
    def written(*expectations, name="rules"):
        text = json.dumps({"name": name, "expectations": expectations, "meta": {}})
        (tmp_path / f"{name}.json").write_text(text)
        return suites.load(name, folder=tmp_path)

    return written


def frame(spark, *rows):
    return spark.createDataFrame(list(rows), "a string, b double")


def reasons(rows, verdict):
    judged = rows.withColumn("reason", verdict.reason).collect()
    return {(row["a"], row["b"]): row["reason"] for row in judged}


def test_rows_that_fail_are_refused_by_the_first_rule_that_catches_them(spark, suite):
    rows = frame(spark, ("x", 1.0), (None, 2.0), ("y", 11.0), ("d", 1.5), ("d", 12.0), (None, 3.0))
    verdict = judge(rows, suite(NOT_NULL, UNIQUE, SMALL), gates=GATES)
    assert reasons(rows, verdict) == {
        ("x", 1.0): None,
        (None, 2.0): "expectation:present",
        (None, 3.0): "expectation:present",
        ("y", 11.0): "expectation:small",
        ("d", 1.5): "expectation:unique",
        ("d", 12.0): "expectation:unique",
    }
    assert (verdict.refused, verdict.blocked) == (5, [])
    counted = {f.expectation: (f.unexpected_count, f.action) for f in verdict.findings}
    assert counted == {
        "present": (2, "quarantined"),
        "unique": (2, "quarantined"),
        "small": (2, "quarantined"),
    }


def test_a_warning_is_recorded_and_passes(spark, suite):
    rows = frame(spark, ("x", 11.0))
    verdict = judge(rows, suite(SMALL_WARNING), gates=GATES)
    assert (verdict.refused, verdict.blocked) == (0, [])
    assert [f.action for f in verdict.findings] == ["warned"]
    assert reasons(rows, verdict) == {("x", 11.0): None}


@pytest.mark.parametrize(
    ("rule", "said"), [(COUNT, "count: observed 2"), (MEAN, "mean: observed 6.0")]
)
def test_a_critical_rule_about_the_table_blocks(spark, suite, rule, said):
    verdict = judge(frame(spark, ("x", 11.0), ("y", 1.0)), suite(rule), gates=GATES)
    assert verdict.blocked == [f"rules: {said}"]


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
def test_too_large_a_share_of_refused_rows_blocks(spark, suite, refused, before, kept, blocks):
    rows = spark.range(refused + kept).select(
        F.col("id").cast("string").alias("a"), F.when(F.col("id") < refused, 99.0).alias("b")
    )
    verdict = judge(rows, suite(SMALL), gates=GATES, refused_before=before)
    assert bool(verdict.blocked) is blocks
    if blocks:
        assert (
            f"{refused + before} of {refused + kept + before} photos are refused"
            in verdict.blocked[0]
        )


def test_where_rows_may_not_be_refused_one_that_fails_blocks(spark, suite):
    verdict = judge(frame(spark, ("x", 11.0)), suite(SMALL), gates=GATES, may_refuse_rows=False)
    assert verdict.blocked == ["rules: small: 1 of 1 rows fail"]
    assert verdict.refused in (0, 1)


def test_no_row_at_all_passes(spark, suite):
    verdict = judge(frame(spark).where("false"), suite(NOT_NULL, COUNT), gates=GATES)
    assert (verdict.findings, verdict.blocked, verdict.refused) == ([], [], 0)


@pytest.mark.parametrize(
    "rule",
    [
        {**SMALL, "kwargs": {"column": "absent", "max_value": 1}},
        expectation("expect_column_values_to_match_regex", "bad-regex", column="a", regex="("),
    ],
    ids=["no such column", "a rule that raises"],
)
def test_a_rule_that_cannot_be_evaluated_blocks(spark, suite, rule):
    verdict = judge(frame(spark, ("x", 1.0)), suite(rule), gates=GATES)
    assert len(verdict.blocked) == 1
    assert f"{rule['meta']['id']} could not be evaluated" in verdict.blocked[0]


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
    ],
)
def test_a_suite_that_cannot_be_used_blocks(tmp_path, text, message):
    if text is not None:
        (tmp_path / "rules.json").write_text(text)
    with pytest.raises(Blocked, match=message):
        suites.load("rules", folder=tmp_path)


@pytest.mark.parametrize("name", ["bronze_photos", "silver_embeddings", "gold_features"])
def test_the_shipped_suites_load(name):
    assert suites.load(name).name == name
