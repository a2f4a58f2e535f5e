"""The number of files in which a large table's rows are written."""

from __future__ import annotations

from pyspark.sql import SparkSession

FILE_BYTES = 128 << 20
"""The size of a large table's files, about, in bytes."""

SHARED_BYTES = 16 << 20
"""A commit of more bytes is worth a second file, which a second core writes."""


def files_for(size: int, spark: SparkSession) -> int:
    """Return how many files hold so many bytes: one a core or a FILE_BYTES, and a single one for little."""
    cores = spark.sparkContext.defaultParallelism
    return max(1, min(cores, size // SHARED_BYTES), size // FILE_BYTES)
