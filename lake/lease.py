"""The lease: who may write to the lake. One writer at a time, and readers never wait.

It is one file, changed only by compare-and-swap. Its holder renews it as long as it lives, and before each
commit. A holder that died on this machine is noticed at once, any other by its silence; whoever takes over
must first make it harmless, should it only have been paused (`Lake.writing` does).
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from conf.errors import Busy, FruitLakeError, Inconsistent
from lake.storage.folder import Folder

NAME = "lease.json"
RENEWALS = 6
"""How often a holder renews within the time after which it counts as silent."""

WATCHED = 1 / 3
"""Of that time: how long a silent holder is watched, as its clock may only be another one."""

SKEW = 5.0
"""Seconds that two machines' clocks may differ and still be believed."""

LINGER = 30.0
"""Seconds that a killed writer's Java may take to notice."""


@dataclass(frozen=True)
class Holder:
    """What the file says. Times are seconds since 1970, by the holder's own clock.

    `processes`: the holder's own and its Java's, by number, with the time that each was started, in the
    kernel's own unit. `seconds`: its silence after which it has lost the lease. `is_fenced`: no earlier
    holder can commit any more.
    """

    owner: str
    run_id: str
    host: str
    machine: str
    processes: Mapping[str, str]
    since: float
    renewed: float
    seconds: float
    is_fenced: bool

    @classmethod
    def here(cls, *, run_id: str, seconds: float, is_fenced: bool) -> Self:
        """This process, now."""
        now = time.time()
        own = {str(os.getpid()): _started(os.getpid())}
        token = secrets.token_hex(16)
        host = socket.gethostname()
        return cls(token, run_id, host, machine(), own, now, now, seconds, is_fenced)

    @classmethod
    def read(cls, content: bytes) -> Self:
        """From the file. Raises Inconsistent where it holds something else."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError):
            raise Inconsistent(
                f"The lake's {NAME} is no lease; see that nothing writes there, then delete the file."
            ) from None

    def content(self) -> bytes:
        """For the file."""
        return json.dumps(asdict(self)).encode()

    @property
    def told(self) -> str:
        """For the screen."""
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f"run {self.run_id} on {self.host} (process {next(iter(self.processes))}) since {since}"
        )

    def living(self) -> list[str]:
        """Its processes that still live; for another machine's nobody can say."""
        return [pid for pid, started in self.processes.items() if _started(int(pid)) == started]


def machine() -> str:
    """Tells where process numbers mean the same: this boot of this machine, and its process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{sys.platform} {socket.gethostname()}"


def _started(pid: int) -> str:
    """When the process was started; empty where there is none, or it is dead and not yet reaped."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() or not exists(pid) else "unknown"
    return "" if facts[0] in "ZX" else facts[19]


def exists(pid: int) -> bool:
    """Whether this machine has a process of that number, dead and not yet reaped ones included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Lease:
    """This process' hold on a lake. `held` makes it."""

    def __init__(self, files: Folder, holder: Holder) -> None:
        self._files = files
        self._holder = holder
        self._content = holder.content()
        self._one = threading.Lock()
        self._over = threading.Event()

    @property
    def is_fenced(self) -> bool:
        """Whether earlier holders can't commit any more; else that is to be seen to first."""
        return self._holder.is_fenced

    def check(self) -> None:
        """Renews the lease. To be called before each commit.

        Raises Busy where another process has taken it, OSError where the file can't be written.
        """
        self._change()

    def fenced(self) -> None:
        """Records that no earlier holder can commit any more. Raises as `check`."""
        self._change(is_fenced=True)

    def shared_with(self, pid: int) -> None:
        """Counts another process as part of this holder: it may commit as long as it lives."""
        self._change(processes={**self._holder.processes, str(pid): _started(pid)})

    def _change(self, **changes: object) -> None:
        with self._one:
            changed = replace(self._holder, renewed=time.time(), **changes)  # type: ignore[arg-type]
            content = changed.content()
            if not self._files.swap(NAME, content, expected=self._content):
                raise Busy(self._lost())
            self._holder, self._content = changed, content

    def _lost(self) -> str:
        taken = self._files.read(NAME)
        by = f"by {Holder.read(taken).told}" if taken else "and given back since"
        return (
            f"The lake {self._files.root} was taken over {by}, as this run had not been heard of for "
            f"{self._holder.seconds:g} s; it writes nothing more. Run again to go on from there."
        )

    def keep(self) -> None:
        """Renews until `let_go`; what hinders it is told by the next `check`."""
        while not self._over.wait(self._holder.seconds / RENEWALS):
            try:
                self.check()
            except Busy:
                return
            except OSError:
                continue

    def let_go(self, *, is_clean: bool) -> None:
        """Ends the hold. One that is not clean stays for the next holder to find, and to take over:
        Java may still be at a commit."""
        self._over.set()
        with self._one:
            if is_clean and self.is_fenced:
                self._files.swap(NAME, None, expected=self._content)


@contextmanager
def held(files: Folder, *, run_id: str, seconds: float) -> Iterator[Lease]:
    """The lease for a while; it is given back where nothing worse than one of our own errors ends that.

    Raises Busy, naming the holder, where another process holds it.
    """
    lease = Lease(files, _taken(files, run_id=run_id, seconds=seconds))
    keeper = threading.Thread(target=lease.keep, name="lease", daemon=True)
    keeper.start()
    is_clean = False
    try:
        yield lease
        is_clean = True
    except FruitLakeError:
        is_clean = True
        raise
    except Exception:
        with suppress(OSError):
            lease.check()  # one that has lost the lake may fail at whatever the next holder did there
        raise
    finally:
        lease.let_go(is_clean=is_clean)
        keeper.join()


def _taken(files: Folder, *, run_id: str, seconds: float) -> Holder:
    while True:
        found = files.read(NAME)
        if found is not None and not _is_gone(files, found):
            raise Busy(
                f"The lake {files.root} is held by {Holder.read(found).told}; wait until it is done, "
                f"or stop it, and run again."
            )
        mine = Holder.here(run_id=run_id, seconds=seconds, is_fenced=found is None)
        if files.swap(NAME, mine.content(), expected=found):
            return mine


def writer(files: Folder) -> Holder | None:
    """Who seems to write now, for a reader's word about what it saw: at once, so that a silent holder may be
    taken for a living one. Raises Inconsistent where the file is no lease."""
    found = files.read(NAME)
    holder = Holder.read(found) if found else None
    if holder is None:
        return None
    if holder.machine == machine():
        return holder if holder.living() else None
    return holder if time.time() - holder.renewed < holder.seconds else None


def _is_gone(files: Folder, found: bytes) -> bool:
    """Whether the holder is dead, or silent for so long that it has lost its right."""
    holder = Holder.read(found)
    if holder.machine == machine():
        own = next(iter(holder.processes))
        until = time.monotonic() + LINGER
        while (living := holder.living()) and own not in living and time.monotonic() < until:
            time.sleep(0.1)
        if not living:
            return True
    if -SKEW <= time.time() - holder.renewed < holder.seconds:
        return False
    return not _stirs(files, found, seconds=holder.seconds * WATCHED)


def _stirs(files: Folder, found: bytes, *, seconds: float) -> bool:
    """Whether the file changes meanwhile: then its holder lives, whatever the time that it tells."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if files.read(NAME) != found:
            return True
        time.sleep(0.1)
    return False
