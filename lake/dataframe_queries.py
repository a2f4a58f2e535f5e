"""What is asked of frames, and made of them, in more than one place."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lake.catalog import Table


def counts(frame: DataFrame, column: str) -> dict[Any, int]:
    """The number of rows for each value of a column."""
    rows: list[Row] = frame.groupBy(column).count().collect()
    return {row[0]: row[1] for row in rows}


def with_columns(frame: DataFrame, table: Table) -> DataFrame:
    """The rows of a table that earlier code may have made, with null in the columns that it lacks."""
    lacking = (field for field in table.schema if field.name not in frame.columns)
    return frame.withColumns({f.name: F.lit(None).cast(f.dataType) for f in lacking})
