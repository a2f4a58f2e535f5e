"""Small answers from frames: one row, or counts by the value of a column."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Row


def newest(frame: DataFrame, by: str) -> Row | None:
    """The row with the latest time in the column `by`; None where the frame has no rows."""
    return frame.orderBy(by, ascending=False).first()


def only(frame: DataFrame) -> dict[str, Any] | None:
    """The one row of a frame by column name; None where the frame has no rows.

    The row comes by Arrow: moments are some ten megabytes, which Spark would pickle for half a second.
    """
    rows: list[dict[str, Any]] = frame.toArrow().to_pylist()
    if not rows:
        return None
    [row] = rows
    return row


def counts(frame: DataFrame, column: str) -> dict[Any, int]:
    """The number of rows for each value of a column."""
    rows: list[Row] = frame.groupBy(column).count().collect()
    return {row[0]: row[1] for row in rows}
