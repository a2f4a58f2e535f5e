"""A folder of this machine."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlparse

from pyarrow import fs

from conf.errors import BadInput
from lake.storage.folder import (
    Folder,
    ObjectGone,
    ObjectUnreadable,
    StoredKind,
    StoredObject,
)

NO_SIZE = "its file system doesn't tell its size; copy it to a folder of another one"
"""What is said of a file that has more or fewer bytes than its file system says, such as one in /proc."""


def open_file(path: str) -> BinaryIO:
    """Opens a file of this machine for reading. A pipe in its place does not hold up whoever reads it."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")


def write_whole(path: Path, content: bytes, *, part: Path) -> None:
    """Writes a file under another name, `part`, then moves it: readers see the whole file or none.

    Both reach the disk before this returns, so a machine that loses power leaves no empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            write_through(file, content)
        os.replace(part, path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_through(file: BinaryIO, content: bytes) -> None:
    """Writes to a file what must be on the disk when this returns."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Has the names in a folder reach the disk, where its file system can do that: not all can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


class LocalFolder(Folder):
    """A folder of this machine."""

    def __init__(self, root: str) -> None:
        if "://" in root:
            raise BadInput(
                f"{root} is neither a local folder nor s3://bucket/prefix; name one of the two."
            )
        self.root = str(Path(root).absolute())
        if self.root != os.fsencode(self.root).decode(errors="replace"):
            raise BadInput(
                f"The path {self.root!r} is no UTF-8, which Arrow needs; rename the folder, or name another."
            )
        self._fs = fs.SubTreeFileSystem(self.root, fs.LocalFileSystem())

    def name_of(self, uri: str) -> str:
        return os.path.relpath(unquote(urlparse(uri).path), self.root)

    def is_there(self) -> bool:
        return os.path.isdir(self.root)

    def make(self) -> None:
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            probe = f".writable-{id(self)}"
            with self._fs.open_output_stream(probe):
                pass
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
        path = Path(self.root, name)
        write_whole(path, content, part=path.with_name(f".{path.name}.part"))

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        path = Path(self.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            yield file

    def add_name(self, name: str, new: str) -> None:
        path, other = Path(self.root, name), Path(self.root, new)
        other.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, other)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:  # the file system has no second names
            with path.open("rb") as file, other.open("xb") as copy:
                shutil.copyfileobj(file, copy)

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
        """Holds a lock on a file beside that name, or beside the outermost folder that it lies in. The
        operating system releases it when its holder dies."""
        with Path(self.root, f".{name.partition('/')[0]}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def delete(self, name: str) -> None:
        self._fs.delete_file(name)

    def delete_folder(self, name: str, *, check: Callable[[], None]) -> None:
        listed = list(self.stored(name, folders=True))
        check()
        for each in [*listed, StoredObject(self, name, kind=StoredKind.FOLDER)]:
            self.remove(each)

    def copy_folder(self, name: str, to: str) -> None:
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
        return open_file(os.path.join(self.root, name))

    def listing(self, *, begin: str = "") -> Iterator[StoredObject]:
        """The names may hold any bytes: those that are no UTF-8 arrive as Python's surrogates. A folder in
        which all names come before `begin` is not entered."""
        first, folders = os.fsencode(begin), [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    for entry in entries:
                        name = f"{folder}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            inner = os.fsencode(f"{name}/")
                            if inner >= first or first.startswith(inner):
                                folders.append(f"{name}/")
                        elif os.fsencode(name) < first:
                            continue
                        elif not entry.is_file(follow_symlinks=False):
                            yield StoredObject(self, name, kind=StoredKind.LINK)
                        elif facts := _facts(entry):
                            yield StoredObject(
                                self, name, facts.st_size, modified_ns=facts.st_mtime_ns
                            )
            except FileNotFoundError:
                continue  # it went meanwhile
            except OSError:
                if not folder:
                    raise
                yield StoredObject(self, folder.rstrip("/"), kind=StoredKind.CLOSED)

    def read_listed(self, listed: StoredObject) -> bytes:
        try:
            with self.open(listed.name) as file:
                before = os.fstat(file.fileno())
                content = b"" if stat.S_ISFIFO(before.st_mode) else file.read(listed.size + 1)
                after = os.fstat(file.fileno())
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectGone from None
        except OSError as error:
            raise ObjectUnreadable(error.strerror) from None
        was_listed = (listed.modified_ns, listed.size)
        if any((each.st_mtime_ns, each.st_size) != was_listed for each in (before, after)):
            raise ObjectGone
        if len(content) != listed.size:
            raise ObjectUnreadable(NO_SIZE)
        return content

    def can_read(self, listed: StoredObject) -> bool:
        try:
            with self.open(listed.name) as file:
                has_content = bool(file.read(1))
        except OSError:
            return False
        return bool(listed.size) or not has_content

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
                except OSError as error:  # its folder may be listed, and not entered
                    note(PermissionError(error.errno, error.strerror, place))
                    break
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


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the facts about a file; None where it went meanwhile."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
