"""Small answers from frames: counts by the value of a column."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Row


def counts(frame: DataFrame, column: str) -> dict[Any, int]:
    """The number of rows for each value of a column."""
    rows: list[Row] = frame.groupBy(column).count().collect()
    return {row[0]: row[1] for row in rows}
