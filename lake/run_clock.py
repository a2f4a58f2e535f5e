"""The clock of a run: how long its start and its end take, beside its layers, and what they consist of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

START, END = "start", "end"
"""The stages of a run before its first layer and after its last one."""

STARTTIME = 19
"""The place of a process's start in /proc/self/stat, of what follows its name there; see proc_pid_stat(5)."""

_BEGUN: ContextVar[datetime | None] = ContextVar("begun", default=None)


def _now() -> datetime:
    return datetime.now(UTC)


def call_began(at: datetime) -> None:
    """Tell when the call of the command line began whose run comes next."""
    _BEGUN.set(at)


def process_began() -> datetime:
    """Return when this process began: by Linux's own record, elsewhere by the seconds that it has computed,
    which are fewer than those of a clock on the wall."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[STARTTIME])
        up = float(Path("/proc/uptime").read_text().split()[0])
        seconds = up - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        seconds = time.process_time()
    return _now() - timedelta(seconds=max(seconds, 0.0))


def _taken() -> datetime:
    """Return when the call began, for one run only; a run that no command line made begins now."""
    begun = _BEGUN.get() or _now()
    _BEGUN.set(None)
    return begun


@dataclass
class RunClock:
    """When a run `begun`, and its `stage` now: the start, a layer, or the end.

    `parts` has the seconds that parts of a stage took, by the stage and the name of the part; a part within
    another one is not counted twice. `afterwards` is what to do when Spark has stopped and the lease is
    given back, if all went well: the run is over then, and its seconds are known.
    """

    begun: datetime = field(default_factory=_taken)
    stage: str = START
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    _inner: list[float] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the seconds in this context as a part of the present stage."""
        stage, started = self.stage, _now()
        self._inner.append(0.0)
        try:
            yield
        finally:
            seconds = (_now() - started).total_seconds()
            self.add(name, seconds - self._inner.pop(), stage=stage)
            if self._inner:
                self._inner[-1] += seconds

    def add(self, name: str, seconds: float, *, stage: str | None = None) -> None:
        """Count seconds as a part of a stage, by default the present one."""
        of_stage = self.parts.setdefault(stage or self.stage, {})
        of_stage[name] = of_stage.get(name, 0.0) + seconds

    def add_rest(self, name: str) -> None:
        """Count what no part of the present stage has taken as a part of it. It must be the first stage."""
        self.add(name, self.seconds - sum(self.parts.get(self.stage, {}).values()))

    @property
    def seconds(self) -> float:
        """The seconds from the beginning to now."""
        return (_now() - self.begun).total_seconds()
