"""Column expressions that more than one layer needs."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def norm(vector: str) -> Column:
    """The Euclidean norm of an array column in float64: NaN or infinite where a value is, null for null."""
    squares = F.aggregate(
        vector, F.lit(0.0), lambda total, x: total + x.cast("double") * x.cast("double")
    )
    return F.sqrt(squares)
