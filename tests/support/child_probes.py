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
TGKILL, TKILL = {"x86_64": 234, "aarch64": 131}, {"x86_64": 200, "aarch64": 130}
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
    time.sleep(0.05)
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


def reach_others(content):
    """What reaching for other processes, and for a file by its name, ends with, as JSON.

    The content is the path of a file in a folder that may be written to.
    """
    path, parent, new = content.decode(), os.getppid(), f"{content.decode()}.new"
    limit, ring = resource.RLIMIT_CORE, ctypes.create_string_buffer(120)
    found = {
        "kill": _error(lambda: os.kill(parent, 0)),
        "kill the group": _error(lambda: os.kill(0, 0)),
        "kill all": _error(lambda: os.kill(-1, 0)),
        "tgkill": _call("syscall", TGKILL[platform.machine()], parent, parent, 0),
        "tkill": _call("syscall", TKILL[platform.machine()], parent, 0),
        "pidfd": _call("syscall", 434, parent, 0),
        "limits": _error(lambda: resource.prlimit(parent, limit)),
        "io_uring": _call("syscall", 425, 1, ring),
        "unshare": _call("unshare", 0x20000),
        "mount": _call("mount", b"none", b"/", b"tmpfs", 0, None),
        "chroot": _error(lambda: os.chroot("/")),
        "unlink": _error(lambda: os.unlink(path)),
        "rename": _error(lambda: os.rename(path, new)),
        "link": _error(lambda: os.link(path, new)),
        "symlink": _error(lambda: os.symlink(path, new)),
        "mkdir": _error(lambda: os.mkdir(new)),
        "rmdir": _error(lambda: os.rmdir(os.path.dirname(path))),
        "fifo": _error(lambda: os.mkfifo(new)),
        "chmod": _error(lambda: os.chmod(path, 0o777)),
        "chown": _error(lambda: os.chown(path, 0, 0)),
        "truncate": _error(lambda: os.truncate(path, 0)),
        "utime": _error(lambda: os.utime(path)),
        "attribute": _error(lambda: os.setxattr(path, "user.a", b"b")),
    }
    here, old, fresh = -100, content, new.encode()
    for name, arguments in {
        "unlinkat": (here, old, 0),
        "renameat": (here, old, here, fresh),
        "renameat2": (here, old, here, fresh, 1),  # without a flag it is renameat
        "linkat": (here, old, here, fresh, 0),
        "symlinkat": (old, here, fresh),
        "mkdirat": (here, fresh, 0o700),
        "mknodat": (here, fresh, 0o10600, 0),
        "fchmodat": (here, old, 0o777, 0),
        "fchownat": (here, old, 0, 0, 0),
        "utimensat": (here, old, None, 0),
    }.items():
        found[name] = _call(name, *arguments)
    own = {
        "own kill": _error(lambda: os.kill(os.getpid(), 0)),
        "own thread": _error(lambda: signal.pthread_kill(threading.get_ident(), 0)),
        "own limits": _error(lambda: resource.prlimit(os.getpid(), limit)),
        "limits of zero": _error(lambda: resource.prlimit(0, limit)),
        "getrlimit": _error(lambda: resource.getrlimit(limit)),
    }
    return json.dumps(own), json.dumps(found).encode()


def abort(content):
    """End as the C library ends a process that broke its memory."""
    os.abort()


def start_threads(content):
    """The number of threads that can be there at once; at most 200 are tried."""
    done, count = threading.Event(), 0
    with suppress(RuntimeError):
        while count < 200:
            threading.Thread(target=done.wait, daemon=True).start()
            count += 1
    done.set()
    return str(count), b""


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
