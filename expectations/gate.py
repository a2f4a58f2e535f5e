"""The gate: a chunk, judged by a suite. Rows that fail are refused one by one, or the chunk is blocked.

Great Expectations says whether each expectation holds, with counts only. Which rows fail comes from its
own condition metrics as Spark columns, so that nothing is collected and no rule is written twice.
"""

from __future__ import annotations

import functools
import logging
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import Blocked
from conf.settings import Gates
from expectations import suites
from lake import catalog
from lake.catalog import Table
from lake.chunks import Chunk, State
from lake.gates import Passed
from lake.lake import Lake

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

REASON = "expectation:"
"""What a quarantine reason begins with when it names an expectation."""


@dataclass(frozen=True)
class Finding:
    """One expectation of one gate. Numbers only: no value of a row."""

    suite: str
    expectation: str
    severity: str
    success: bool
    observed: str | None
    unexpected_count: int | None
    element_count: int | None
    action: str
    error: str | None = None

    @property
    def line(self) -> str:
        """For the screen."""
        if self.error:
            return f"{self.expectation} could not be evaluated: {self.error}"
        if self.unexpected_count is not None:
            return f"{self.expectation}: {self.unexpected_count} of {self.element_count} rows fail"
        return f"{self.expectation}: observed {self.observed}"

    def row(self, *, table_version: int | None) -> dict[str, Any]:
        """The row of ops/quality, but for run_id and chunk."""
        names = ("suite", "expectation", "severity", "success", "observed", "action")
        numbers = ("unexpected_count", "element_count")
        return {name: getattr(self, name) for name in names + numbers} | {
            "table_version": table_version,
            "judged_at": datetime.now(UTC),
        }


@dataclass(frozen=True)
class Verdict:
    """What a gate found. `reason` is a column over the judged frame: why a row is refused, or null.

    `refused` counts such rows; `blocked` holds the sentences that block the chunk, if any.
    """

    findings: Sequence[Finding]
    reason: Column
    refused: int
    blocked: Sequence[str]


@dataclass(frozen=True)
class SuiteGate:
    """The gate that layers pass through (`lake.gates.Gate`): judges, records, and blocks."""

    lake: Lake
    gates: Gates
    folder: Path = suites.HERE

    def __call__(
        self,
        rows: DataFrame,
        suite: str,
        *,
        chunk: Chunk,
        table: Table,
        refused_before: int = 0,
        may_refuse_rows: bool = True,
    ) -> Passed:
        """See `lake.gates.Gate`."""
        verdict = judge(
            rows,
            suites.load(suite, folder=self.folder),
            gates=self.gates,
            refused_before=refused_before,
            may_refuse_rows=may_refuse_rows,
        )
        self._record(verdict, chunk=chunk, table=table)
        if verdict.blocked:
            self.lake.ledger.reached(chunk, State.BLOCKED)
            raise Blocked(
                f"{chunk.layer} chunk {chunk.number} is blocked, and nothing of it goes on: "
                f"{'; '.join(verdict.blocked)}. Mend the data, the rule or the bound, and run again: "
                f"this chunk is judged first."
            )
        return Passed(verdict.reason, verdict.refused)

    def _record(self, verdict: Verdict, *, chunk: Chunk, table: Table) -> None:
        """To ops/quality, with the version of the table that holds the rows: a published chunk's own,
        for a staged one that which its publication makes, none for one that is blocked."""
        version: int | None = chunk.versions.get(table.name)
        if version is None and not verdict.blocked:
            version = self.lake.version(table) + 1
        rows = [
            {
                **finding.row(table_version=version),
                "run_id": self.lake.run.run_id,
                "chunk": chunk.number,
            }
            for finding in verdict.findings
        ]
        if rows:
            self.lake.record(catalog.QUALITY, rows, layer=chunk.layer, chunk=chunk.number)


def judge(
    frame: DataFrame,
    suite: ExpectationSuite,
    *,
    gates: Gates,
    refused_before: int = 0,
    may_refuse_rows: bool = True,
) -> Verdict:
    """The verdict on a chunk's rows, of which there may be none; `frame` is narrow, and cached meanwhile."""
    rows = frame.persist().count()
    try:
        batch, results = _validated(frame, suite) if rows else (None, [])
        criticals = [r for r in results if _is_row_level(r) and _severity(r) == "critical"]
        failing = [r for r in criticals if not r.success and not _error(r)]
        reason = _reason(batch, failing) if may_refuse_rows else F.lit(None).cast("string")
        refused = frame.select(reason.alias("r")).where("r is not null").count() if failing else 0
    finally:
        frame.unpersist()
    findings = [_finding(suite.name, result, may_refuse_rows=may_refuse_rows) for result in results]
    blocked = [f"{suite.name}: {f.line}" for f in findings if f.action == "blocked"]
    share = (refused + refused_before) / max(rows + refused_before, 1)
    if rows + refused_before >= gates.counted_from and share > gates.refused_share:
        by_name = ", ".join(f.line for f in findings if f.action == "quarantined")
        blocked.append(
            f"{suite.name}: {refused + refused_before} of {rows + refused_before} photos are refused, over "
            f"gates.refused_share = {gates.refused_share}" + (f" ({by_name})" if by_name else "")
        )
    return Verdict(findings, reason, refused, blocked)


def _validated(frame: DataFrame, suite: ExpectationSuite) -> tuple[Batch, list[Any]]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # It sets its own level to INFO, and tells of each temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_spark("chunk").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    # Without the count of 0 it collects values of failing rows, which belong in no log.
    form = {"result_format": "BASIC", "partial_unexpected_count": 0}
    return batch, list(batch.validate(context.suites.add(suite), result_format=form).results)


def _is_row_level(result: Any) -> bool:
    return hasattr(result.expectation_config.to_domain_obj(), "map_metric")


def _severity(result: Any) -> str:
    return str(getattr(result.expectation_config.severity, "value", "critical"))


def _error(result: Any) -> str | None:
    """The first exception inside an expectation: one, or one a metric."""
    info = result.exception_info or {}
    for each in [info] if "raised_exception" in info else info.values():
        if each["raised_exception"]:
            return str(each["exception_message"]).strip().splitlines()[0]
    return None


def _finding(suite: str, result: Any, *, may_refuse_rows: bool) -> Finding:
    error, severity = _error(result), _severity(result)
    if error:
        action = "blocked"
    elif result.success:
        action = "passed"
    elif severity != "critical":
        action = "warned"
    else:
        action = "quarantined" if may_refuse_rows and _is_row_level(result) else "blocked"
    observed = result.result.get("observed_value")
    return Finding(
        suite=suite,
        expectation=result.expectation_config.meta["id"],
        severity=severity,
        success=bool(result.success),
        observed=repr(observed) if isinstance(observed, int | float) else None,
        unexpected_count=result.result.get("unexpected_count"),
        element_count=result.result.get("element_count"),
        action=action,
        error=error,
    )


def _reason(batch: Batch | None, failing: Sequence[Any]) -> Column:
    """The first failing expectation of each row, in the suite's order; null for a row that passes."""
    reasons = [
        F.when(
            _fails(batch, result.expectation_config.to_domain_obj()),
            F.lit(REASON + result.expectation_config.meta["id"]),
        )
        for result in failing
    ]
    return F.coalesce(*reasons, F.lit(None).cast("string"))


def _fails(batch: Any, expectation: Expectation) -> Column:
    """Great Expectations' own condition for a row that its expectation did not expect."""
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine = batch.data.execution_engine
    metric = expectation.map_metric  # type: ignore[attr-defined]
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
    return F.coalesce(functools.reduce(operator.and_, within, condition), F.lit(False))
