"""Memory that a process shares with the children that it starts."""

from __future__ import annotations

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
            self._file = open(os.memfd_create("photos"), "w+b", buffering=0)  # noqa: SIM115
        else:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._file.truncate(size)
        self.descriptor = self._file.fileno()
        self.memory = mmap.mmap(self.descriptor, size)

    def clear(self) -> None:
        """Give back the memory that the pages take: they hold zeros again. Only Linux can do that."""
        with suppress(AttributeError, OSError):
            self.memory.madvise(mmap.MADV_REMOVE)
