"""The folder: a root, and the few things that are done with files under it, whatever the storage."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO, ClassVar

from conf.errors import Inconsistent

PUT_BACK = "put back the file from a copy, and run again."
"""What to do about a file that only this product writes, and that holds something else."""


class StoredKind(Enum):
    """What a stored object is. A bucket that keeps versions has the last three beside its files: versions
    that were overwritten or deleted, marks of deletions, and uploads that were never completed."""

    FILE = "file"
    FOLDER = "folder"
    CLOSED = "closed folder"
    LINK = "link or special file"
    NONCURRENT = "noncurrent version"
    MARKER = "delete marker"
    UPLOAD = "unfinished upload"


PLAIN = (StoredKind.FILE, StoredKind.FOLDER, StoredKind.CLOSED, StoredKind.LINK)
"""The kinds that lie in a folder of this machine."""


class ObjectGone(Exception):
    """The object vanished or changed since it was listed; the next listing shows what is there."""


class ObjectUnreadable(Exception):
    """The object is there and can't be read."""


@dataclass(frozen=True)
class StoredObject:
    """One thing that lies under a folder, as it was listed. `name` is relative to the root; `size` in bytes.

    `tag` changes with the content, where the storage has such a tag; `version` is the id of a version in a
    bucket, or of an upload. `is_archived`: nobody can read it before it is restored.
    """

    folder: Folder
    name: str
    size: int = 0
    kind: StoredKind = StoredKind.FILE
    modified_ns: int = 0
    tag: str = ""
    version: str | None = None
    is_archived: bool = False

    def __str__(self) -> str:
        is_plain = self.kind in PLAIN
        return self.folder.uri(self.name) + ("" if is_plain else f" ({self.kind.value})")

    @property
    def has_content(self) -> bool:
        """Whether it can be opened."""
        return self.kind in (StoredKind.FILE, StoredKind.NONCURRENT)

    def open(self) -> BinaryIO:
        """Opens its bytes for reading at any place. Raises OSError, and FileNotFoundError where it went
        meanwhile."""
        return self.folder.open(self.name, version=self.version)

    def remove(self) -> None:
        """Removes it for good; a folder only where it is empty. Raises OSError."""
        self.folder.remove(self)


class Folder(ABC):
    """The files under a root. Names are relative to the root, with `/` between their parts.

    Every call raises OSError where the storage fails. `readers` is the number of objects that one process
    should read at once.
    """

    root: str
    readers: ClassVar[int] = 1

    def uri(self, name: str) -> str:
        """The address by which Spark knows a file."""
        return f"{self.root}/{name}"

    @abstractmethod
    def name_of(self, uri: str) -> str:
        """The name of a file that Spark knows by this URI."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether the root is a folder that can be listed."""

    @abstractmethod
    def make(self) -> None:
        """Makes the root. Raises BadInput where that is not possible."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is no such file."""

    @abstractmethod
    def open(self, name: str, *, version: str | None = None) -> BinaryIO:
        """Opens a file for reading at any place. Raises FileNotFoundError."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Writes a file. Readers see the whole file or none."""

    @abstractmethod
    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Opens a new file for writing, under a name that no file has. It is whole when the context ends, and
        means nothing where the context ends by an error."""

    @abstractmethod
    def add_name(self, name: str, new: str) -> None:
        """Gives a file that is never changed another name, which no file has, beside its own: where the
        storage can, without its bytes passing through this process. Raises FileNotFoundError."""

    @abstractmethod
    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        """Puts `content` in the place of `expected`; returns False where the file holds something else.

        None stands for no file. Of several processes that try at once, only one gets True.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Deletes a file that is there."""

    @abstractmethod
    def delete_folder(self, name: str, *, check: Callable[[], None]) -> None:
        """Deletes what a folder holds when it is listed; does nothing where there is none.

        `check` is called after the listing, before each batch of files, and may raise: what somebody else
        writes meanwhile stays.
        """

    @abstractmethod
    def copy_folder(self, name: str, to: str) -> None:
        """Copies a folder with all that it holds to a place where nothing lies."""

    @abstractmethod
    def folders(self, name: str) -> list[str]:
        """The names of the folders right under the folder `name`."""

    @abstractmethod
    def names(self, name: str, *, suffix: str) -> list[str]:
        """The names of the files right under the folder `name` that end with `suffix`."""

    @abstractmethod
    def listing(self, *, begin: str = "") -> Iterator[StoredObject]:
        """The files that readers see under the root, in any order, by their metadata alone: all of them, or
        those whose names, in the order of their bytes, don't come before `begin`.

        A folder that can't be listed is among them, as `CLOSED`. So are links, pipes and devices, as `LINK`:
        none is followed or read. Raises OSError where the root itself can't be listed.
        """

    @abstractmethod
    def read_listed(self, listed: StoredObject) -> bytes:
        """The bytes of a file as it was listed.

        Raises ObjectGone where it vanished or is another version now, ObjectUnreadable where it is there and
        can't be read.
        """

    @abstractmethod
    def can_read(self, listed: StoredObject) -> bool:
        """Whether the first byte of a listed file can be read, or its end."""

    @abstractmethod
    def stored(self, under: str = "", *, folders: bool = False) -> Iterator[StoredObject]:
        """Everything that lies under a folder, of every kind.

        With `folders`, the folders too, each after what it holds, and links to folders. A folder that can't
        be listed is among them.
        """

    @abstractmethod
    def superseded(self) -> Iterator[StoredObject]:
        """What lies under the root and no reader sees: versions that are not current, delete markers and
        unfinished uploads."""

    @abstractmethod
    def remove(self, stored: StoredObject) -> None:
        """Removes an object for good; see `StoredObject.remove`."""

    def current(self, under: str) -> dict[str, int]:
        """The files under a folder, however deep, and their sizes in bytes."""
        return {each.name: each.size for each in self.stored(under) if each.kind is StoredKind.FILE}

    def read_json(self, name: str) -> Any:
        """The value of a JSON file; None where there is no such file. Raises Inconsistent where the file is
        empty, as a machine that loses power may leave it, or holds something else."""
        content = self.read(name)
        return None if content is None else decoded(content, self.uri(name))


def decoded(content: bytes, uri: str) -> Any:
    """The value of the JSON file at an address. Raises Inconsistent as `Folder.read_json`."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        what = "can't be understood" if content else "is empty, as if this machine had lost power"
        raise Inconsistent(f"{uri} {what}; {PUT_BACK}") from None
