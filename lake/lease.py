"""The lease: the right to write to the lake. One process has it at a time, and readers never wait for it.

The lease is one file, which is changed only by compare-and-swap. Its holder renews it as long as it lives,
and before each commit. A holder that died on this machine is noticed at once, any other holder by its
silence. It may only have been paused, so the process that takes over must first make it harmless
(`WritableLake.open` does).
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
from lake import stop_signals
from lake.stop_signals import Stopped
from lake.storage.folder import Folder

NAME = "lease.json"
RENEWALS = 6
"""The number of times that a holder renews the lease within the seconds after which it counts as silent."""

WATCHED = 1 / 3
"""The time for which a silent holder is watched, as a share of those seconds, because its clock may be
wrong."""

SKEW = 5.0
"""The seconds by which another machine's clock may be ahead and still be believed."""

LINGER = 30.0
"""The seconds that the Java process of a killed writer may take to end."""


@dataclass(frozen=True)
class Holder:
    """The holder of the lease, as the file describes it. Times are seconds since 1970, by the holder's clock.

    `processes` are the holder's own process and its Java process, by number, with the time at which each was
    started, in the kernel's unit. A holder that is silent for `seconds` has lost the lease. `is_fenced` says
    that no earlier holder can commit any more.
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
        """Return this process as a holder from now on."""
        now = time.time()
        processes = {str(os.getpid()): start_time(os.getpid())}
        token = secrets.token_hex(16)
        host = socket.gethostname()
        return cls(token, run_id, host, machine(), processes, now, now, seconds, is_fenced)

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Return the holder that the content of the file describes.

        Raises Inconsistent where the content is something else.
        """
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError):
            what = "can't be understood" if content else "is empty, as if a machine had lost power"
            raise Inconsistent(
                f"The lake's {NAME} {what}; make sure that no process writes to the lake, then "
                f"delete the file."
            ) from None

    def content(self) -> bytes:
        """Return the content of the file that describes this holder, as JSON."""
        return json.dumps(asdict(self)).encode()

    @property
    def description(self) -> str:
        """The holder in words, for a message: its run, its machine, its process and since when it holds."""
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f"run {self.run_id} on {self.host} (process {next(iter(self.processes))}) since {since}"
        )

    def living(self) -> list[str]:
        """Return the numbers of its processes that still live. The holder must be on this machine."""
        return [pid for pid, started in self.processes.items() if start_time(int(pid)) == started]


def machine() -> str:
    """Return a name of the place where process numbers are unique.

    It names this boot of this machine, and the process namespace.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{sys.platform} {socket.gethostname()}"


def start_time(pid: int) -> str:
    """Return when a process was started, in the kernel's unit.

    The text is empty where there is no such process, or where it is dead and not yet reaped. It is `unknown`
    where the machine has no /proc.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() or not exists(pid) else "unknown"
    return "" if facts[0] in "ZX" else facts[19]


def exists(pid: int) -> bool:
    """Return whether this machine has a process with that number, also one that is dead and not yet
    reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Lease:
    """The lease that this process holds on a lake. `held` makes it."""

    def __init__(self, files: Folder, holder: Holder) -> None:
        self._files = files
        self._holder = holder
        self._content = holder.content()
        self._lock = threading.Lock()
        self._over = threading.Event()

    @property
    def is_fenced(self) -> bool:
        """Whether no earlier holder can commit any more. If not, the writer must make sure of it first."""
        return self._holder.is_fenced

    def check(self) -> None:
        """Renew the lease. A writer calls this before each commit.

        Raises Busy where another process has taken the lease, and OSError where the file can't be written.
        """
        self._change()

    def fenced(self) -> None:
        """Record that no earlier holder can commit any more. Raises Busy and OSError like `check`."""
        self._change(is_fenced=True)

    def shared_with(self, pid: int) -> None:
        """Record another process as part of this holder, because it may commit as long as it lives.

        Raises Busy and OSError like `check`.
        """
        self._change(processes={**self._holder.processes, str(pid): start_time(pid)})

    def _change(self, **changes: object) -> None:
        with stop_signals.deferred(), self._lock:
            changed = replace(self._holder, renewed=time.time(), **changes)  # type: ignore[arg-type]
            content = changed.content()
            if not self._files.swap(NAME, content, expected=self._content):
                raise Busy(self._loss())
            self._holder, self._content = changed, content

    def _loss(self) -> str:
        """Return the message that says who took the lease over."""
        taken = self._files.read(NAME)
        by = f"by {Holder.read(taken).description}" if taken else "and given back since"
        return (
            f"The lake {self._files.root} was taken over {by}, because this run did not renew its lease for "
            f"{self._holder.seconds:g} s; it writes nothing more. Run again to go on from there."
        )

    def keep(self) -> None:
        """Renew the lease until `let_go`. An error of a renewal is left to the next `check`, which raises
        it."""
        while not self._over.wait(self._holder.seconds / RENEWALS):
            try:
                self.check()
            except Busy:
                return
            except OSError:
                continue

    def let_go(self, *, is_clean: bool) -> None:
        """Stop the renewals, and give the lease back where `is_clean`.

        Otherwise the file stays, so that the next holder takes the lease over: Java may still be at a commit.
        """
        self._over.set()
        with self._lock:
            if is_clean and self.is_fenced:
                self._files.swap(NAME, None, expected=self._content)


@contextmanager
def held(files: Folder, *, run_id: str, seconds: float) -> Iterator[Lease]:
    """Hold the lease in this context. It is given back at the end, unless an error that isn't ours ends it.

    It is given back after a stop too, unless Java may still be at a commit. Raises Busy where another process
    holds the lease; the message names the holder.
    """
    lease = Lease(files, _acquired(files, run_id=run_id, seconds=seconds))
    keeper = threading.Thread(target=lease.keep, name="lease", daemon=True)
    keeper.start()
    is_clean = False
    try:
        yield lease
        is_clean = True
    except FruitLakeError:
        is_clean = True
        raise
    except Stopped as stop:
        is_clean = not stop.is_cut_off
        raise
    except Exception:
        with suppress(OSError):
            # A run that has lost the lake may fail at anything that the next holder did there; Busy says so.
            lease.check()
        raise
    finally:
        with stop_signals.deferred():
            lease.let_go(is_clean=is_clean)
            keeper.join()


def _acquired(files: Folder, *, run_id: str, seconds: float) -> Holder:
    """Write this process into the file as the holder, and return it. Raises Busy where another one lives."""
    while True:
        found = files.read(NAME)
        if found is not None and not _is_gone(files, found):
            raise Busy(
                f"The lake {files.root} is held by {Holder.read(found).description}; wait until it is "
                f"done, or stop it, and run again."
            )
        holder = Holder.here(run_id=run_id, seconds=seconds, is_fenced=found is None)
        if files.swap(NAME, holder.content(), expected=found):
            return holder


def writer(files: Folder) -> Holder | None:
    """Return the process that seems to write now; None where there is none.

    Readers report it beside what they saw. The answer comes at once, so a holder that died on another machine
    counts as a writer until its seconds are over. Raises Inconsistent where the file is no lease.
    """
    found = files.read(NAME)
    holder = Holder.read(found) if found else None
    if holder is None:
        return None
    if holder.machine == machine():
        return holder if holder.living() else None
    return holder if time.time() - holder.renewed < holder.seconds else None


def _is_gone(files: Folder, found: bytes) -> bool:
    """Return whether the holder is dead, or silent for so long that it has lost the lease."""
    holder = Holder.read(found)
    if holder.machine == machine():
        python = next(iter(holder.processes))
        until = time.monotonic() + LINGER
        while (living := holder.living()) and python not in living and time.monotonic() < until:
            time.sleep(0.1)
        if not living:
            return True
    if -SKEW <= time.time() - holder.renewed < holder.seconds:
        return False
    return not _is_renewed(files, found, seconds=holder.seconds * WATCHED)


def _is_renewed(files: Folder, found: bytes, *, seconds: float) -> bool:
    """Return whether the file changes within `seconds`. Then its holder lives, whatever its clock says."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if files.read(NAME) != found:
            return True
        time.sleep(0.1)
    return False
