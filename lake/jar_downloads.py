"""Turns of processes that have Ivy download Spark's jars: two that do at once spoil its cache."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.errors import BadInput

CACHE = "~/.ivy2.5.2"
"""The folder where Spark 4.0 has Ivy keep jars, unless its setting spark.jars.ivy names another one."""


@contextmanager
def in_turn(packages: str, cache: str = CACHE) -> Iterator[None]:
    """Start Java in this context while no other process of this machine downloads jars into the same cache.

    `packages` are Maven coordinates with commas between them, as in spark.jars.packages. Where the cache has
    the jar of each, processes start side by side. Where one is missing, the process waits for those that have
    begun to start, and those that come wait for it. Raises BadInput where the folder can't be written.
    """
    folder = Path(cache).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "fruit-lake.lock").open("wb")
    except OSError as error:
        raise BadInput(
            f"spark.config: the folder {folder}, where Spark keeps its jars, can't be written "
            f"({error.strerror}); name another one as spark.jars.ivy."
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_SH if _has_all(folder, packages) else fcntl.LOCK_EX)
        yield


def _has_all(folder: Path, packages: str) -> bool:
    """Whether an earlier start has put the jar of each package into the folder, under Spark's name for it."""
    names = (
        package.strip().replace(":", "_", 1).replace(":", "-") for package in packages.split(",")
    )
    return all((folder / "jars" / f"{name}.jar").exists() for name in names)
