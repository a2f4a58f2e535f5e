"""Rows that Great Expectations' Spark engine judges: any number of them, and none comes to the driver."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from expectations.judged_rows import REASON, ROWS
from expectations.suite_runner import data_source_of_rows, gx_context

if TYPE_CHECKING:
    from great_expectations.datasource.fluent.interfaces import Batch


@dataclass(frozen=True)
class SparkRefusals:
    """Rows that fail (`judged_rows.Refusals`), as a frame that is computed when it is read."""

    view: DataFrame
    reason: Column
    flagged: Mapping[str, int]
    count: int

    def rows(self, *columns: str, otherwise: str | None = None) -> DataFrame:
        """Return the rows that fail, with their reasons; see `judged_rows.Refusals`."""
        reason = F.coalesce(self.reason, F.lit(otherwise).cast("string"))
        judged = self.view.withColumn("reason", reason).where("reason is not null")
        return judged.select(*columns, "reason")


class SparkRows:
    """The rows of a view as a frame (`judged_rows.JudgedRows`)."""

    def __init__(self, view: DataFrame) -> None:
        self._view = view

    @property
    def columns(self) -> Sequence[str]:
        """The names of the view's columns."""
        return self._view.columns

    @contextmanager
    def held(self) -> Iterator[int]:
        """Caches the rows for a while, and gives their number."""
        with data_source_of_rows():
            try:
                yield self._view.persist().count()
            finally:
                self._view.unpersist()

    def batch(self) -> Batch:
        """Return the rows as a batch of Great Expectations."""
        source = gx_context().data_sources.add_spark(ROWS)
        definition = source.add_dataframe_asset(ROWS).add_batch_definition_whole_dataframe(ROWS)
        return definition.get_batch({"dataframe": self._view})

    def refusals(self, batch: Batch, conditions: Mapping[str, tuple[Any, Any]]) -> SparkRefusals:
        """Return the rows that fail, which one Spark job counts; see `judged_rows.JudgedRows`."""
        engine = batch.data.execution_engine
        flags = {i: _flag(condition, engine) for i, condition in conditions.items()}
        if not flags:
            return SparkRefusals(self._view, F.lit(None).cast("string"), {}, 0)
        reasons = [F.when(flag, F.lit(REASON + identity)) for identity, flag in flags.items()]
        flagged = self._view.select(*(flag.alias(identity) for identity, flag in flags.items()))
        any_flag = functools.reduce(operator.or_, map(_column, flags))
        total = F.count(F.when(any_flag, 1))
        counts = [F.count(F.when(_column(identity), 1)) for identity in flags]
        refused, *numbers = flagged.agg(total.alias("refused"), *counts).collect()[0]
        by_id = dict(zip(flags, numbers, strict=True))
        return SparkRefusals(self._view, F.coalesce(*reasons), by_id, refused)


def _flag(condition: tuple[Any, Any], engine: Any) -> Column:
    """Return Great Expectations' condition as a column that is true for the rows that fail."""
    from great_expectations.expectations.row_conditions import deserialize_row_condition

    fails, domain = condition
    within = [F.expr(each.condition) for each in domain.get("filter_conditions", ())]
    if condition_of_rows := domain.get("row_condition"):
        row_condition = deserialize_row_condition(condition_of_rows)
        within.append(F.expr(engine.condition_to_filter_clause(row_condition)))
    return F.coalesce(functools.reduce(operator.and_, within, fails), F.lit(False))


def _column(name: str) -> Column:
    """Return the column of that name, which may contain characters such as a dash."""
    return F.col(f"`{name}`")
