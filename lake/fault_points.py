"""Fault points: the places where a run may die, each named in the code by `faults.at("bronze: staged")`.

A test arms them, to die at one and see that the next run ends with the same tables. Unarmed, a point costs
one look at a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_armed: Callable[[str], None] | None = None


def at(point: str) -> None:
    """The run has come to that point."""
    if _armed is not None:
        _armed(point)


@contextmanager
def armed(action: Callable[[str], None]) -> Iterator[None]:
    """Meanwhile every point that is reached calls `action` with its name."""
    global _armed
    _armed = action
    try:
        yield
    finally:
        _armed = None
