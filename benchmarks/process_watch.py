"""A process that is measured, seen from outside: its peak memory, and what other programs took meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

LOOK_EVERY = 0.5
"""Seconds."""


def watched(command: Sequence[str], *, place: Path, log: Path) -> tuple[int, Watch]:
    """Runs a command in the folder `place` to its end: its exit code, and what was seen meanwhile."""
    began = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=place, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    watch = Watch(process.pid)
    try:
        while not _ends_within(LOOK_EVERY, process):
            watch.look()
        watch.seconds = time.perf_counter() - began
    finally:
        process.kill()  # nothing, once it has ended; the JVM ends with its Python
        process.wait()
    return process.returncode, watch


def _ends_within(seconds: float, process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def end_of(log: Path) -> str:
    """The last lines of what a process printed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])


class Watch:
    """A process and its descendants, seen from outside through /proc; elsewhere nothing is known.

    `peak` is resident memory in bytes at its highest, by kind: the JVM, the driver's Python, all other
    Pythons together, which are the workers and their decoders (pages that they share count in each);
    `a worker` is the largest of these. `seconds` passed from before its start until its end was seen, which
    is 0.05 s after it at most.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak: dict[str, int] = {}
        self.seconds = 0.0
        self._ticks: dict[int, int] = {}
        self._first = self._last = _machine_ticks()

    def look(self) -> None:
        """Takes one sample."""
        if self._first is None:
            return
        seen = dict(_processes())
        now: dict[str, int] = defaultdict(int)
        for pid, (name, _, ticks, resident) in seen.items():
            if not self._is_ours(pid, seen):
                continue
            self._ticks[pid] = ticks
            kind = "JVM" if name == "java" else "driver" if pid == self.pid else "workers"
            if kind == "workers":
                # Between fork and exec a child of Java's has its memory, and the name of a thread.
                if not name.startswith("python"):
                    continue
                now["a worker"] = max(now["a worker"], resident)
            now[kind] += resident
        for kind, resident in now.items():
            self.peak[kind] = max(resident, self.peak.get(kind, 0))
        self._last = _machine_ticks()

    def _is_ours(self, pid: int, seen: Mapping[int, tuple[str, int, int, int]]) -> bool:
        while pid in seen:
            if pid == self.pid:
                return True
            pid = seen[pid][1]
        return False

    @property
    def others(self) -> float | None:
        """Share of the machine's processor time that went to other programs, or to other machines."""
        if self._first is None or self._last is None or self._last == self._first:
            return None
        busy, total = (b - a for a, b in zip(self._first, self._last, strict=True))
        return max(0.0, busy - sum(self._ticks.values())) / total


def _machine_ticks() -> tuple[int, int] | None:
    """Processor time of the whole machine so far: busy, and busy or idle. None without /proc."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0]
    except OSError:
        return None
    user, nice, system, idle, wait, interrupt, soft, stolen = map(int, first.split()[1:9])
    busy = user + nice + system + interrupt + soft + stolen
    return busy, busy + idle + wait


def _processes() -> Iterable[tuple[int, tuple[str, int, int, int]]]:
    """Every process: its number, and its name, its parent, its ticks and its resident bytes."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            start, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # ended meanwhile
            continue
        values = rest.split()
        ticks, pages = int(values[11]) + int(values[12]), int(values[21])
        name = start.partition("(")[2]
        yield int(folder.name), (name, int(values[1]), ticks, pages * os.sysconf("SC_PAGE_SIZE"))
