"""The warnings of rules in plain words: what a rule says of photos, how many they are, and what to do.

A gate and `check` tell them alike. A rule about single rows finds the same rows in a chunk and in its whole
table. A rule about all rows together, such as one about their mean or their drift, is about a chunk: in the
whole table the rows of one chunk are lost among others, and a table as a whole has no history to compare it
with. So `check` takes what such a rule found from the gate's own record, ops/quality.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc

from expectations import suites
from expectations.validation import ExpectationResult
from lake import catalog
from lake.catalog import LAYER_OF, Table
from lake.chunks import Chunk
from lake.enums import GateAction, ModelStatus
from lake.readable_lake import Lake
from lake.run_journal import RuleWarning

Finding = Mapping[str, Any]
"""The result of a rule: a row of ops/quality, or the same columns of an `ExpectationResult`."""


def warnings(
    findings: Iterable[Finding],
    suite: Any,
    table: Table,
    *,
    photos: int,
    chunk: int | None = None,
) -> list[RuleWarning]:
    """Return the warnings among the results of a suite on so many photos, or rows of another kind."""
    rules = {suites.identity(each): each for each in suite.expectations}
    return [
        _warning(each, rules[each["expectation"]], table, photos=photos, chunk=chunk)
        for each in findings
        if each["action"] == GateAction.WARNED and each["expectation"] in rules
    ]


def _warning(
    finding: Finding, rule: Any, table: Table, *, photos: int, chunk: int | None
) -> RuleWarning:
    failing = finding["unexpected_count"]
    observed = finding["observed"]
    return RuleWarning(
        table=table.name,
        rule=finding["expectation"],
        says=rule.meta.get("says") or f"fail a rule: {rule.meta['why'].rstrip('.')}",
        remedy=rule.meta.get("remedy") or "The rule's own words stand in Data Docs.",
        photos=photos if failing is None else finding["element_count"] or photos,
        failing=failing,
        observed=None if failing is not None or observed is None else float(observed),
        bound=_bound(rule.configuration.kwargs),
        chunk=chunk,
    )


def _bound(kwargs: Mapping[str, Any]) -> str:
    """Return the bounds of a rule in words, such as `at most 0.5`."""
    low, high = (kwargs.get(name) for name in suites.BOUNDS)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}" if isinstance(low, int | float) else f"{low} to {high}"
    words = ((low, "at least"), (high, "at most"))
    return " and ".join(f"{word} {bound}" for bound, word in words if bound is not None)


def of_gates(lake: Lake, suite: Any, table: Table, *, version: int) -> list[RuleWarning]:
    """Return what the rules about whole chunks warned of last, in each chunk that a version of a table has.

    These are warnings without `failing` rows, from ops/quality. What they said of a PCA version that is
    retired is over. Only tables of chunks' photos have such warnings.
    """
    if table not in LAYER_OF:
        return []
    over = _retired(lake) if table is catalog.FEATURES else ()
    chunks = {
        c.number: c
        for c in lake.ledger.chunks().values()
        if _has(c, table, version=version) and c.model_version not in over
    }
    rows = lake.records(catalog.QUALITY, where=pc.field("suite") == suite.name)
    last: dict[tuple[int, str], Finding] = {}
    for row in sorted(rows, key=lambda row: row["judged_at"]):
        if row["chunk"] in chunks and row["unexpected_count"] is None:
            last[row["chunk"], row["expectation"]] = row
    return [
        warning
        for (number, _), row in sorted(last.items())
        for warning in warnings([row], suite, table, photos=chunks[number].photos, chunk=number)
    ]


def _retired(lake: Lake) -> set[str]:
    rows = lake.records(catalog.MODELS, columns=["version", "status"])
    return {row["version"] for row in rows if row["status"] == ModelStatus.RETIRED}


def _has(chunk: Chunk, table: Table, *, version: int) -> bool:
    """Return whether a version of a table has the rows of a chunk."""
    is_of_table = chunk.layer == LAYER_OF[table] and table.name in chunk.versions
    return is_of_table and chunk.is_published and chunk.versions[table.name] <= version


def with_gates(
    findings: Sequence[ExpectationResult], gates: Sequence[RuleWarning]
) -> list[ExpectationResult]:
    """Return the results of a suite on a whole table, in which a rule warns that warned in a chunk's gate."""
    warned = {each.rule: each.observed for each in gates}
    return [
        replace(
            each,
            action=GateAction.WARNED,
            success=False,
            observed=None if (value := warned[each.expectation]) is None else repr(value),
        )
        if each.expectation in warned and each.action == GateAction.PASSED
        else each
        for each in findings
    ]
