"""Judging rows by a suite: what each expectation found, which rows fail, and what blocks.

Great Expectations says whether each expectation holds, with counts only. Which rows fail comes from its
own condition metrics as Spark columns, so that nothing is collected and no rule is written twice.
"""

from __future__ import annotations

import functools
import logging
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.settings import GateSettings
from expectations import suites
from lake.interfaces import NO_REFUSALS

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

REASON = "expectation:"
"""What a quarantine reason begins with when it names an expectation."""

REFUSED_SHARE = "refused_share"
"""The reason where too many rows of a chunk are refused."""

SKIPPED = "skipped"
"""The action for an expectation that has nothing to compare with."""

ERROR_CLASS = re.compile(r"\[[A-Z][A-Z0-9_.]+\]|\w+(?:Error|Exception)\b")


@dataclass(frozen=True)
class ExpectationResult:
    """One expectation and what was found. Numbers only: no value of a row."""

    suite: str
    expectation: str
    severity: str
    success: bool
    observed: str | None = None
    unexpected_count: int | None = None
    element_count: int | None = None
    action: str = "passed"
    error: str | None = None

    @property
    def line(self) -> str:
        """For the screen."""
        if self.error:
            return (
                f"{self.expectation} could not be evaluated: {self.error}; mend it in "
                f"expectations/{self.suite}.json"
            )
        if self.unexpected_count is not None:
            return (
                f"{self.expectation}: {self.unexpected_count:,} of {self.element_count:,} rows fail"
            )
        return f"{self.expectation}: observed {self.observed}"


@dataclass(frozen=True)
class Verdict:
    """What a suite found. `reason` is a column over the judged view: why a row is refused, or null.

    `refused` counts such rows; `blocked` has a sentence for each reason to block the whole, if any.
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
    """The verdict on the rows of a view, of which there may be none; it is cached meanwhile.

    `expected`: how many rows there must be; None where nobody can tell. With `gates`, too large a share
    of refused rows blocks. Where rows may not be refused one by one, one that fails blocks.
    Raises Blocked (an expectation names a column that the view lacks).
    """
    suites.check_columns(suite, view.columns)
    rows = view.persist().count()
    try:
        applied = [e for e in suite.expectations if _applies(e, rows=rows, expected=expected)]
        batch, results = _validated(view, suite, applied, expected=expected)
        failing = [
            result
            for result in results
            if may_refuse_rows and _refuses(result) and not result.success and not _error(result)
        ]
        reason, refused, untold = _refused(view, batch, failing)
    finally:
        view.unpersist()
    findings = [
        _finding(suite.name, result, may_refuse_rows=may_refuse_rows, untold=untold)
        for result in results
    ]
    blocked = {
        REASON + finding.expectation: f"{suite.name}: {finding.line}"
        for finding in findings
        if finding.action == "blocked"
    }
    before = sum(refused_before.values())
    whole, gone = rows + before, refused + before
    if gates and whole >= gates.counted_from and gone / whole > gates.refused_share:
        why = [f"{count:,} {reason}" for reason, count in sorted(refused_before.items())]
        why += [finding.line for finding in findings if finding.action == "quarantined"]
        blocked[REFUSED_SHARE] = (
            f"{suite.name}: {gone:,} of {whole:,} photos are refused ({', '.join(why)}), over "
            f"gates.refused_share = {gates.refused_share}"
        )
    left_out = [e for e in suite.expectations if e not in applied]
    findings += [
        ExpectationResult(
            suite.name, suites.identity(e), e.severity.value, success=True, action=SKIPPED
        )
        for e in left_out
    ]
    return Verdict(findings, reason, refused, blocked)


def _applies(expectation: Expectation, *, rows: int, expected: int | None) -> bool:
    """Of no rows only their number can be judged; and that only where somebody knows what it must be."""
    if expected is None and suites.parameters(expectation.configuration.kwargs):
        return False
    return bool(rows) or expectation.expectation_type.startswith("expect_table_")


def _validated(
    view: DataFrame,
    suite: ExpectationSuite,
    applied: Sequence[Expectation],
    *,
    expected: int | None,
) -> tuple[Batch | None, list[Any]]:
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types.base import ProgressBarsConfig

    if not applied:
        return None, []
    # It sets its own level to INFO, and tells of each temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.analytics_enabled = False
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_spark("lake").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": view})
    some = ExpectationSuite(
        name=suite.name, expectations=[e.configuration.to_json_dict() for e in applied]
    )
    found = batch.validate(
        context.suites.add(some),
        # Without the count of 0 it collects values of failing rows, which belong in no log.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        expectation_parameters={suites.EXPECTED_ROWS: expected},
    )
    places = {suites.identity(e): place for place, e in enumerate(applied)}
    ordered = sorted(found.results, key=lambda r: places[suites.identity(r.expectation_config)])
    return batch, ordered


def _refuses(result: Any) -> bool:
    """Whether the expectation is about single rows, and a failing one must not pass."""
    expectation = result.expectation_config.to_domain_obj()
    return hasattr(expectation, "map_metric") and _severity(result) == "critical"


def _severity(result: Any) -> str:
    return str(getattr(result.expectation_config.severity, "value", "critical"))


def _error(result: Any) -> str | None:
    """What kind of exception was raised inside an expectation; its message may hold a value of a row."""
    info = result.exception_info or {}
    for each in [info] if "raised_exception" in info else info.values():
        if each["raised_exception"]:
            kinds = ERROR_CLASS.findall(
                f"{each['exception_message']}\n{each['exception_traceback']}"
            )
            return next((k for k in kinds if k[0] == "["), kinds[-1] if kinds else "an exception")
    return None


def _finding(
    suite: str, result: Any, *, may_refuse_rows: bool, untold: Mapping[str, str]
) -> ExpectationResult:
    identity = suites.identity(result.expectation_config)
    error, severity = _error(result) or untold.get(identity), _severity(result)
    if error:
        action = "blocked"
    elif result.success:
        action = "passed"
    elif severity != "critical":
        action = "warned"
    else:
        action = "quarantined" if may_refuse_rows and _refuses(result) else "blocked"
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
    view: DataFrame, batch: Batch | None, failing: Sequence[Any]
) -> tuple[Column, int, Mapping[str, str]]:
    """Why each row is refused (the first failing expectation in the suite's order), and how many are.

    And the expectations whose failing rows can't be told: the rows that their condition flags are not as
    many as Great Expectations counted.
    """
    flags = {suites.identity(r.expectation_config): _fails(batch, r) for r in failing}
    reasons = [F.when(flag, F.lit(REASON + identity)) for identity, flag in flags.items()]
    reason = F.coalesce(*reasons, F.lit(None).cast("string"))
    if not flags:
        return reason, 0, {}
    flagged = view.select(*(flag.alias(identity) for identity, flag in flags.items()))
    count = F.count(F.when(functools.reduce(operator.or_, map(_column, flags)), 1))
    each = [F.count(F.when(_column(identity), 1)) for identity in flags]
    refused, *counted = flagged.agg(count.alias("refused"), *each).collect()[0]
    untold = {
        suites.identity(result.expectation_config): "it can't be told which rows fail"
        for result, found in zip(failing, counted, strict=True)
        if found != result.result["unexpected_count"]
    }
    return reason, refused, untold


def _column(name: str) -> Column:
    return F.col(f"`{name}`")


def _fails(batch: Any, result: Any) -> Column:
    """Great Expectations' own condition for a row that its expectation did not expect."""
    from great_expectations.expectations.row_conditions import deserialize_row_condition
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine = batch.data.execution_engine
    expectation = result.expectation_config.to_domain_obj()
    metric = expectation.map_metric
    needed = expectation.get_validation_dependencies(engine).metric_configurations
    counted = needed[f"{metric}.unexpected_count"]
    condition, domain, _ = MetricsCalculator(engine, show_progress_bars=False).get_metric(
        MetricConfiguration(
            metric_name=f"{metric}.condition",
            metric_domain_kwargs=counted.metric_domain_kwargs,
            metric_value_kwargs=counted.metric_value_kwargs,
        )
    )
    within = [F.expr(each.condition) for each in domain.get("filter_conditions", ())]
    if condition_of_rows := domain.get("row_condition"):
        told = deserialize_row_condition(condition_of_rows)
        within.append(F.expr(engine.condition_to_filter_clause(told)))
    return F.coalesce(functools.reduce(operator.and_, within, condition), F.lit(False))
