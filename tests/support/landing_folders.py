"""Landing folders in which something is wrong with some files, in a module that workers import."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

from bronze.landing import Landing, LandingObject, ListingCounts
from lake.storage.local_folder import LocalFolder

BOTH = threading.Barrier(2)
"""The barrier of one worker, which imports this module for itself."""


class ClosedFiles(LocalFolder):
    """Files whose names begin with `closed` can't be opened, not even by root."""

    def open(self, name: str, *, version: str | None = None) -> BinaryIO:
        if os.path.basename(name).startswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return super().open(name, version=version)


class ClosedLanding(Landing):
    """A landing folder with files that can't be opened."""

    @property
    def files(self) -> LocalFolder:
        return ClosedFiles(self.root)


class SimultaneousLanding(Landing):
    """A landing folder in which a read waits until another one has begun."""

    readers = 2

    def read(self, listed: LandingObject) -> bytes:
        BOTH.wait(timeout=20)
        return super().read(listed)


class MovingLanding(Landing):
    """A landing folder in which, once it was listed, `vanishes.jpg` goes and `changes.jpg` gets `new.jpg`."""

    def objects(self, counts: ListingCounts | None = None) -> Iterator[LandingObject]:
        yield from list(super().objects(counts))
        os.remove(os.path.join(self.root, "vanishes.jpg"))
        os.replace(os.path.join(self.root, "new.jpg"), os.path.join(self.root, "changes.jpg"))


ODD_NAMES = [
    "_under.jpg",
    ".hidden.jpg",
    "a:b.jpg",
    "[1].jpg",
    "{a,b}.jpg",
    "%20.jpg",
    "new\nline.jpg",
    "früchte-水果.jpg",
    "x" * 250 + ".jpg",
    os.fsdecode(b"caf\xe9.jpg"),
]
