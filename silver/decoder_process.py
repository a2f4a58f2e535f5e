"""Photos decoded in a child process: a decoder that crashes or hangs costs one photo and no more.

A Python worker forks one child and keeps it, over batches and tasks, until a photo is the end of it: a
fork costs as much as decoding ten small photos. Photos go to the child in shared memory, some at a time,
since each change of process costs a cold cache; pixels come back there, each photo's as soon as they are
ready. Without Spark.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from itertools import accumulate
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from silver.pixels import Limits, RefusalReason, RefusedPhoto

AHEAD = 8
"""Photos, at most, that the child gets at once; one costs 3 % of throughput more, 16 nothing less."""

AHEAD_BYTES = 1 << 20
"""Of more bytes than this, photos go to the child one by one."""

# Of glibc's allocator: blocks below 16 MB come from its heap, which keeps 32 MB when they are free. Left
# to itself it gives memory back after each large photo and takes it anew for the next; the page faults
# are a tenth of the time that a photo of 12 megapixels takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
HEAP = {M_TRIM_THRESHOLD: 32 << 20, M_MMAP_THRESHOLD: 16 << 20}

PR_SET_PDEATHSIG = 1
# Looked up here: the child of a process with threads should load no libraries.
LIBC = ctypes.CDLL(None)


class Decode(Protocol):
    """Bytes -> uint8[size, size, 3]. Raises RefusedPhoto, like `pixels.decode`.

    Of a photo with more than `limits.max_bytes` it may get the beginning, which is longer than that too.
    """

    def __call__(self, content: bytes, *, size: int, limits: Limits) -> NDArray[np.uint8]: ...


class _Child(NamedTuple):
    """A process, and the way to it.

    It is told the first one's row and the lengths of the photos that are in its inbox, and then nothing
    until it has answered each: with nothing where the pixels are in the row's slot, or with a refusal.
    """

    pid: int
    channel: Connection


class Decoder:
    """Decodes batches of photos, one batch at a time, in a child that is replaced when it fails."""

    def __init__(self, decode: Decode, *, size: int, limits: Limits) -> None:
        """Raises OSError where no process can be forked."""
        self.decode, self.size, self.limits = decode, size, limits
        # Takes no memory before it holds something, and then as much as the largest photo so far.
        self._inbox = mmap.mmap(-1, max(limits.max_bytes + 1, AHEAD_BYTES))
        # One more than the child fills at a time: the pixels that the parent has meanwhile.
        slots = mmap.mmap(-1, (AHEAD + 1) * size * size * 3)
        self._slots = np.frombuffer(slots, np.uint8).reshape(AHEAD + 1, size, size, 3)
        self._child: _Child | None = self._fork()

    def decoded(
        self, contents: Sequence[bytes | memoryview]
    ) -> Generator[NDArray[np.uint8] | RefusedPhoto]:
        """Each photo's pixels or its refusal, in order. To be closed where it isn't exhausted.

        Pixels are uint8[size, size, 3], read-only, and hold until the next are asked for. A photo
        that the child dies of, or whose decoding raises anything but RefusedPhoto, is
        `decoder_crashed`; one that takes more than `limits.decode_seconds` is `decoder_timeout`.
        Raises OSError where no process can be forked.
        """
        left = len(contents)
        try:
            given = self._give(contents, 0)
            for row in range(len(contents)):
                photo = self._taken(row)
                if self._child is None:
                    given = row + 1
                if given == row + 1:
                    given = self._give(contents, given)
                left -= 1
                yield photo
        finally:
            if left:
                self.close()

    def close(self) -> int:
        """Ends the child, if there is one. Its exit code, below zero for a signal."""
        if self._child is None:
            return 0
        child, self._child = self._child, None
        child.channel.close()
        os.kill(child.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])

    def _give(self, contents: Sequence[bytes | memoryview], row: int) -> int:
        """Hands over some photos from `row` on, to a child without work; the row after them."""
        photos = [photo[: self.limits.max_bytes + 1] for photo in contents[row : row + AHEAD]]
        ends = list(accumulate(map(len, photos)))
        count = max(1, sum(end <= AHEAD_BYTES for end in ends))
        lengths = [len(photo) for photo in photos[:count]]
        for photo, end in zip(photos[:count], ends, strict=False):
            self._inbox[end - len(photo) : end] = photo
        if lengths and not self._told(row, lengths):
            # What ended a child that had no work, such as a lack of memory, is no photo's doing. If
            # it ends the new child too, `_taken` will see.
            self.close()
            self._child = self._fork()
            self._told(row, lengths)
        return row + len(lengths)

    def _told(self, row: int, lengths: Sequence[int]) -> bool:
        try:
            if self._child:
                self._child.channel.send((row, lengths))
        except OSError:
            return False
        return self._child is not None

    def _taken(self, row: int) -> NDArray[np.uint8] | RefusedPhoto:
        """What became of the next photo that was given. Ends the child if it hangs or is dead."""
        assert self._child
        channel, seconds = self._child.channel, self.limits.decode_seconds
        try:
            # The clock starts here, where the parent has nothing else to do, and the child is at
            # this photo since its last answer or longer: it is never judged too early. What it did
            # while the parent was busy is there at once.
            if not channel.poll(seconds):
                self.close()
                return RefusedPhoto(
                    RefusalReason.DECODER_TIMEOUT, f"no pixels within {seconds:g} seconds"
                )
            refusal = channel.recv_bytes().decode()
        except (EOFError, OSError):
            return RefusedPhoto(RefusalReason.DECODER_CRASHED, _death(self.close()))
        if refusal:
            reason, _, detail = refusal.partition("\n")
            return RefusedPhoto(RefusalReason(reason), detail)
        pixels = self._slots[row % len(self._slots)]
        pixels.flags.writeable = False
        return pixels

    def _fork(self) -> _Child:
        ours, theirs = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            theirs.close()
            return _Child(pid, ours)
        # Whatever happens, nothing of the parent's runs here: no handlers, no flushing of buffers.
        try:
            _keep_only(theirs)
            _depend_on(parent)
            _keep_pages()
            self._work(theirs)
        finally:
            os._exit(1)

    def _work(self, channel: Connection) -> NoReturn:
        """Decodes what comes. Raises EOFError or OSError when nobody is there any more."""
        while True:
            first, lengths = channel.recv()
            end = 0
            for row, length in enumerate(lengths, first):
                start, end = end, end + length
                channel.send_bytes(self._refusal(slice(start, end), row).encode())

    def _refusal(self, photo: slice, row: int) -> str:
        """Leaves a photo's pixels in its slot; or a refusal's reason, a line feed and its detail."""
        try:
            pixels = self.decode(self._inbox[photo], size=self.size, limits=self.limits)
            self._slots[row % len(self._slots)] = pixels
        except RefusedPhoto as refused:
            return f"{refused.reason}\n{refused.detail}"
        except Exception as error:  # by its name only: its message may quote the file
            return f"{RefusalReason.DECODER_CRASHED}\n{type(error).__name__}"
        return ""


_of_process: Decoder | None = None


def decoder(decode: Decode, *, size: int, limits: Limits) -> Decoder:
    """The decoder of this process. It serves as long as it is asked for with the same arguments."""
    global _of_process
    wanted = (decode, size, limits)
    if _of_process and wanted != (_of_process.decode, _of_process.size, _of_process.limits):
        _of_process.close()
        _of_process = None
    if _of_process is None:
        _of_process = Decoder(decode, size=size, limits=limits)
    return _of_process


def _keep_only(channel: Connection) -> None:
    """Closes what else of the parent's is open, but for its three streams: whoever waits for the end of one
    of its connections would wait for this child's end too."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) != channel.fileno():
            with suppress(OSError):  # the one that the listing itself was read by
                os.close(int(name))


def _depend_on(parent: int) -> None:
    """This child ends with its parent and by its will, and goes first where memory runs out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # A decoder that hangs would never notice that nobody listens.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _keep_pages() -> None:
    """Saves this child the page faults that are not decoding's own."""
    # A collection would touch, and so copy, every page that holds an object of the parent's.
    gc.freeze()
    with suppress(AttributeError):  # another C library than glibc
        for option, size in HEAP.items():
            LIBC.mallopt(option, size)


def _death(exit_code: int) -> str:
    how = signal.strsignal(-exit_code) if exit_code < 0 else f"exit code {exit_code}"
    return f"the decoder's process died: {how}"
