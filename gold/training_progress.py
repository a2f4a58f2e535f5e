"""What a terminal shows while classifiers are trained: the step, and about how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console


class TrainingProgress:
    """The steps of a training, one after another, each with a weight: how long it takes beside the others."""

    def __init__(self, console: Console, weights: Sequence[float]) -> None:
        self._console = console
        self._weights = weights
        self._done = 0
        self._began = time.monotonic()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show the next step while it goes on."""
        with self._console.status(f"{what}, {self.told()}"):
            yield
        self._done += 1

    def told(self) -> str:
        """Return in words where the training stands; after the first step, with the time that is left."""
        step = f"step {self._done + 1:,} of {len(self._weights):,}"
        done = sum(self._weights[: self._done])
        if not done:
            return step
        left = (time.monotonic() - self._began) / done * sum(self._weights[self._done :])
        return f"{step}, about {max(1, round(left)):,} s left"
