"""Each expectation of each suite: rows that it lets pass, and a row or a chunk that it catches.

Rows are those of the tables, seen through the gate's own views; `tests/support/suite_cases.py` has them.
"""

import pytest

from expectations import suites
from expectations.suite_views import DRIFTS
from expectations.validation import judge
from lake import catalog
from tests.support.suite_cases import (
    ALSO_CAUGHT,
    BLOCKS_WHOLE,
    CAUGHT,
    DRIFT_RULES,
    GOOD,
    KEYS,
    MEASURED,
    NAN,
    PROMISED,
    ROWS_PROMISED,
    WHOLE,
    on_driver,
    refused,
    seen,
)


def listed(different):
    return different if isinstance(different, list) else [different]


def suite_of(table):
    return suites.load(suites.name_of(table))


def only(suite, identity):
    """The suite without its other expectations."""
    suite.expectations = [e for e in suite.expectations if suites.identity(e) == identity]
    return suite


@pytest.mark.parametrize("table", suites.TABLES, ids=lambda table: table.name)
def test_every_expectation_has_its_case(table):
    ids = {suites.identity(expectation) for expectation in suite_of(table).expectations}
    whole = {identity for held, identity in WHOLE if held is table}
    whole |= {identity for held, identity in BLOCKS_WHOLE if held is table}
    promised = {ROWS_PROMISED} if table in PROMISED else set()
    drifts = {*DRIFT_RULES, MEASURED} if table is catalog.FEATURES else set()
    assert ids == CAUGHT[table].keys() | whole | promised | drifts


@pytest.mark.parametrize("table", suites.TABLES, ids=lambda table: table.name)
def test_rows_at_the_bounds_pass(table):
    rows = on_driver(seen(table, GOOD[table]))
    verdict = judge(rows, suite_of(table), expected=len(GOOD[table]))
    assert [f for f in verdict.findings if not f.success] == []
    assert (verdict.refused, verdict.blocked) == (0, {})


@pytest.fixture(scope="module", params=suites.TABLES, ids=lambda table: table.name)
def bad(request):
    """A table, the rules that its bad rows are made for, row by row, and the verdict on them."""
    table = request.param
    cases = [(rule, d) for rule, given in CAUGHT[table].items() for d in listed(given)]
    differences = [dict(d) for _, d in cases]
    for different in differences:
        different.pop("path_differs", None)
    rows = on_driver(seen(table, differences))
    return table, cases, judge(rows, suite_of(table), expected=len(cases) + 1)


def test_each_catches_its_rows(bad):
    table, cases, verdict = bad
    counted = {f.expectation: f.unexpected_count for f in verdict.findings}
    for rule in CAUGHT[table]:
        own = sum(made_for == rule for made_for, _ in cases)
        others = sum(rule in ALSO_CAUGHT.get((table, made_for), ()) for made_for, _ in cases)
        assert own <= counted[rule] <= own + others, rule


def test_what_happens_then_is_as_severe_as_it_should_be(bad):
    table, _, verdict = bad
    warnings = {
        "uploaded-before-ingested",
        "taken-since-1990",
        "taken-before-upload",
        "explained-variance-useful",
        "accuracy-above-majority",
        "precision-least-cosine-near",
        "precision-neighbours-kept",
        "precision-variance-kept",
        "label-agrees",
        "replayed-after-refused",
        "measures-finite",
        "lifted-after-made",
        "finished-after-started",
    }
    for finding in verdict.findings:
        if finding.expectation in CAUGHT[table]:
            expected = "warned" if finding.expectation in warnings else "quarantined"
            assert finding.action == expected, finding.expectation
        if finding.expectation == ROWS_PROMISED:
            assert finding.action == "blocked"
    if table in PROMISED:
        assert list(verdict.blocked) == [f"expectation:{ROWS_PROMISED}"]


def test_the_reason_that_reaches_quarantine_names_it(bad):
    """Row by row: of the rules that catch it the first in the suite."""
    table, cases, verdict = bad
    order = [suites.identity(e) for e in suite_of(table).expectations]
    key = KEYS[table]
    found = dict(refused(verdict, key))
    severities = {f.expectation: f.severity for f in verdict.findings}
    for place, (rule, different) in enumerate(cases):
        why = found.get(different.get(key, f"{place:064x}"))
        if severities[rule] != "critical":
            assert why is None, rule
            continue
        could = {rule} | ALSO_CAUGHT.get((table, rule), set())
        first = next(r for r in order if r in could)
        assert why in {f"expectation:{rule}", f"expectation:{first}"}, rule


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case[1])
def test_a_whole_chunk_passes_or_is_caught(case):
    table, identity = case
    suite = only(suite_of(table), identity)
    actions = []
    for differences in WHOLE[case]:
        verdict = judge(on_driver(seen(table, differences)), suite, expected=len(differences))
        [finding] = verdict.findings
        actions.append((finding.action, verdict.blocked, verdict.refused))
    assert actions == [("passed", {}, 0), ("warned", {}, 0)]


@pytest.mark.parametrize("case", BLOCKS_WHOLE, ids=lambda case: case[1])
def test_a_whole_chunk_passes_or_is_blocked(case):
    table, identity = case
    suite = only(suite_of(table), identity)
    for differences, action in [
        *((rows, "passed") for rows in BLOCKS_WHOLE[case][0]),
        *((rows, "blocked") for rows in BLOCKS_WHOLE[case][1]),
    ]:
        verdict = judge(on_driver(seen(table, differences)), suite, expected=len(differences))
        assert [finding.action for finding in verdict.findings] == [action], differences
        assert (list(verdict.blocked) == [f"expectation:{identity}"]) is (action == "blocked")


@pytest.mark.parametrize("measure", DRIFTS)
@pytest.mark.parametrize("value", [NAN, float("inf"), float("-inf"), None])
def test_a_drift_that_is_no_number_blocks_the_chunk(measure, value):
    rows = on_driver(seen(catalog.FEATURES, [{}, {}], **{measure: value}))
    suite = only(suite_of(catalog.FEATURES), MEASURED)
    verdict = judge(rows, suite, expected=2, may_refuse_rows=False)
    assert list(verdict.blocked) == [f"expectation:{MEASURED}"]


@pytest.mark.parametrize(
    ("identity", "measure", "bound"),
    [
        ("drift-of-mean", "mean_shift", 0.5),
        ("drift-of-reconstruction", "reconstruction_loss", 0.1),
        ("drift-of-labels", "label_mix_index", 0.25),
        ("drift-of-brightness", "brightness_index", 0.25),
        ("drift-of-components", "component_index", 0.25),
    ],
)
def test_a_chunks_drift_passes_or_is_warned_of(identity, measure, bound):
    assert identity in DRIFT_RULES
    actions = []
    for value in (bound, bound + 0.001):
        rows = on_driver(seen(catalog.FEATURES, [{}], **{measure: value}))
        verdict = judge(rows, only(suite_of(catalog.FEATURES), identity), expected=1)
        actions += [finding.action for finding in verdict.findings]
        assert verdict.blocked == {}
    assert actions == ["passed", "warned"]


def test_what_gold_refuses_blocks_the_chunk():
    """Quarantine has no stage for gold."""
    rows = on_driver(seen(catalog.FEATURES, [{}, {"features": [float("nan"), 0.0]}]))
    verdict = judge(rows, suite_of(catalog.FEATURES), expected=2, may_refuse_rows=False)
    assert verdict.refused == 0
    assert verdict.blocked == {
        "expectation:features-norm-in-range": "gold_features: features-norm-in-range: 1 of 2 rows fail"
    }


@pytest.mark.parametrize("table", suites.TABLES, ids=lambda table: table.name)
def test_an_empty_chunk_passes_where_none_was_promised(table):
    rows = on_driver(seen(table, []))
    assert judge(rows, suite_of(table), expected=0).blocked == {}
    if table in PROMISED:
        blocked = judge(rows, suite_of(table), expected=3).blocked
        assert list(blocked) == [f"expectation:{ROWS_PROMISED}"]
