"""Fault points: named places in the code where a test can stop a run, such as `at("bronze: staged")`.

A test arms the points, lets a run die at one of them, and checks that the next run ends with the same tables.
A point that isn't armed costs one look at a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_armed: Callable[[str], None] | None = None


def at(point: str) -> None:
    """Mark a point of the code that the run has reached. It does nothing unless a test armed the points."""
    if _armed is not None:
        _armed(point)


@contextmanager
def armed(action: Callable[[str], None]) -> Iterator[None]:
    """Have every point that is reached in this context call `action` with its name."""
    global _armed
    _armed = action
    try:
        yield
    finally:
        _armed = None
