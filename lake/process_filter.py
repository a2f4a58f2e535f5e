"""A filter of Linux's system calls (seccomp) that lets a process start threads, and no process or program.

A limit on the number of processes (RLIMIT_NPROC) counts threads, too, and decoders of HEIC need one. It holds
only for users other than root, this filter for all.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from typing import NamedTuple

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class _SystemCalls(NamedTuple):
    """The number of a kind of processors for the kernel, and those of its system calls: `clone` and `clone3`
    start threads and processes, and `refused` processes and programs alone."""

    architecture: int
    clone: int
    clone3: int
    refused: tuple[int, ...]


SYSTEM_CALLS = {
    "x86_64": _SystemCalls(0xC000003E, 56, 435, refused=(57, 58, 59, 322)),
    "aarch64": _SystemCalls(0xC00000B7, 220, 435, refused=(221, 281)),
}
"""By the names that the kernel gives to processors: fork, vfork, execve and execveat are refused. ARM has no
fork and vfork."""

OTHER_NUMBERS = 0x40000000
"""From this number on, system calls of x86-64 are those of another set (x32)."""

CLONE_THREAD = 0x00010000

# Instructions of the kernel's filters: load a word, compare it, return. A jump has the numbers of the
# instructions to leave out where the comparison holds and where it doesn't.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
INSTRUCTION = struct.Struct("=HBBI")


def forbid_processes() -> bool:
    """Let this process, and its threads, start no process and no program from now on, for good.

    Returns whether that worked: it needs Linux on a known kind of processor, and PR_SET_NO_NEW_PRIVS.
    """
    known = SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or known is None or sys.maxsize < 1 << 32:
        return False
    code = _program(known)
    instructions = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and where they are.
    program = struct.pack("@HP", len(code) // INSTRUCTION.size, ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong
    return bool(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0)


def _program(calls: _SystemCalls) -> bytes:
    """Return the filter for a kind of processors."""
    denied = REFUSE | errno.EPERM
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, calls.architecture),
        (RETURN, 0, 0, denied),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, OTHER_NUMBERS),
        (RETURN, 0, 0, denied),
        # The C library takes clone, whose flags can be seen here, where there is no clone3.
        (EQUAL, 0, 1, calls.clone3),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
    ]
    for number in calls.refused:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, denied)]
    program += [
        (EQUAL, 1, 0, calls.clone),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, denied),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(INSTRUCTION.pack(*each) for each in program)
