"""Landing folders in which something is wrong with some files, in a module that workers import."""

from __future__ import annotations

import errno
import os
import threading
from typing import BinaryIO

from bronze.landing import LandingObject, Listing, LocalLanding

BOTH = threading.Barrier(2)
"""Of a worker, which imports this module for itself."""


class Closed(LocalLanding):
    """Files whose names begin with `closed` can't be opened, by root neither."""

    def _open(self, listed: LandingObject) -> BinaryIO:
        if os.path.basename(listed.path).startswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), listed.path)
        return super()._open(listed)


class Together(LocalLanding):
    """A read waits until another one has begun."""

    readers = 2

    def read(self, listed: LandingObject) -> bytes:
        BOTH.wait(timeout=20)
        return super().read(listed)


class Moving(LocalLanding):
    """Right after it was listed, `vanishes.jpg` goes, and `changes.jpg` gets what `new.jpg` holds."""

    def listing(self) -> Listing:
        listed = super().listing()
        os.remove(os.path.join(self.root, "vanishes.jpg"))
        os.replace(os.path.join(self.root, "new.jpg"), os.path.join(self.root, "changes.jpg"))
        return listed


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
