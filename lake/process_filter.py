"""A filter of Linux's system calls (seccomp) that lets a process start threads, and no process or program,
and keeps it from other processes and from files by their names.

A limit on the number of processes (RLIMIT_NPROC) counts threads, too, and decoders of HEIC need one. It holds
only for users other than root, this filter for all. Numbers are those of Linux's headers: asm/unistd_64.h for
x86-64, and asm-generic/unistd.h, which ARM uses.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import NamedTuple

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class _SystemCalls(NamedTuple):
    """The number of a kind of processors for the kernel, and those of its system calls.

    `clone` and `clone3` start threads and processes. Those of `signals` and `limits` (prlimit64) are allowed
    where they name this process, and those of `refused` never.
    """

    architecture: int
    clone: int
    clone3: int
    signals: tuple[int, int]
    limits: int
    refused: tuple[int, ...]


EVERYWHERE = (
    *(424, 434, 438),  # pidfd_send_signal, pidfd_open, pidfd_getfd
    425,  # io_uring_setup, whose calls no filter sees
    452,  # fchmodat2
)
"""Refused calls that have one number on all processors."""

# In each row below stand the same calls, as far as ARM has them.
SYSTEM_CALLS = {
    "x86_64": _SystemCalls(
        0xC000003E,
        clone=56,
        clone3=435,
        signals=(62, 234),
        limits=302,
        refused=(
            *EVERYWHERE,
            *(57, 58, 59, 322),
            *(101, 310, 311),
            *(200, 129, 297),
            *(87, 263, 84, 82, 264, 316),
            *(86, 265, 88, 266, 83, 258, 133, 259),
            *(76, 90, 268, 92, 94, 260),
            *(132, 235, 261, 280, 188, 189, 197, 198),
            *(272, 308, 165, 166, 155, 161),
            *(321, 298, 323, 250, 248, 249),
        ),
    ),
    "aarch64": _SystemCalls(
        0xC00000B7,
        clone=220,
        clone3=435,
        signals=(129, 131),  # kill, tgkill
        limits=261,
        refused=(
            *EVERYWHERE,
            *(221, 281),  # fork, vfork, execve, execveat
            *(117, 270, 271),  # ptrace, process_vm_readv, process_vm_writev
            *(130, 138, 240),  # tkill, rt_sigqueueinfo, rt_tgsigqueueinfo
            *(35, 38, 276),  # unlink, unlinkat, rmdir, rename, renameat, renameat2
            *(37, 36, 34, 33),  # link, linkat, symlink, symlinkat, mkdir, mkdirat, mknod, mknodat
            *(45, 53, 54),  # truncate, chmod, fchmodat, chown, lchown, fchownat
            # utime, utimes, futimesat, utimensat, setxattr, lsetxattr, removexattr, lremovexattr
            *(88, 5, 6, 14, 15),
            *(97, 268, 40, 39, 41, 51),  # unshare, setns, mount, umount2, pivot_root, chroot
            # bpf, perf_event_open, userfaultfd, keyctl, add_key, request_key
            *(280, 241, 282, 219, 217, 218),
        ),
    ),
}
"""By the names that the kernel gives to processors. Calls for files that are open already are not among them:
the process keeps nothing open but its socket and its shared memory."""

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
    """Let this process, and its threads, start no process and no program from now on, for good, and reach no
    other process and no file's name.

    Returns whether that worked: it needs Linux on a known kind of processor, and PR_SET_NO_NEW_PRIVS.
    """
    known = SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or known is None or sys.maxsize < 1 << 32:
        return False
    code = _program(known, os.getpid())
    instructions = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and where they are.
    program = struct.pack("@HP", len(code) // INSTRUCTION.size, ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong
    return bool(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0)


def _program(calls: _SystemCalls, process: int) -> bytes:
    """Return the filter for a kind of processors, and for the process of that id."""
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
    # For limits a zero stands for this process, for signals it would for its group.
    for number, other in (*((each, process) for each in calls.signals), (calls.limits, 0)):
        program += [
            (EQUAL, 0, 5, number),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (EQUAL, 1, 0, process),
            (EQUAL, 0, 1, other),
            (RETURN, 0, 0, ALLOW),
            (RETURN, 0, 0, denied),
        ]
    program += [
        (EQUAL, 1, 0, calls.clone),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, denied),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(INSTRUCTION.pack(*each) for each in program)
