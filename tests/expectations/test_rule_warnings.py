"""Warnings in plain words, and why `check` tells those of gates: the same rules warn in both."""

import pytest

from expectations import check_tables, rule_warnings, suites
from expectations.suite_views import Views
from expectations.validation import ExpectationResult
from lake import catalog
from lake.enums import GateAction

WARNING_RULES = [
    (suites.name_of(table), rule)
    for table in suites.TABLES
    for rule in suites.unchecked(suites.name_of(table))
    if rule["severity"] != "critical"
]


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=rule["meta"]["id"]) for _, rule in WARNING_RULES]
)
def test_a_rule_that_warns_has_plain_words_and_a_remedy(rule):
    says, remedy = rule["meta"]["says"], rule["meta"]["remedy"]
    assert says[0].islower()
    assert not says.endswith(".")
    assert remedy[0].isupper()
    assert remedy.endswith(".")


def finding(rule, **more):
    return {
        "expectation": rule,
        "action": GateAction.WARNED,
        "unexpected_count": None,
        "element_count": None,
        "observed": None,
        **more,
    }


def warned(table, *findings, photos=57):
    suite = suites.load(suites.name_of(table))
    return rule_warnings.warnings(findings, suite, table, photos=photos, chunk=7)


def test_a_rule_about_rows_counts_them():
    [one] = warned(
        catalog.PHOTOS, finding("taken-since-1990", unexpected_count=3, element_count=50)
    )
    assert (one.rule, one.failing, one.photos, one.observed) == ("taken-since-1990", 3, 50, None)
    assert one.says.startswith("say that they were taken before 1990")


def test_a_rule_about_a_chunk_has_what_was_observed_and_its_bound():
    drift, bright = warned(
        catalog.FEATURES,
        finding("drift-of-labels", observed="0.61"),
    ) + warned(catalog.EMBEDDINGS, finding("brightness-mean-plausible", observed="0.01"))
    assert (drift.failing, drift.photos, drift.observed) == (None, 57, 0.61)
    assert (drift.bound, bright.bound) == ("at most 0.25", "0.05 to 0.98")


def test_what_passes_and_what_the_suite_does_not_know_is_no_warning():
    passed = finding("drift-of-labels", action=GateAction.PASSED)
    assert warned(catalog.FEATURES, passed, finding("a-rule-of-before", observed="1")) == []


def test_a_rule_that_warned_in_a_gate_warns_for_the_table():
    of = {"suite": "gold_features", "severity": "warning", "success": True}
    held = [ExpectationResult(expectation=name, **of) for name in ("drift-of-labels", "other")]
    changed, other = rule_warnings.with_gates(
        held, warned(catalog.FEATURES, finding("drift-of-labels", observed="0.61"))
    )
    assert (changed.action, changed.success, changed.observed) == ("warned", False, "0.61")
    assert other is held[1]


def test_check_warns_of_what_the_gates_warned_of(told):
    """Its last chunk has few labels, which are lost among those of the whole table."""
    lake = told.lake
    rows = lake.records(catalog.QUALITY, columns=["suite", "expectation", "action", "run_id"])
    in_gates = {(r["suite"], r["expectation"]) for r in rows if r["action"] == GateAction.WARNED}
    assert ("bronze_photos", "labels-mostly-present") in in_gates
    views = Views(lake, history_chunks=30)
    checked = [check_tables.check(lake, table, views=views) for table in suites.TABLES]
    in_check = {
        (each.suite, finding.expectation)
        for each in checked
        for finding in each.findings
        if finding.action == GateAction.WARNED
    }
    assert in_check == in_gates
    assert {w.rule for each in checked for w in each.warnings} == {rule for _, rule in in_gates}


def test_check_of_an_earlier_version_knows_no_later_chunk(told):
    lake = told.lake
    views = Views(lake, history_chunks=30)
    first = check_tables.check(lake, catalog.PHOTOS, views=views, version=1)
    assert "labels-mostly-present" not in {each.rule for each in first.warnings}
