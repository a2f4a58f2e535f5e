"""The child of `isolated_process`: it gives up what it could do harm with, then works on strangers' bytes.

It is a new Python that has its parent's import path, one socket, and two pieces of shared memory. It loads
what it needs for its work before it gives up the right to open files.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import NoReturn, Protocol

from lake.process_filter import forbid_processes

AHEAD = 32
"""The most photos that the child gets at once. With 8 the throughput is 5 % lower."""

REQUEST = struct.Struct(f"<B{AHEAD}Q")
"""What the parent sends: the number of photos in the inbox, and the length of each."""

TEXT_BYTES = 500
ANSWER = struct.Struct(f"<cQH{TEXT_BYTES}s")
"""What the child sends for each photo: a sign, the bytes that it added to the outbox, and a text with its
length."""

READY, DONE, NO_MEMORY, RAISED, LATE = b"r", b"d", b"m", b"e", b"l"
"""The signs of answers: the child is ready (the text names what it could not give up), the work is done,
there was too little memory for it, it raised an error (the text is its name), and it needs a module that it
can load no more (the text names it)."""

# Options of glibc's allocator: blocks below 16 MB come from its heap, which keeps 32 MB of freed memory.
# By default it gives memory back after each large photo and takes it again for the next; the page faults
# are a tenth of the time that a photo of 12 megapixels takes. A heap for each thread would take addresses of
# the limit on memory.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
HEAP = {M_TRIM_THRESHOLD: 32 << 20, M_MMAP_THRESHOLD: 16 << 20, M_ARENA_MAX: 1}

# Numbers of Linux: of prctl, and of the namespaces that unshare makes.
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000

NOTHING, PROCESSES = ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE"), "RLIMIT_NPROC"
"""What the child may have none of: core files, bytes that it writes to files, and descriptors beyond those
that it has. Without a new descriptor there is no file to open and no connection to make. Where Linux has no
filter that keeps it from starting processes, a limit does, which forbids threads, too: HEIC can't be decoded
then by other users than root. On macOS, which has no such filter, nothing keeps it from that."""

MOST_THREADS = 64
"""The most threads of the child, where the kernel counts them apart. libheif has some ten."""

LIBC = ctypes.CDLL(None)


class IsolatedWork(Protocol):
    """What the child does with one photo: it returns a text of at most `TEXT_BYTES` bytes, and bytes.

    It is pickled on its way to the child, so it belongs to a module. MemoryError says that the photo needs
    more memory than there is; any other exception costs the photo, too.
    """

    def __call__(self, content: bytes) -> tuple[str, bytes | memoryview]: ...


class LateImportError(BaseException):
    """A module was to be loaded by a process that can open no file any more.

    It is no Exception, so that no code takes it for a fault of the photo and goes on without the module.
    """


class _NoLateImports:
    """The finder of modules that is asked first once this process has given up its rights."""

    def find_spec(self, name: str, *_: object) -> None:
        raise LateImportError(name)


def memory_ran_out() -> bool:
    """Return whether memory was refused since the work on this photo began.

    A library in C may say only that it failed. The refusal of the kernel stays in `errno`. It may stay there
    where the library got the memory in another way: only after a failure does it say anything.
    """
    return _errno().value == errno.ENOMEM


def main() -> NoReturn:
    """Work on photos until the parent is gone. The arguments are the child's three descriptors."""
    channel, inbox, outbox = map(int, sys.argv[1:4])
    with suppress(ConnectionError):
        _serve(socket.socket(fileno=channel), _mapped(inbox), _mapped(outbox))
    os._exit(0)


def _mapped(descriptor: int) -> mmap.mmap:
    """Return the shared memory, and close its descriptor."""
    shared = mmap.mmap(descriptor, 0)
    os.close(descriptor)
    return shared


def _serve(channel: socket.socket, inbox: mmap.mmap, outbox: mmap.mmap) -> NoReturn:
    """Answer the parent's requests, in order. Raises ConnectionError where it is gone."""
    [length] = struct.unpack("<Q", received(channel, 8))
    work, modules, memory, parent = pickle.loads(received(channel, length))
    for name in modules:
        with suppress(ImportError):
            import_module(name)
    missing = _give_up(memory, parent)
    channel.sendall(_answer(READY, missing))
    while True:
        count, *lengths = REQUEST.unpack(received(channel, REQUEST.size))
        start = written = 0
        for length in lengths[:count]:
            sign, text, made = _done(work, inbox, slice(start, start + length))
            start += length
            if written + len(made) > len(outbox):
                sign, text, made = NO_MEMORY, "", memoryview(b"")
            outbox[written : written + len(made)] = made
            written += len(made)
            channel.sendall(_answer(sign, text, len(made)))


def received(channel: socket.socket, length: int) -> bytes:
    """Return so many bytes of the socket. Raises ConnectionError where it ends before."""
    got = bytearray()
    while len(got) < length:
        part = channel.recv(length - len(got))
        if not part:
            raise ConnectionError
        got += part
    return bytes(got)


def _answer(sign: bytes, text: str, length: int = 0) -> bytes:
    encoded = text.encode(errors="replace")[:TEXT_BYTES]
    return ANSWER.pack(sign, length, len(encoded), encoded)


def _done(work: IsolatedWork, inbox: mmap.mmap, photo: slice) -> tuple[bytes, str, memoryview]:
    """Return the sign, the text and the bytes of the answer for one photo."""
    _errno().value = 0
    try:
        text, made = work(inbox[photo])
        return DONE, text, memoryview(made).cast("B")
    except MemoryError:
        return NO_MEMORY, "", memoryview(b"")
    except LateImportError as late:
        return LATE, late.args[0], memoryview(b"")
    except Exception as error:  # only its name is told, as its message may quote the file
        return RAISED, type(error).__name__, memoryview(b"")


def _errno() -> ctypes.c_int:
    """Return the C library's `errno` itself: ctypes keeps a copy that other code doesn't write to."""
    place = getattr(LIBC, "__errno_location", None) or LIBC.__error  # the latter on macOS
    place.restype = ctypes.POINTER(ctypes.c_int)
    found: ctypes.c_int = place().contents
    return found


def _give_up(memory: int, parent: int) -> str:
    """Give up the parent's rights, as far as the system knows how, and return what could not be given up.

    `memory` are the bytes that this process may take beyond those that it has now.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to the whole group
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    with suppress(OSError):
        # It is the first process that the kernel kills where memory runs out.
        Path("/proc/self/oom_score_adj").write_text("1000")
    missing = "" if is_apart() else "network"
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        # A decoder that hangs would never notice that the parent is gone.
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    with suppress(AttributeError):  # the C library isn't glibc
        for option, size in HEAP.items():
            LIBC.mallopt(option, size)
    if not missing:
        _limit_threads()
    _limit(memory)
    sys.meta_path.insert(0, _NoLateImports())
    gc.freeze()
    return missing


def is_apart() -> bool:
    """Leave the parent's network and user for namespaces of this process, and return whether that worked."""
    try:
        return bool(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0)
    except AttributeError:  # not Linux
        return False


def _limit(memory: int) -> None:
    """Limit what this process may take, for good."""
    import resource  # Unix alone has it

    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * mmap.PAGESIZE + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    has_threads = forbid_processes() or sys.platform == "darwin"
    for name in NOTHING if has_threads else (*NOTHING, PROCESSES):
        with suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (0, 0))


def _limit_threads() -> None:
    """Limit the threads of this process, for good, where the kernel counts those of its own user alone.

    Kernels before 5.14 count all that the parent's user has: then other programs would decide whether a
    photo is decoded, and nothing is limited. Root is never limited.
    """
    import resource

    with suppress(OSError, ValueError):
        before = resource.getrlimit(resource.RLIMIT_NPROC)
        # This thread and one more: with the parent there are more, where it counts.
        resource.setrlimit(resource.RLIMIT_NPROC, (2, before[1]))
        most = before
        with suppress(RuntimeError):
            thread = Thread(target=int)
            thread.start()
            thread.join()
            if before[1] not in range(MOST_THREADS):
                most = MOST_THREADS, MOST_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, most)
