"""Work of Spark's tasks that moves no row through Java: each task gets its own share, and gives back a few
facts.

Spark schedules the tasks, gives them to workers, tries one again whose worker died, and scales. What the
tasks read and write, they read and write themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import SparkSession

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

    The shares go to the workers as a broadcast, so that nothing of them stands in a query plan. The first
    ones begin first. A share may be worked on more than once, of which one result counts.
    """
    if not shares:
        return []
    broadcast = spark.sparkContext.broadcast(list(shares))

    def done(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column("id").to_pylist():
                facts = pickle.dumps((number, work(broadcast.value[number])))
                yield pa.RecordBatch.from_pydict({"facts": pa.array([facts], pa.binary())})

    try:
        numbers = spark.range(0, len(shares), numPartitions=len(shares))
        rows = numbers.mapInArrow(done, FACTS).toArrow()
    finally:
        broadcast.destroy()
    found = dict(map(pickle.loads, rows["facts"].to_pylist()))
    return [found[number] for number in range(len(shares))]
