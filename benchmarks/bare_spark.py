"""The floor of a small run: a process that starts Spark with Delta, appends to three small tables, reads them
and ends.

    python benchmarks/bare_spark.py FOLDER SETTINGS

SETTINGS is a JSON object of Spark's settings. Nothing of the product is imported, so that the process has no
more to load than a program of twenty lines. The tables are made where they aren't there.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession

TABLES = ("one", "two", "three")
ROWS = 10


def append_and_read(folder: str, settings: dict[str, str]) -> int:
    """Append ROWS rows to each of the tables in a folder, and return how many rows they have then."""
    builder = SparkSession.builder.appName("bare Spark")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    for name in TABLES:
        rows = [(number, f"row {number}") for number in range(ROWS)]
        frame = spark.createDataFrame(rows, "number bigint, text string")
        frame.write.format("delta").mode("append").save(f"{folder}/{name}")
    tables = [spark.read.format("delta").load(f"{folder}/{name}") for name in TABLES]
    held = sum(len(table.collect()) for table in tables)
    spark.stop()
    return held


if __name__ == "__main__":
    print(append_and_read(sys.argv[1], json.loads(sys.argv[2])), "rows")
