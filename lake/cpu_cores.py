"""The processor cores that this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many they are, as many as Spark's local[*] takes."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
