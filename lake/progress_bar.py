"""The progress of a layer while Spark works: photos done, photos a second, and the time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Count = Callable[[int], None]
"""A function that a worker calls with a number of photos that it has done. The number reaches the driver when
the worker's task ends."""

EVERY = 0.5
"""The seconds between two updates of the bar."""


class _Rate(TextColumn):
    """The column of the bar that shows photos a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f} photos/s" if rate else "– photos/s")


@contextmanager
def counted(spark: SparkSession, console: Console, *, title: str, photos: int) -> Iterator[Count]:
    """Yield the function by which workers count their photos, and show the progress in this context.

    A terminal shows a bar meanwhile; at the end, one line gives the photos and their seconds. The rate of a
    layer, with its gates and commits, stands in the summary of the run.
    """
    accumulator = spark.sparkContext.accumulator(0)
    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
        speed_estimate_period=120,
    )
    task = bar.add_task(title, total=photos)
    over = threading.Event()

    def follow() -> None:
        while not over.wait(EVERY):
            bar.update(task, completed=min(accumulator.value, photos))

    follower = threading.Thread(target=follow, daemon=True)
    with bar:
        follower.start()
        try:
            yield lambda done: accumulator.add(done)
        finally:
            over.set()
            follower.join()
    seconds = time.monotonic() - started
    console.print(f"{title}: {photos:,} photos in {seconds:,.1f} s")
