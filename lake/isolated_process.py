"""Work on bytes of strangers in a process that has nothing else, so that hostile bytes cost one photo.

The child (`isolated_work`) is a new Python with an environment of its own. It has no secret of its parent in
its memory, no descriptor but its own, no files, no network where the kernel can take it away, and a limit
on its memory. It is kept until a photo crashes it or makes it hang, because its start costs as much as a
hundred photos. Photos go to the child in shared memory, several at a time, because each change of process
costs a cold cache; what it makes of them comes back in shared memory. This module doesn't use Spark.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeVar

from lake import isolated_python
from lake.isolated_answers import death, received_answer
from lake.isolated_work import (
    AHEAD,
    DONE,
    LATE,
    NO_MEMORY,
    RAISED,
    READY,
    REQUEST,
    IsolatedWork,
)
from lake.shared_memory import SharedMemory

AHEAD_BYTES = 1 << 22
"""The child gets further photos at once while those before have fewer bytes than this."""

TRIES = 2
"""How often a photo is tried before a child that ended over it counts as its fault."""

LIBRARIES, MOST_MODULES = ("PIL", "numpy", "encodings"), 20
"""The libraries of which a child loads further modules before its work, and the most of these."""

START_SECONDS = 120.0
"""The seconds that a child may take to load what it needs: a third of one where the machine is idle."""


class FailureKind(Enum):
    """What a photo did to the child."""

    CRASHED = "crashed"
    TIMEOUT = "timeout"
    MEMORY = "memory"


class Failure(NamedTuple):
    """A photo that the child could not work on. `detail` quotes nothing of it."""

    kind: FailureKind
    detail: str


class WorkDone(NamedTuple):
    """What the work made of a photo: a text, and bytes."""

    text: str
    made: bytes


@dataclass(frozen=True)
class ProcessLimits:
    """Limits on the work on one photo: the bytes of it that the child gets at most, the seconds, and the
    bytes of memory that the child may take beyond those that it takes without a photo."""

    max_bytes: int
    seconds: float
    memory: int


Result = TypeVar("Result")


class _Child(NamedTuple):
    """The child process and the socket to it, by which the parent sends the lengths of the photos in the
    inbox, and nothing more until the child has answered each of them."""

    process: subprocess.Popen[bytes]
    channel: socket.socket


class IsolatedProcess:
    """Works on photos, one after another, in a child process that is replaced when it fails.

    The child ends with the thread that started it.
    """

    def __init__(self, work: IsolatedWork, *, limits: ProcessLimits, most_made: int) -> None:
        """Start the child. `most_made` are the most bytes that the work makes of `AHEAD` photos.

        Raises OSError where no process can be started.
        """
        self.work, self.limits = work, limits
        # Its pages take memory only once they are written: as much as the largest photos so far.
        self._inbox = SharedMemory(AHEAD_BYTES + limits.max_bytes + 1)
        self._outbox = SharedMemory(most_made)
        self._sent = self._read = 0  # the bytes in the inbox, and those read of the outbox
        self._owed = 0  # the answers that the child has still to give
        self._child: _Child | None = None
        self._is_ready = self._has_new_module = False
        self._modules: list[str] = []
        self.shares = ""
        """What the child could not give up of its parent's rights; empty before its first answer."""
        self._start()

    def answers(
        self,
        photos: Iterable[bytes | memoryview],
        read: Callable[[WorkDone], Result],
        *,
        has_own_core: bool = False,
    ) -> Generator[Result | Failure]:
        """Yield what `read` makes of what the work makes of each photo, or its failure, in order.

        Where the child `has_own_core`, it goes on while the caller uses the answers. Else the two take turns:
        where each core has a task, they would change places every few milliseconds, each with a cold cache.
        The caller closes the generator where it doesn't exhaust it. A photo that twice kills the child, or
        for which `read` twice raises ValueError, is `CRASHED`, and so is one over which the work raises an
        error; one that twice takes longer than `limits.seconds` is a `TIMEOUT`, and one that needs more than
        `limits.memory` is `MEMORY`. Of a photo longer than `limits.max_bytes` the work gets the first bytes,
        which are still more than those. Raises OSError where no process can be started.
        """
        waiting = iter(photos)
        try:
            batch = self._begun(waiting)
            while batch:
                answers: list[Result | Failure] = []
                for number, photo in enumerate(batch, start=1):
                    answers.append(self._answer(photo, read))
                    if number < len(batch):
                        if not self._owed:  # it was tried again, alone
                            self._send(batch[number:])
                        if has_own_core:
                            yield answers.pop()
                batch = self._begun(waiting) if has_own_core else []
                yield from answers
                batch = batch or self._begun(waiting)
        finally:
            if self._owed:
                self.close()

    def _begun(self, waiting: Iterator[bytes | memoryview]) -> list[bytes | memoryview]:
        """Have the child work on the next photos, and return them; there may be none."""
        batch = self._next_batch(waiting)
        self._send(batch)
        return batch

    def _answer(
        self, photo: bytes | memoryview, read: Callable[[WorkDone], Result]
    ) -> Result | Failure:
        """Return the answer to the next photo that the child has."""
        answer, tries = self._received(read), 1
        # It may be the machine's fault, or a module was missing: another try, alone.
        while self._child is None and (tries < TRIES or self._has_new_module):
            self._send([photo])
            answer, tries = self._received(read), tries + 1
        return answer

    def close(self) -> int:
        """End the child, if there is one, and return its exit code, which is negative for a signal."""
        child, self._child, self._owed = self._child, None, 0
        if child is None:
            return 0
        child.channel.close()
        child.process.kill()
        return child.process.wait()

    def _next_batch(self, waiting: Iterator[bytes | memoryview]) -> list[bytes | memoryview]:
        """Return the photos that the child gets at once."""
        batch: list[bytes | memoryview] = []
        size = 0
        for photo in waiting:
            batch.append(photo[: self.limits.max_bytes + 1])
            size += len(batch[-1])
            if len(batch) == AHEAD or size >= AHEAD_BYTES:
                break
        return batch

    def _send(self, batch: Sequence[bytes | memoryview]) -> None:
        """Send photos to a child without work."""
        if max(self._sent, self._read) > 2 * AHEAD_BYTES:  # else both keep a large photo's pages
            self._inbox.clear()
            self._outbox.clear()
        end = 0
        for photo in batch:
            self._inbox.memory[end : end + len(photo)] = photo
            end += len(photo)
        self._sent, self._read, self._owed = end, 0, len(batch)
        if batch and not self._notify(batch):
            # A child that had no work was ended by something else than a photo, such as a lack of
            # memory. If the new child is ended too, `_received` notices it.
            self.close()
            self._owed = len(batch)
            self._notify(batch)

    def _notify(self, batch: Sequence[bytes | memoryview]) -> bool:
        """Tell the child of the photos in the inbox, and return whether there is a child to tell."""
        child = self._child or self._start()
        if not self._is_ready:
            self._await(child)
        lengths = [*map(len, batch), *[0] * (AHEAD - len(batch))]
        try:
            child.channel.sendall(REQUEST.pack(len(batch), *lengths))
        except OSError:
            return False
        return True

    def _received(self, read: Callable[[WorkDone], Result]) -> Result | Failure:
        """Return the answer to the next photo. Ends the child if it hangs, is dead, or was taken over."""
        assert self._child
        self._has_new_module = False
        # The clock starts here, when the parent has nothing else to do. The child began this photo with its
        # last answer or earlier, so it always has the full time. An answer that it gave while the parent was
        # busy is there at once.
        try:
            sign, length, text = received_answer(self._child.channel, self.limits.seconds)
        except TimeoutError:
            self.close()
            return Failure(FailureKind.TIMEOUT, f"not done within {self.limits.seconds:g} seconds")
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                self._child.process.wait(1)  # it closed its end of the socket, and is about to end
            return Failure(FailureKind.CRASHED, death(self.close()))
        self._owed -= 1  # not earlier: a signal may interrupt the wait, and the answer still comes
        if sign == NO_MEMORY:
            most = f"needs more than {self.limits.memory:,} bytes of memory"
            return Failure(FailureKind.MEMORY, most)
        if sign == RAISED:
            return Failure(FailureKind.CRASHED, text)
        if sign == LATE:
            self.close()
            self._load_early(text)
            return Failure(FailureKind.CRASHED, f"{text} is loaded too late")
        start, self._read = self._read, self._read + length
        if sign == DONE and self._read <= len(self._outbox.memory):
            with suppress(ValueError):
                return read(WorkDone(text, self._outbox.memory[start : self._read]))
        self.close()
        return Failure(FailureKind.CRASHED, "its process gave an answer that makes no sense")

    def _load_early(self, name: str) -> None:
        """Have the next child load a module in time. One that was taken over may name anything."""
        is_new = name not in self._modules and len(self._modules) < MOST_MODULES
        if is_new and name.partition(".")[0] in LIBRARIES:
            self._modules.append(name)
            self._has_new_module = True

    def _start(self) -> _Child:
        """Start a child, which gets ready meanwhile, and return it."""
        ours, theirs = socket.socketpair()
        inherited = [theirs.fileno(), self._inbox.descriptor, self._outbox.descriptor]
        with theirs:
            process = isolated_python.started(inherited)
        self._child, self._is_ready = _Child(process, ours), False
        task = pickle.dumps((self.work, self._modules, self.limits.memory, os.getpid()))
        with suppress(OSError):  # a child that is gone is noticed when it is awaited
            ours.sendall(struct.pack("<Q", len(task)) + task)
        return self._child

    def _await(self, child: _Child) -> None:
        """Wait until a child is ready. Raises OSError where it ends before."""
        sign, missing = b"", ""
        try:
            with suppress(TimeoutError):
                sign, _, missing = received_answer(child.channel, START_SECONDS)
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(10)  # else the kill below would be told for its cause
        if sign != READY:
            raise OSError(f"the process that works on photos did not start: {death(self.close())}")
        self._is_ready, self.shares = True, missing


_kept: dict[str, IsolatedProcess] = {}


def kept(
    layer: str, work: IsolatedWork, *, limits: ProcessLimits, most_made: int
) -> IsolatedProcess:
    """Return the isolated process that this process keeps for a layer.

    It is replaced when it is asked for with other arguments. Raises OSError where no process can be started.
    """
    current = _kept.get(layer)
    if current is None or (work, limits) != (current.work, current.limits):
        if current:
            current.close()
        _kept[layer] = IsolatedProcess(work, limits=limits, most_made=most_made)
    return _kept[layer]
