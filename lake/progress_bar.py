"""How far a layer is: photos done, photos/s and time left, while Spark works."""

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
"""Called on a worker with the number of photos it has done. Reaches the driver when its task ends."""

EVERY = 0.5
"""Seconds between two looks at the count."""


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f} photos/s" if rate else "– photos/s")


@contextmanager
def counted(spark: SparkSession, console: Console, *, title: str, photos: int) -> Iterator[Count]:
    """Gives the counter that workers call. A bar on a terminal, elsewhere one line at the end."""
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
    console.print(
        f"{title}: {photos:,} photos in {seconds:,.1f} s, {photos / seconds:,.0f} photos/s"
    )
