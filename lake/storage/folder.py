"""Files beside the tables (markers, model files, staged folders), under the lake root: a local folder, or a
prefix of a bucket."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from pyarrow import fs

from conf.errors import BadInput

S3 = "s3://"


class StoredKind(Enum):
    """What a place in the storage is. A bucket that keeps versions has the last three beside its files: what
    was overwritten or deleted, the mark that something was, and uploads that were never completed."""

    FILE = "file"
    FOLDER = "folder"
    CLOSED = "closed folder"
    NONCURRENT = "noncurrent version"
    MARKER = "delete marker"
    UPLOAD = "unfinished upload"


@dataclass(frozen=True)
class StoredObject:
    """One thing that lies under a folder, as listed. `name` is relative to its root; `size` in bytes.

    `tag` changes with the content, where the storage tells one; `version` is a bucket's, or an upload's id.
    """

    folder: Folder
    name: str
    size: int = 0
    kind: StoredKind = StoredKind.FILE
    modified_ns: int = 0
    tag: str = ""
    version: str | None = None

    def __str__(self) -> str:
        told = (
            ""
            if self.kind in (StoredKind.FILE, StoredKind.FOLDER, StoredKind.CLOSED)
            else f" ({self.kind.value})"
        )
        return self.folder.uri(self.name) + told

    @property
    def has_content(self) -> bool:
        """Whether it can be opened."""
        return self.kind in (StoredKind.FILE, StoredKind.NONCURRENT)

    def open(self) -> BinaryIO:
        """Its bytes, from anywhere in it. Raises OSError, FileNotFoundError where it went meanwhile."""
        return self.folder.open(self.name, version=self.version)

    def remove(self) -> None:
        """Removes it for good; a folder only where it is empty. Raises OSError."""
        self.folder.remove(self)


class Folder(ABC):
    """A root, and the few things that are done with files under it. Names are relative to it.

    Every call raises OSError where the storage fails.
    """

    root: str

    def uri(self, name: str) -> str:
        """What Spark calls `name`."""
        return f"{self.root}/{name}"

    @abstractmethod
    def name_of(self, uri: str) -> str:
        """The name of a file that Spark tells of by its URI."""

    @abstractmethod
    def make(self) -> None:
        """Makes the root. Raises BadInput where that can't be."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""

    @abstractmethod
    def open(self, name: str, *, version: str | None = None) -> BinaryIO:
        """A file's bytes, from anywhere in it. Raises FileNotFoundError."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """A whole file or none."""

    @abstractmethod
    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        """Puts `content` in the place of `expected`, or says False where the file holds something else.

        None stands for no file. Of several that try at once, one alone gets True.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Removes a file that is there."""

    @abstractmethod
    def delete_folder(self, name: str) -> None:
        """Removes a folder with all that it holds; nothing where there is none."""

    @abstractmethod
    def copy_folder(self, name: str, to: str) -> None:
        """Copies a folder with all that it holds; what stood there goes first."""

    @abstractmethod
    def folders(self, name: str) -> list[str]:
        """Names of the folders right under `name`."""

    @abstractmethod
    def names(self, name: str, *, suffix: str) -> list[str]:
        """Names of the files right under the folder `name` that end so."""

    @abstractmethod
    def stored(self, under: str = "", *, folders: bool = False) -> Iterator[StoredObject]:
        """Everything that lies under a folder, of every kind; with `folders` also these, after what they
        hold, and links to folders. One that can't be listed is among them."""

    @abstractmethod
    def superseded(self) -> Iterator[StoredObject]:
        """What lies under the root and no reader of it sees: versions that are not current, delete markers,
        unfinished uploads."""

    @abstractmethod
    def remove(self, stored: StoredObject) -> None:
        """As `Stored.remove`."""

    def current(self, under: str) -> dict[str, int]:
        """The files under a folder, however deep, and their sizes in bytes."""
        return {each.name: each.size for each in self.stored(under) if each.kind is StoredKind.FILE}

    def read_json(self, name: str) -> Any:
        """A JSON file's value; None where there is none."""
        content = self.read(name)
        return None if content is None else json.loads(content)


def folder(root: str) -> Folder:
    """What lies under a local folder, or under `s3://bucket/prefix`. Raises BadInput (another scheme, no
    prefix)."""
    if root.startswith(S3):
        # Loaded here: a local lake needs none of AWS.
        from lake.storage.s3_folder import S3Folder

        return S3Folder.at(root)
    return LocalFolder(root)


class LocalFolder(Folder):
    """A folder of this machine."""

    def __init__(self, root: str) -> None:
        if "://" in root:
            raise BadInput(
                f"{root} is neither a local folder nor s3://bucket/prefix; name one of the two."
            )
        self.root = str(Path(root).absolute())
        self._fs = fs.SubTreeFileSystem(self.root, fs.LocalFileSystem())

    def name_of(self, uri: str) -> str:
        return os.path.relpath(unquote(urlparse(uri).path), self.root)

    def make(self) -> None:
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            probe = f".writable-{id(self)}"
            self._write(probe, b"")
            self._fs.delete_file(probe)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(
                f"The folder {self.root} can't be written ({reason}); name another for paths.lake (--lake), "
                f"paths.landing (--landing) or paths.docs."
            ) from None

    def exists(self, name: str) -> bool:
        return self._fs.get_file_info(name).type is not fs.FileType.NotFound

    def read(self, name: str) -> bytes | None:
        try:
            with self._fs.open_input_stream(name) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """A whole file or none: written under another name, then moved."""
        path = Path(self.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        with self._locked(name):
            if self.read(name) != expected:
                return False
            if content is not None:
                self.write(name, content)
            elif expected is not None:
                self._fs.delete_file(name)
            return True

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """The operating system lets go of the lock when its holder dies."""
        with Path(self.root, f".{name}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, content: bytes) -> None:
        with self._fs.open_output_stream(name) as stream:
            stream.write(content)

    def delete(self, name: str) -> None:
        self._fs.delete_file(name)

    def delete_folder(self, name: str) -> None:
        if self.exists(name):
            self._fs.delete_dir(name)

    def copy_folder(self, name: str, to: str) -> None:
        self.delete_folder(to)
        self._fs.create_dir(to)
        fs.copy_files(name, to, source_filesystem=self._fs, destination_filesystem=self._fs)

    def folders(self, name: str) -> list[str]:
        return [i.base_name for i in self._under(name) if i.type is fs.FileType.Directory]

    def names(self, name: str, *, suffix: str) -> list[str]:
        return [i.base_name for i in self._under(name) if i.base_name.endswith(suffix)]

    def _under(self, name: str) -> list[fs.FileInfo]:
        found: list[fs.FileInfo] = self._fs.get_file_info(
            fs.FileSelector(name, allow_not_found=True)
        )
        return found

    def open(self, name: str, *, version: str | None = None) -> BinaryIO:
        return opened(os.path.join(self.root, name))

    def stored(self, under: str = "", *, folders: bool = False) -> Iterator[StoredObject]:
        closed: list[str] = []

        def note(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                closed.append(os.path.relpath(error.filename, self.root))

        top = os.path.join(self.root, under) if under else self.root
        for place, inner, names in os.walk(top, topdown=False, onerror=note):
            links = [each for each in inner if os.path.islink(os.path.join(place, each))]
            for name in [*names, *(links if folders else ())]:
                path = os.path.join(place, name)
                try:
                    facts = os.lstat(path)
                except FileNotFoundError:
                    continue  # it went meanwhile
                size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
                yield StoredObject(self, self._name(path), size, modified_ns=facts.st_mtime_ns)
            if folders and place != top:
                yield StoredObject(self, self._name(place), kind=StoredKind.FOLDER)
        yield from (StoredObject(self, name, kind=StoredKind.CLOSED) for name in closed)

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self.root}/")

    def superseded(self) -> Iterator[StoredObject]:
        return iter(())

    def remove(self, stored: StoredObject) -> None:
        path = os.path.join(self.root, stored.name)
        try:
            if stored.kind is not StoredKind.FOLDER:
                os.unlink(path)
            elif not os.listdir(path):
                os.rmdir(path)
        except FileNotFoundError:
            return


def opened(path: str) -> BinaryIO:
    """A file of this machine, for reading. A pipe in its place does not hold up whoever reads it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")


def within(inner: str, outer: str) -> bool:
    """Whether one place lies in another, or is it: both local folders, or both in a bucket."""
    if inner.startswith(S3) or outer.startswith(S3):
        return f"{inner.rstrip('/')}/".startswith(f"{outer.rstrip('/')}/")
    return Path(inner).resolve().is_relative_to(Path(outer).resolve())
