"""Validation of rows by a suite: the result of each expectation, the rows that fail, and what blocks them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.settings import GateSettings
from expectations import suites
from expectations.suite_runner import (
    exception_class,
    failing_rows,
    refuses_rows,
    severity_of,
    validated,
)
from lake.enums import GateAction
from lake.layer_interfaces import NO_REFUSALS

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

REASON = "expectation:"
"""The prefix of a quarantine reason that names an expectation."""

REFUSED_SHARE = "refused_share"
"""The reason for blocking a chunk with too many refused rows."""


@dataclass(frozen=True)
class ExpectationResult:
    """The result of one expectation. It has only numbers and no value of a row.

    `action` is what follows from it: passed, warned, quarantined, blocked or skipped. `error` says why the
    expectation could not be evaluated, or is None.
    """

    suite: str
    expectation: str
    severity: str
    success: bool
    observed: str | None = None
    unexpected_count: int | None = None
    element_count: int | None = None
    action: GateAction = GateAction.PASSED
    error: str | None = None

    @property
    def line(self) -> str:
        """The result as a line of text for the screen."""
        if self.error:
            return (
                f"{self.expectation} could not be evaluated: {self.error}; correct it in "
                f"expectations/{self.suite}.json"
            )
        if self.unexpected_count is not None:
            return (
                f"{self.expectation}: {self.unexpected_count:,} of {self.element_count:,} rows fail"
            )
        return f"{self.expectation}: observed {self.observed}"


@dataclass(frozen=True)
class Verdict:
    """The result of a suite.

    `reason` is a column over the judged view that says why a row is refused, or is null. `refused` is the
    number of refused rows. `blocked` has a sentence for each reason to block all rows, by that reason's name.
    """

    findings: Sequence[ExpectationResult]
    reason: Column
    refused: int
    blocked: Mapping[str, str]


def judge(
    view: DataFrame,
    suite: ExpectationSuite,
    *,
    expected: int | None,
    gates: GateSettings | None = None,
    refused_before: Mapping[str, int] = NO_REFUSALS,
    may_refuse_rows: bool = True,
) -> Verdict:
    """Return the verdict on the rows of a view, which may have none. The view is cached meanwhile.

    `expected` is the number of rows that there must be, or None where it isn't known. With `gates`, too
    large a share of refused rows blocks them all; `refused_before` counts the photos of the chunk that were
    refused earlier, by reason. Without `may_refuse_rows`, one failing row blocks them all.
    Raises Blocked where an expectation names a column that the view lacks.
    """
    suites.check_columns(suite, view.columns)
    rows = view.persist().count()
    try:
        applied = [e for e in suite.expectations if _applies(e, rows=rows, expected=expected)]
        batch, results = validated(view, suite, applied, expected=expected)
        refusing = [r for r in results if may_refuse_rows and _has_refused(r)]
        reason, refused, unclear = _refused(view, batch, refusing)
    finally:
        view.unpersist()
    findings = [
        _finding(suite.name, result, may_refuse_rows=may_refuse_rows, unclear=unclear)
        for result in results
    ]
    blocked = _blocking(findings)
    if gates:
        blocked |= _too_many_refused(
            suite.name,
            findings,
            rows=rows,
            refused=refused,
            refused_before=refused_before,
            gates=gates,
        )
    skipped = [_skipped(suite.name, e) for e in suite.expectations if e not in applied]
    return Verdict([*findings, *skipped], reason, refused, blocked)


def _blocking(findings: Sequence[ExpectationResult]) -> dict[str, str]:
    """Return a sentence for each expectation that blocks, by the reason that names it."""
    return {
        REASON + finding.expectation: f"{finding.suite}: {finding.line}"
        for finding in findings
        if finding.action == GateAction.BLOCKED
    }


def _too_many_refused(
    suite: str,
    findings: Sequence[ExpectationResult],
    *,
    rows: int,
    refused: int,
    refused_before: Mapping[str, int],
    gates: GateSettings,
) -> dict[str, str]:
    """Return the reason REFUSED_SHARE and its sentence where too many photos are refused, else nothing."""
    before = sum(refused_before.values())
    photos, all_refused = rows + before, refused + before
    if photos < gates.counted_from or all_refused / photos <= gates.refused_share:
        return {}
    causes = [f"{count:,} {reason}" for reason, count in sorted(refused_before.items())]
    causes += [finding.line for finding in findings if finding.action == GateAction.QUARANTINED]
    sentence = (
        f"{suite}: {all_refused:,} of {photos:,} photos are refused ({', '.join(causes)}), over "
        f"gates.refused_share = {gates.refused_share}"
    )
    return {REFUSED_SHARE: sentence}


def _skipped(suite: str, expectation: Expectation) -> ExpectationResult:
    """Return the result of an expectation that doesn't apply to the rows."""
    return ExpectationResult(
        suite,
        suites.identity(expectation),
        expectation.severity.value,
        success=True,
        action=GateAction.SKIPPED,
    )


def _applies(expectation: Expectation, *, rows: int, expected: int | None) -> bool:
    """Return whether an expectation can be evaluated.

    Where there are no rows, only their number can be judged. An expectation that names the expected number
    can be evaluated only where that number is known.
    """
    if expected is None and suites.parameters(expectation.configuration.kwargs):
        return False
    return bool(rows) or expectation.expectation_type.startswith("expect_table_")


def _has_refused(result: Any) -> bool:
    """Return whether the expectation was evaluated and refuses single rows."""
    return refuses_rows(result) and not result.success and not exception_class(result)


def _finding(
    suite: str, result: Any, *, may_refuse_rows: bool, unclear: Mapping[str, str]
) -> ExpectationResult:
    """Return the result of an expectation with the action that follows from it.

    `unclear` has an error for each expectation whose failing rows can't be found, by its id.
    """
    identity = suites.identity(result.expectation_config)
    error, severity = exception_class(result) or unclear.get(identity), severity_of(result)
    if error:
        action = GateAction.BLOCKED
    elif result.success:
        action = GateAction.PASSED
    elif severity != "critical":
        action = GateAction.WARNED
    else:
        action = (
            GateAction.QUARANTINED
            if may_refuse_rows and refuses_rows(result)
            else GateAction.BLOCKED
        )
    observed = result.result.get("observed_value")
    return ExpectationResult(
        suite=suite,
        expectation=identity,
        severity=severity,
        success=bool(result.success) and not error,
        observed=repr(observed) if isinstance(observed, int | float) else None,
        unexpected_count=result.result.get("unexpected_count"),
        element_count=result.result.get("element_count"),
        action=action,
        error=error,
    )


def _refused(
    view: DataFrame, batch: Batch | None, refusing: Sequence[Any]
) -> tuple[Column, int, Mapping[str, str]]:
    """Return the reason column, the number of refused rows, and the expectations that are unclear.

    A row's reason is the first expectation that it fails, in the suite's order. An expectation is unclear
    where its condition flags another number of rows than Great Expectations counted; it comes with an error,
    by its id.
    """
    flags = {suites.identity(r.expectation_config): failing_rows(batch, r) for r in refusing}
    reasons = [F.when(flag, F.lit(REASON + identity)) for identity, flag in flags.items()]
    reason = F.coalesce(*reasons, F.lit(None).cast("string"))
    if not flags:
        return reason, 0, {}
    flagged = view.select(*(flag.alias(identity) for identity, flag in flags.items()))
    any_flag = functools.reduce(operator.or_, map(_column, flags))
    refused_count = F.count(F.when(any_flag, 1)).alias("refused")
    counts = [F.count(F.when(_column(identity), 1)) for identity in flags]
    refused, *flagged_counts = flagged.agg(refused_count, *counts).collect()[0]
    unclear = {
        suites.identity(result.expectation_config): "it can't be told which rows fail"
        for result, count in zip(refusing, flagged_counts, strict=True)
        if count != result.result["unexpected_count"]
    }
    return reason, refused, unclear


def _column(name: str) -> Column:
    """Return the column of that name, which may contain characters such as a dash."""
    return F.col(f"`{name}`")
