"""Work of Spark's tasks that reads no row through Java: each task gets its own share, and gives back a few
facts, or rows that it made.

Spark schedules the tasks, gives them to workers, tries one again whose worker died, and scales. What the
tasks read and write, they read and write themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

Share = TypeVar("Share")
Facts = TypeVar("Facts")

FACTS = "facts binary"
"""The column of what a task gives back."""


def slots(spark: SparkSession) -> int:
    """Return how many tasks may run at once: on the executors of now, or on those that Spark may add, where
    the settings say how many."""
    context = spark.sparkContext
    settings = context.getConf()
    may_come = 0
    if settings.get("spark.dynamicAllocation.enabled", "false") == "true":
        most = int(settings.get("spark.dynamicAllocation.maxExecutors", "0") or 0)
        may_come = most * int(settings.get("spark.executor.cores", "1") or 1)
    return max(context.defaultParallelism, may_come)


def arrow_tasks(
    spark: SparkSession, shares: Sequence[Share], work: Callable[[Share], Facts]
) -> list[Facts]:
    """Return what `work` makes of each share on a worker, in the order of the shares.

    The first ones begin first. A share may be worked on more than once, of which one result counts.
    """
    if not shares:
        return []

    def done(share: tuple[int, Share]) -> Iterator[pa.RecordBatch]:
        facts = pickle.dumps((share[0], work(share[1])))
        yield pa.RecordBatch.from_pydict({"facts": pa.array([facts], pa.binary())})

    # What a share names, such as photos in a landing folder, doesn't stay with the workers.
    broadcast = spark.sparkContext.broadcast(list(enumerate(shares)))
    try:
        rows = _frame(spark, broadcast, len(shares), done, FACTS).toArrow()
    finally:
        broadcast.destroy()
    found = dict(map(pickle.loads, rows["facts"].to_pylist()))
    return [found[number] for number in range(len(shares))]


def arrow_frame(
    spark: SparkSession,
    shares: Sequence[Share],
    work: Callable[[Share], Iterator[pa.RecordBatch]],
    schema: str | StructType,
) -> DataFrame:
    """Return a frame of the rows that `work` makes of each share on a worker: a task has one share."""
    broadcast = spark.sparkContext.broadcast(list(shares))
    return _frame(spark, broadcast, len(shares), work, schema)


def _frame(
    spark: SparkSession,
    shares: Broadcast[list[Share]],
    count: int,
    work: Callable[[Share], Iterator[pa.RecordBatch]],
    schema: str | StructType,
) -> DataFrame:
    """The shares are a broadcast, so that nothing of them stands in a query plan. To ask it for their `count`
    here would read all of them back."""

    def made(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column("id").to_pylist():
                yield from work(shares.value[number])

    numbers = spark.range(0, count, numPartitions=max(count, 1))
    return numbers.mapInArrow(made, schema)
