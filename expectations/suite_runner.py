"""The calls to Great Expectations: run a suite on a batch of rows, and read its results.

Great Expectations evaluates each expectation and returns counts only. The rows that fail are found by its own
condition metrics, so that no value is collected and no rule is written twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from expectations import suites
from expectations.judged_rows import ROWS

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation

ERROR_CLASS = re.compile(r"\[[A-Z][A-Z0-9_.]+\]|\w+(?:Error|Exception)\b")


@cache
def gx_context() -> EphemeralDataContext:
    """Return this process's context of Great Expectations, which keeps nothing on disk and sends nothing.

    The first call imports all that a suite needs, which takes 2 to 3 s.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # This logger sets its own level to INFO and logs every temporary folder.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.analytics_enabled = False
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return context


@contextmanager
def data_source_of_rows() -> Iterator[None]:
    """Lets a data source ROWS be added for a while; then Great Expectations forgets it and its rows."""
    try:
        yield
    finally:
        if ROWS in gx_context().data_sources.all():
            gx_context().data_sources.delete(ROWS)


def validated(
    batch: Batch, suite: ExpectationSuite, applied: Sequence[Expectation], *, expected: int | None
) -> list[Any]:
    """Return Great Expectations' results on a batch, in the order of `applied`."""
    from great_expectations.core import ExpectationSuite

    applied_suite = ExpectationSuite(
        name=suite.name, expectations=[e.configuration.to_json_dict() for e in applied]
    )
    found = batch.validate(
        applied_suite,
        # Without a count of 0, values of failing rows are collected, and such values belong in no log.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        expectation_parameters={suites.EXPECTED_ROWS: expected},
    )
    places = {suites.identity(e): place for place, e in enumerate(applied)}
    return sorted(found.results, key=lambda r: places[suites.identity(r.expectation_config)])


def refuses_rows(result: Any) -> bool:
    """Return whether the expectation is about single rows, and rows that fail it must not pass."""
    expectation = result.expectation_config.to_domain_obj()
    return hasattr(expectation, "map_metric") and severity_of(result) == "critical"


def severity_of(result: Any) -> str:
    """Return the severity of the expectation: critical, warning or info."""
    return str(getattr(result.expectation_config.severity, "value", "critical"))


def exception_class(result: Any) -> str | None:
    """Return the class of the exception that an expectation raised, or None.

    The exception's message is not used, because it may contain a value of a row.
    """
    info = result.exception_info or {}
    for each in [info] if "raised_exception" in info else info.values():
        if each["raised_exception"]:
            kinds = ERROR_CLASS.findall(
                f"{each['exception_message']}\n{each['exception_traceback']}"
            )
            return next((k for k in kinds if k[0] == "["), kinds[-1] if kinds else "an exception")
    return None


def failing_rows(batch: Any, result: Any) -> tuple[Any, Any]:
    """Return Great Expectations' own condition, which is true for the rows that fail, and its domain."""
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
    return condition, domain
