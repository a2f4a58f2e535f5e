"""Validation of rows by a suite: the result of each expectation, the rows that fail, and what blocks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.settings import GateSettings
from expectations import suites
from expectations.judged_rows import REASON, JudgedRows, Refusals
from expectations.pandas_engine import ArrowRows
from expectations.spark_engine import SparkRows
from expectations.suite_runner import (
    exception_class,
    failing_rows,
    refuses_rows,
    severity_of,
    validated,
)
from expectations.view import View
from lake.enums import GateAction
from lake.layer_interfaces import NO_REFUSALS

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation

REFUSED_SHARE = "refused_share"
"""The reason for blocking a chunk with too many refused rows."""

ROWS_ON_DRIVER = 200_000
"""The most rows that are judged on the driver. Their view takes some 40 MB in Arrow and a few times that in
pandas; more rows stay in Spark. A chunk has at most `chunks.max_photos`, fewer or as many as this."""


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

    `refusals` are the rows that are refused. `blocked` has a sentence for each
    reason to block all rows, by that reason's name.
    """

    findings: Sequence[ExpectationResult]
    refusals: Refusals
    blocked: Mapping[str, str]

    @property
    def refused(self) -> int:
        """The number of refused rows."""
        return self.refusals.count


def judged_rows(
    view: View, suite: ExpectationSuite, *, expected: int | None, most: int = ROWS_ON_DRIVER
) -> JudgedRows:
    """Return the rows of a view for the engine that judges them by a suite: pandas on the driver, or Spark
    where there are more than `most`, or where pandas might judge otherwise.

    `expected` is the number of rows that there should be; a view that should have more isn't tried.
    """
    is_small = expected is None or expected <= most
    is_alike = is_small and suites.are_judged_alike(suite, view.columns)
    table = view.on_driver(most=most) if is_alike else None
    return SparkRows(view.in_spark()) if table is None else ArrowRows(table)


def judge(
    rows: JudgedRows,
    suite: ExpectationSuite,
    *,
    expected: int | None,
    gates: GateSettings | None = None,
    refused_before: Mapping[str, int] = NO_REFUSALS,
    may_refuse_rows: bool = True,
) -> Verdict:
    """Return the verdict on the rows of a view, which may have none.

    `expected` is the number of rows that there must be, or None where it isn't known. With `gates`, too
    large a share of refused rows blocks them all; `refused_before` counts the photos of the chunk that were
    refused earlier, by reason. Without `may_refuse_rows`, one failing row blocks them all.
    Raises Blocked where an expectation names a column that the view lacks.
    """
    suites.check_columns(suite, rows.columns)
    with rows.held() as count:
        applied = [e for e in suite.expectations if _applies(e, rows=count, expected=expected)]
        batch = rows.batch()
        results = validated(batch, suite, applied, expected=expected)
        refusing = [r for r in results if may_refuse_rows and _has_refused(r)]
        conditions = {
            suites.identity(r.expectation_config): failing_rows(batch, r) for r in refusing
        }
        refusals = rows.refusals(batch, conditions)
    unclear = _unclear(refusing, refusals.flagged)
    findings = [
        _finding(suite.name, result, may_refuse_rows=may_refuse_rows, unclear=unclear)
        for result in results
    ]
    blocked = _blocking(findings)
    if gates:
        blocked |= _too_many_refused(
            suite.name,
            findings,
            rows=count,
            refused=refusals.count,
            refused_before=refused_before,
            gates=gates,
        )
    skipped = [_skipped(suite.name, e) for e in suite.expectations if e not in applied]
    return Verdict([*findings, *skipped], refusals, blocked)


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


def _unclear(refusing: Sequence[Any], flagged: Mapping[str, int]) -> Mapping[str, str]:
    """Return an error for each expectation whose failing rows can't be told, by its id: its condition flags
    another number of rows than Great Expectations counted."""
    return {
        suites.identity(result.expectation_config): "it can't be told which rows fail"
        for result in refusing
        if flagged[suites.identity(result.expectation_config)] != result.result["unexpected_count"]
    }


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
        observed=_number(observed),
        unexpected_count=_failing(result.result),
        element_count=result.result.get("element_count"),
        action=action,
        error=error,
    )


def _number(observed: Any) -> str | None:
    """Return an observed number as text, None for anything else. Pandas' numbers are NumPy's."""
    value = observed.item() if isinstance(observed, np.generic) else observed
    return repr(value) if isinstance(value, int | float) else None


def _failing(result: Mapping[str, Any]) -> int | None:
    """Return the number of rows that fail, None for an expectation that isn't about rows.

    Spark's sum over no rows, such as those of a condition that none fulfils, is null.
    """
    count: int | None = result.get("unexpected_count")
    return 0 if count is None and "unexpected_count" in result else count
