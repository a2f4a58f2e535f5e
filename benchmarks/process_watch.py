"""A process that is measured, seen from outside: its peak memory, and what other programs took meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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

    `peak` is memory in bytes at its highest, by kind: the JVM; the driver's Python; `workers`, which are all
    Pythons below a JVM, or where there is none below the driver; `a worker`, the largest of these with its
    own children; and `helpers`, the largest process that a driver with a JVM has started itself, such as the
    conversion of a model. Of the JVM and the driver it is what is resident; of the others a page that several
    share counts in parts. `seconds` passed from before its start until its end was seen, which is 0.05 s
    after it at most.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._peak: dict[str, int] = {}
        self.seconds = 0.0
        self._ticks: dict[int, int] = {}
        self._first = self._last = _machine_ticks()

    def look(self) -> None:
        """Takes one sample."""
        if self._first is None:
            return
        seen = dict(_processes())
        ours = {pid: line for pid in seen if (line := self._line(pid, seen))}
        below_java: dict[int, int] = defaultdict(int)
        below_driver: dict[int, int] = defaultdict(int)
        now: dict[str, int] = defaultdict(int)
        for pid, line in ours.items():
            process = seen[pid]
            self._ticks[pid] = process.ticks
            if pid == self.pid or process.name == "java":
                now["driver" if pid == self.pid else "JVM"] += process.resident
            # Between fork and exec a child of Java's has its memory, and the name of a thread.
            elif process.name.startswith("python"):
                memory = _own_memory(pid, process)
                pythons = [each for each in line if seen[each].name != "java"]
                if len(pythons) == len(line):
                    below_driver[pythons[1]] += memory
                else:  # the driver, the daemon that forks Spark's workers, a worker
                    below_java[pythons[min(2, len(pythons) - 1)]] += memory
        now["workers"], now["a worker"] = _all_and_largest(below_java)
        now["below driver"], now["one below driver"] = _all_and_largest(below_driver)
        for kind, memory in now.items():
            self._peak[kind] = max(memory, self._peak.get(kind, 0))
        self._last = _machine_ticks()

    @property
    def peak(self) -> dict[str, int]:
        """Memory in bytes at its highest, by kind."""
        found = dict(self._peak)
        together, largest = found.pop("below driver", 0), found.pop("one below driver", 0)
        if "JVM" in found:
            return found | {"helpers": largest}
        return found | {"workers": together, "a worker": largest}

    def _line(self, pid: int, seen: Mapping[int, _Process]) -> list[int]:
        """The processes from the one that is watched down to this one; none where that is no descendant."""
        line = [pid]
        while line[-1] != self.pid:
            if line[-1] not in seen:
                return []
            line.append(seen[line[-1]].parent)
        return line[::-1]

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


class _Process(NamedTuple):
    """A process of /proc: its name, its parent, its ticks and its resident bytes."""

    name: str
    parent: int
    ticks: int
    resident: int


def _all_and_largest(memory: Mapping[int, int]) -> tuple[int, int]:
    return sum(memory.values()), max(memory.values(), default=0)


def _own_memory(pid: int, process: _Process) -> int:
    """The resident bytes of a process, without the parts of shared pages that others count. A user who may
    not see these parts, as of a decoder, gets all of them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except PermissionError:
        return process.resident
    except OSError:  # ended meanwhile
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _processes() -> Iterable[tuple[int, _Process]]:
    """Every process, with its number."""
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
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        yield int(folder.name), _Process(name, int(values[1]), ticks, resident)
