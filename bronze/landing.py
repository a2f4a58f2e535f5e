"""The landing folder, on this machine or in a bucket: its objects, their subjects, and their bytes.

Listing reads metadata only. Each object is read by itself, so that one bad object becomes one bad row.
Spark's own file source is not used: it takes `[1]` and `{a,b}` in a name for globs, skips names that begin
with `_` or `.`, and fails as a whole at a colon.
"""

from __future__ import annotations

import os
import re
import stat
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar

from conf.errors import BadInput
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import S3, opened, within
from lake.storage.s3_folder import CHANGED, S3Folder, StorageFailed, content_of

SUBJECT = re.compile(r"subject=(.*)", re.DOTALL)
LABEL = re.compile(r"label=(.*)", re.DOTALL)

READERS = 8
"""How many requests a worker has open at once. S3 takes tens of milliseconds to an object's first byte."""

UNREADABLE = ("AccessDenied", "403", "InvalidObjectState", "KMS.DisabledException")
"""The codes of S3 for an object that can't be read: it is denied or archived, or its key is disabled."""


class Gone(Exception):
    """The object vanished or changed after it was listed; the next listing shows what is there."""


class Unreadable(Exception):
    """The object exists and can't be read."""


@dataclass(frozen=True, slots=True)
class LandingObject:
    """One version of an object, as it was listed.

    `path` is relative to the root, with `/` between its parts. `size` is in bytes, `modified_ns` in ns since
    1970. `tag` is a bucket's ETag, and empty for a local file.
    """

    path: str
    size: int
    modified_ns: int
    tag: str = ""

    @property
    def etag(self) -> str:
        """A text that changes when the object does.

        It is the bucket's ETag, or for a local file the modification time in ns and the size in bytes.
        """
        return self.tag or f"{self.modified_ns}-{self.size}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A landing object and what its path says. Only `landing.path` holds the original name.

    `key` is the keyed hash of the path, `stored_path` what bronze keeps of the path. `is_tombstoned` says
    that the subject was erased: the object is never read, and only that hash is kept of its path.
    """

    landing: LandingObject
    position: int
    key: str
    subject: str | None
    label: str | None
    stored_path: str
    is_tombstoned: bool = False

    def tombstoned(self) -> Arrival:
        """Return the same object as one of an erased subject, without what its path says."""
        return replace(self, subject=None, label=None, stored_path="", is_tombstoned=True)


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a landing folder, and the number of folders below it that could not be listed."""

    objects: list[LandingObject]
    closed_folders: int


class Landing(ABC):
    """The folder where photos arrive. Workers get it too, and each reads `readers` objects at once."""

    readers: ClassVar = 1

    def __init__(self, root: str) -> None:
        self.root = root

    @abstractmethod
    def check(self) -> None:
        """Check that the landing folder exists. Raises BadInput where it doesn't."""

    @abstractmethod
    def listing(self) -> Listing:
        """Return all objects below the root by (modification time, path). Raises BadInput if that fails."""

    @abstractmethod
    def read(self, listed: LandingObject) -> bytes:
        """Return the object's bytes.

        Raises Gone where the object vanished or is another version now, and Unreadable where it can't be
        read, for example without permission.
        """

    @abstractmethod
    def is_readable(self, listed: LandingObject) -> bool:
        """Return whether the object's first byte, or the end of an empty one, can be read."""


def landing(root: str) -> Landing:
    """Return the landing folder of that name: a local folder, or `s3://bucket/prefix`."""
    return BucketLanding(root) if root.startswith(S3) else LocalLanding(root)


class LocalLanding(Landing):
    """A landing folder on this machine. Symbolic links to folders aren't followed."""

    def check(self) -> None:
        if "://" in self.root:
            raise BadInput(
                f"The landing folder {self.root} is neither a local folder nor s3://bucket/prefix; name one "
                f"of the two."
            )
        if not os.path.isdir(self.root):
            raise BadInput(
                f"The landing folder {self.root} doesn't exist; make it and put photos there, "
                f"name another with --landing, or fill it with --samples N."
            )

    def listing(self) -> Listing:
        self.check()
        objects: list[LandingObject] = []
        folders, closed = [""], 0
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    for entry in entries:
                        _add_entry(entry, folder, folders, objects)
            except FileNotFoundError:
                continue  # the folder was removed meanwhile
            except OSError as error:
                if not folder:
                    raise BadInput(
                        f"The landing folder {self.root} can't be listed ({error.strerror}); "
                        f"grant permission, or name another with --landing."
                    ) from None
                closed += 1
        return Listing(sorted(objects, key=lambda o: (o.modified_ns, o.path)), closed)

    def read(self, listed: LandingObject) -> bytes:
        try:
            with self._open(listed) as file:
                before = os.fstat(file.fileno())
                content = b"" if stat.S_ISFIFO(before.st_mode) else file.read()
        except (FileNotFoundError, NotADirectoryError):
            raise Gone from None
        except OSError as error:
            raise Unreadable(error.strerror) from None
        if (before.st_mtime_ns, len(content)) != (listed.modified_ns, listed.size):
            raise Gone
        return content

    def is_readable(self, listed: LandingObject) -> bool:
        try:
            with self._open(listed) as file:
                file.read(1)
        except OSError:
            return False
        return True

    def _open(self, listed: LandingObject) -> BinaryIO:
        return opened(os.path.join(self.root, listed.path))


class BucketLanding(Landing):
    """A landing folder in a bucket. An object's version is its ETag, and each read asks for that version."""

    readers = READERS

    def check(self) -> None:
        S3Folder.at(self.root)

    def listing(self) -> Listing:
        listed = S3Folder.at(self.root).listing()
        # S3 consoles make an empty object whose name ends with `/` for each folder: it is no photo.
        objects = [
            LandingObject(each.name, each.size, each.modified_ns, each.tag)
            for each in listed
            if each.size or not each.name.endswith("/")
        ]
        return Listing(sorted(objects, key=lambda o: (o.modified_ns, o.path)), 0)

    def read(self, listed: LandingObject) -> bytes:
        return self._content(listed)

    def is_readable(self, listed: LandingObject) -> bool:
        try:
            self._content(listed, Range="bytes=0-0")
        except (Gone, Unreadable):
            return False
        return True

    def _content(self, listed: LandingObject, **parameters: str) -> bytes:
        """Return the object's bytes; `parameters` are further ones of S3's GetObject.

        Raises Gone and Unreadable as `read` does, and StorageFailed where the bucket throttles or doesn't
        answer, which says nothing about the object.
        """
        folder = S3Folder.at(self.root)
        key = f"{folder.prefix}/{listed.path}"
        try:
            content, _ = content_of(
                "a landing object",
                Bucket=folder.bucket,
                Key=key,
                IfMatch=f'"{listed.tag}"',
                **parameters,
            )
        except FileNotFoundError:
            raise Gone from None
        except StorageFailed as error:
            if error.code in CHANGED:
                raise Gone from None
            if error.code in UNREADABLE:
                raise Unreadable(f"S3 says {error.code}") from None
            raise
        return content


def _add_entry(
    entry: os.DirEntry[str], folder: str, folders: list[str], objects: list[LandingObject]
) -> None:
    """Add an entry of a folder to `folders` or to `objects`; other kinds of entries are left out.

    A name may be any bytes: those that are no UTF-8 arrive as Python's surrogates.
    """
    path = f"{folder}{entry.name}"
    if entry.is_dir(follow_symlinks=False):
        folders.append(f"{path}/")
    elif entry.is_file():
        with suppress(FileNotFoundError):  # the file was removed meanwhile
            status = entry.stat()
            objects.append(LandingObject(path, status.st_size, status.st_mtime_ns))


def arrival(landing: LandingObject, *, position: int, keys: Pseudonyms) -> Arrival:
    """Return a landing object with what its path says: its subject's pseudonym and its label.

    The subject follows `subject=` in the name of a folder, and the label follows `label=`. In a path
    without either, the label is the name of the parent folder, as in data sets with one folder a class.
    In a path with a subject alone, such as an app's `subject=…/2026/11/`, no folder is taken for a label.
    The stored path of a subject's object consists of the pseudonym and a keyed hash. `position` is the
    object's place in the listing.
    """
    folders = landing.path.split("/")[:-1]
    subject = _value(SUBJECT, folders)
    label = _value(LABEL, folders)
    key = keys.path(landing.path)
    if subject is None:
        if label is None and folders and "=" not in folders[-1]:
            label = folders[-1]
        return Arrival(landing, position, key, None, _text(label), _text(landing.path) or "")
    pseudonym = keys.subject(subject)
    stored = f"subject={pseudonym}/{key}"
    return Arrival(landing, position, key, pseudonym, _text(label), stored)


def _value(pattern: re.Pattern[str], folders: list[str]) -> str | None:
    """Return the value of the innermost folder that matches; None where there is none or it is empty."""
    found = [match[1] for folder in folders if (match := pattern.fullmatch(folder))]
    return found[-1] or None if found else None


def _text(name: str | None) -> str | None:
    """Return a name as valid Unicode, as Arrow requires it."""
    return None if name is None else os.fsencode(name).decode(errors="replace")


def overlap(landing: str, lake: str) -> bool:
    """Return whether one of the two folders holds the other.

    The lake's own files would then arrive as photos.
    """
    return within(landing, lake) or within(lake, landing)
