"""Memory that a process shares with the children that it starts."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from contextlib import suppress


class SharedMemory:
    """Zeros of a fixed size in bytes, without a name, and not on a disk where the system can do that.

    A child that inherits the `descriptor` maps it and sees what is written to `memory`. Pages take memory
    once they are written.
    """

    def __init__(self, size: int) -> None:
        if hasattr(os, "memfd_create"):
            flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
            self._file = open(os.memfd_create("photos", flags), "w+b", buffering=0)  # noqa: SIM115
        else:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._file.truncate(size)
        if hasattr(os, "memfd_create"):
            # A child that could make it shorter would kill its parent: who reads behind the end gets SIGBUS.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, seals)
        self.descriptor = self._file.fileno()
        self.memory = mmap.mmap(self.descriptor, size)

    def clear(self) -> None:
        """Give back the memory that the pages take: they hold zeros again. Only Linux can do that."""
        with suppress(AttributeError, OSError):
            self.memory.madvise(mmap.MADV_REMOVE)
