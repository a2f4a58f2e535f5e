"""Work that a photo which took over its process might do: what the process can reach, and false answers.

The child imports this module, as it imports the real work. Each function is an `IsolatedWork`: the content
names the probe or is of no matter.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import platform
import resource
import signal
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from lake import isolated_work

PTRACE_SEIZE = 0x4206  # it stops no process, as PTRACE_ATTACH does
CLONE, EXECVEAT = {"x86_64": 56, "aarch64": 220}, {"x86_64": 322, "aarch64": 281}
OWN_ENVIRONMENT = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "LC_CTYPE", "LD_LIBRARY_PATH"}


def _error(act):
    """The name of the error that an act ends with; empty where it succeeds."""
    try:
        act()
    except ValueError as error:
        return str(error)
    except OSError as error:
        return os.strerror(error.errno)
    return ""


def _call(name, *arguments):
    """The error of a function of the C library that returns -1 then."""
    libc = ctypes.CDLL(None, use_errno=True)

    def act():
        if getattr(libc, name)(*arguments) == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return _error(act)


def _write_beside(path):
    Path(f"{path}.written").write_bytes(b"x")


def _descriptors():
    found = []
    for number in range(4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found


def _raise_limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


def reach(content):
    """What the child reaches, as JSON. The content is the path of a file that everybody may read."""
    memory = (ctypes.c_char * 64)()
    local, remote = (struct.pack("<QQ", ctypes.addressof(memory), 64) for _ in range(2))
    found = {
        "environment": sorted(set(os.environ) - OWN_ENVIRONMENT),
        "read": _error(lambda: Path(content.decode()).read_bytes()),
        "write": _error(lambda: _write_beside(content.decode())),
        "connect": _error(lambda: socket.socket().connect(("127.0.0.1", 9))),
        "socketpair": _error(socket.socketpair),
        "descriptors": len(_descriptors()),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "raise limit": _error(_raise_limit),
        "trace parent": _call("ptrace", PTRACE_SEIZE, os.getppid(), 0, 0),
        "read parent": _call("process_vm_readv", os.getppid(), local, 1, remote, 1, 0),
        "core dump": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),  # PR_GET_DUMPABLE
        "privileges": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),  # PR_GET_NO_NEW_PRIVS
    }
    return "", json.dumps(found).encode()


def take(content):
    """Take as many bytes of memory as the content says, and give them back."""
    return "", memoryview(bytearray(int(content)))[:0]


def out_of_memory_in_c(content):
    """Fail, for `no memory` as a library in C does that gets none: it says only that it failed."""
    if content == b"no memory":
        ctypes.CDLL(None).mmap(None, ctypes.c_size_t(1 << 46), 3, 0x22, -1, 0)
    return str(isolated_work.memory_ran_out()), b""


class FalseAnswer:
    """Work of a child that was taken over: it answers what it likes."""

    def __init__(self, sign: bytes, length: int, text: str = "") -> None:
        self.answer = sign, length, text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FalseAnswer) and other.answer == self.answer

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, content):
        sign, length, text = self.answer
        packed = isolated_work.ANSWER.pack(sign, length, len(text), text.encode())
        isolated_work._answer = lambda *_: packed
        return "", b""


def dripping(content):
    """Send an answer byte by byte, so that each comes before the time is over."""
    for _ in range(200):
        os.write(int(sys.argv[1]), b"d")
        time.sleep(0.05)
    return "", b""


def load_late(content):
    """Load a module by its name, and take a failure for one of the photo."""
    try:
        importlib.import_module(content.decode())
    except Exception:
        return "", b""
    return "", content


def hanging(content):
    """Do nothing for long."""
    time.sleep(600)
    return "", b""


class EndsAtStart:
    """Work that ends its process where it is unpickled: a child that can't start."""

    def __reduce__(self):
        return os._exit, (3,)


def echo(content):
    """The content itself."""
    return str(len(content)), content


def slow_echo(content):
    """The content itself, after a while."""
    time.sleep(0.3)
    return echo(content)


def more_than_fits(content):
    """More than was said to be the most."""
    return "", bytes(10_000_000)


def shorten_memory(content):
    """Make the memory that is shared with the parent shorter, as far as the kernel lets this process."""
    for number in range(3, 64):
        with suppress(OSError):
            os.ftruncate(number, 0)
    return "", b"x"


def signalled(content):
    """Get the signals that a terminal sends to all its processes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(os.getpid(), number)
    return "", content


def start_others(content):
    """What starting a thread, a process and a program ends with, as JSON."""
    thread = threading.Thread(target=lambda: None)

    def run_thread():
        thread.start()
        thread.join()

    def fork():
        if os.fork() == 0:
            os._exit(0)

    found = {
        "thread": _error(run_thread),
        "fork": _error(fork),
        "vfork by clone": _call("syscall", CLONE[platform.machine()], 0x4111, 0, 0, 0, 0),
        "clone3": _call("syscall", 435, 0, 0),
        "execve": _call("execve", b"/bin/true", 0, 0),
        "execveat": _call("syscall", EXECVEAT[platform.machine()], -100, b"/bin/true", 0, 0, 0),
    }
    return "", json.dumps(found).encode()
