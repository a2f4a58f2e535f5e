"""Decoding of photos in a child process, so that a decoder that crashes or hangs costs one photo only.

A Python worker forks one child and keeps it over batches and tasks until a photo crashes it or makes it
hang, because a fork costs as much as decoding ten small photos. Photos go to the child in shared memory,
several at a time, because each change of process costs a cold cache. Pixels come back in shared memory,
those of each photo as soon as they are ready. This module doesn't use Spark.
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
"""The most photos that the child gets at once. With 1 the throughput is 3 % lower, with 16 it is the same."""

AHEAD_BYTES = 1 << 20
"""The most bytes of several photos that the child gets at once. A larger photo goes alone."""

# Options of glibc's allocator: blocks below 16 MB come from its heap, which keeps 32 MB of freed memory.
# By default it gives memory back after each large photo and takes it again for the next; the page faults
# are a tenth of the time that a photo of 12 megapixels takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
HEAP = {M_TRIM_THRESHOLD: 32 << 20, M_MMAP_THRESHOLD: 16 << 20}

PR_SET_PDEATHSIG = 1
# The C library is loaded here because the child of a process with threads should load no libraries.
LIBC = ctypes.CDLL(None)


class Decode(Protocol):
    """A function that decodes a photo to uint8[size, size, 3], such as `pixels.decode`.

    It raises RefusedPhoto for a photo that it refuses. For a photo longer than `limits.max_bytes` it may
    get only the first bytes, which are still more than `limits.max_bytes`.
    """

    def __call__(self, content: bytes, *, size: int, limits: Limits) -> NDArray[np.uint8]: ...


class _Child(NamedTuple):
    """The child process and the channel to it.

    The parent sends the row of the first photo and the lengths of all photos in the inbox. It sends
    nothing more until the child has answered each photo: with an empty text where the pixels are in the
    row's slot, else with a refusal.
    """

    pid: int
    channel: Connection


class Decoder:
    """A decoder of photos, one batch at a time, in a child process that is replaced when it fails."""

    def __init__(self, decode: Decode, *, size: int, limits: Limits) -> None:
        """Fork the child. Raises OSError where no process can be forked."""
        self.decode, self.size, self.limits = decode, size, limits
        # Its pages take memory only once they are written: as much as the largest photo so far.
        self._inbox = mmap.mmap(-1, max(limits.max_bytes + 1, AHEAD_BYTES))
        # There is one slot more than the child fills at a time, for the pixels that the caller still uses.
        slots = mmap.mmap(-1, (AHEAD + 1) * size * size * 3)
        self._slots = np.frombuffer(slots, np.uint8).reshape(AHEAD + 1, size, size, 3)
        self._child: _Child | None = self._fork()

    def decoded(
        self, contents: Sequence[bytes | memoryview]
    ) -> Generator[NDArray[np.uint8] | RefusedPhoto]:
        """Yield each photo's pixels or its refusal, in order.

        The caller closes the generator where it doesn't exhaust it. Pixels are uint8[size, size, 3],
        read-only, and valid until the next photo is asked for. A photo that kills the child, or whose
        decoding raises anything but RefusedPhoto, is refused as `decoder_crashed`; one that takes longer
        than `limits.decode_seconds` as `decoder_timeout`. Raises OSError where no process can be forked.
        """
        unanswered = len(contents)
        try:
            next_row = self._send_photos(contents, 0)
            for row in range(len(contents)):
                photo = self._received(row)
                if self._child is None:
                    next_row = row + 1
                if next_row == row + 1:
                    next_row = self._send_photos(contents, next_row)
                unanswered -= 1
                yield photo
        finally:
            if unanswered:
                self.close()

    def close(self) -> int:
        """End the child, if there is one, and return its exit code, which is negative for a signal."""
        if self._child is None:
            return 0
        child, self._child = self._child, None
        child.channel.close()
        os.kill(child.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])

    def _send_photos(self, contents: Sequence[bytes | memoryview], row: int) -> int:
        """Send photos from `row` on to a child without work, and return the row after the last one."""
        photos = [photo[: self.limits.max_bytes + 1] for photo in contents[row : row + AHEAD]]
        ends = list(accumulate(map(len, photos)))
        count = max(1, sum(end <= AHEAD_BYTES for end in ends))
        lengths = [len(photo) for photo in photos[:count]]
        for photo, end in zip(photos[:count], ends, strict=False):
            self._inbox[end - len(photo) : end] = photo
        if lengths and not self._notify(row, lengths):
            # A child that had no work was ended by something else than a photo, such as a lack of
            # memory. If the new child is ended too, `_received` notices it.
            self.close()
            self._child = self._fork()
            self._notify(row, lengths)
        return row + len(lengths)

    def _notify(self, row: int, lengths: Sequence[int]) -> bool:
        """Tell the child which photos are in the inbox, and return whether there is a child to tell."""
        try:
            if self._child:
                self._child.channel.send((row, lengths))
        except OSError:
            return False
        return self._child is not None

    def _received(self, row: int) -> NDArray[np.uint8] | RefusedPhoto:
        """Return the pixels or the refusal of the photo in `row`. Ends the child if it hangs or is dead."""
        assert self._child
        channel, seconds = self._child.channel, self.limits.decode_seconds
        try:
            # The clock starts here, when the parent has nothing else to do. The child began this photo
            # with its last answer or earlier, so it always has the full time. An answer that it gave
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
        """Fork a child and return it; in the child, decode photos until the parent is gone."""
        parents_end, childs_end = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            childs_end.close()
            return _Child(pid, parents_end)
        # The child must run no code of the parent, whatever happens: no exit handlers, and no flushing
        # of the parent's buffers.
        try:
            _close_all_but(childs_end)
            _end_with(parent)
            _avoid_page_faults()
            self._work(childs_end)
        finally:
            os._exit(1)

    def _work(self, channel: Connection) -> NoReturn:
        """Decode the photos that the parent sends. Raises EOFError or OSError when the parent is gone."""
        while True:
            first, lengths = channel.recv()
            end = 0
            for row, length in enumerate(lengths, first):
                start, end = end, end + length
                channel.send_bytes(self._refusal(slice(start, end), row).encode())

    def _refusal(self, photo: slice, row: int) -> str:
        """Decode a photo into the slot of its row and return an empty text.

        For a refused photo, return the reason, a line feed and the detail instead.
        """
        try:
            pixels = self.decode(self._inbox[photo], size=self.size, limits=self.limits)
            self._slots[row % len(self._slots)] = pixels
        except RefusedPhoto as refused:
            return f"{refused.reason}\n{refused.detail}"
        except Exception as error:  # only its name is kept, as its message may quote the file
            return f"{RefusalReason.DECODER_CRASHED}\n{type(error).__name__}"
        return ""


_process_decoder: Decoder | None = None


def decoder(decode: Decode, *, size: int, limits: Limits) -> Decoder:
    """Return the decoder of this process. It is replaced when it is asked for with other arguments.

    Raises OSError where no process can be forked.
    """
    global _process_decoder
    arguments = (decode, size, limits)
    current = _process_decoder
    if current and arguments != (current.decode, current.size, current.limits):
        current.close()
        _process_decoder = None
    if _process_decoder is None:
        _process_decoder = Decoder(decode, size=size, limits=limits)
    return _process_decoder


def _close_all_but(channel: Connection) -> None:
    """Close every file descriptor of the parent but the channel's and the three standard streams.

    Otherwise, whoever waits for the end of one of the parent's connections would also wait for this
    child's end.
    """
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) != channel.fileno():
            with suppress(OSError):  # the listing's own descriptor is closed already
                os.close(int(name))


def _end_with(parent: int) -> None:
    """Make this child end when its parent does.

    It ignores the signals that a terminal sends to the whole group, and it is the first process that the
    kernel kills where memory runs out.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # A decoder that hangs would never notice that the parent is gone.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _avoid_page_faults() -> None:
    """Spare this child the page faults that decoding itself doesn't need."""
    # A garbage collection would write to, and so copy, every page that holds an object of the parent.
    gc.freeze()
    with suppress(AttributeError):  # the C library isn't glibc
        for option, size in HEAP.items():
            LIBC.mallopt(option, size)


def _death(exit_code: int) -> str:
    """Return the detail of a refusal by a dead child, from its exit code."""
    cause = signal.strsignal(-exit_code) if exit_code < 0 else f"exit code {exit_code}"
    return f"the decoder's process died: {cause}"
