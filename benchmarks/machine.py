"""The machine that a benchmark runs on, as its numbers name it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lake.cpu_cores import cores


def load() -> list[float]:
    """The mean number of processes that wanted a core, of the last 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]


def facts(libraries: Sequence[str]) -> dict[str, Any]:
    """The processor, its cores, the system, and the versions of Python and of these libraries."""
    return {
        **_cpu(),
        "cores": cores(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
    }


def _cpu() -> dict[str, Any]:
    """Its name, and how many threads the system says that a core of it has. Unknown without /proc."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {"cpu": platform.processor() or "unknown", "threads_per_core": None}
    told = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    siblings, own = (
        int(told[name]) if name in told else None for name in ("siblings", "cpu cores")
    )
    threads = siblings // own if siblings and own else None
    return {"cpu": told.get("model name", "unknown"), "threads_per_core": threads}
