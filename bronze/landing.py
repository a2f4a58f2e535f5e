"""The landing folder, here or in a bucket: which objects are there, whose they are, and their bytes.

Listing reads metadata only. Each object is read by itself, so that one bad object is one row: Spark's own
file source takes `[1]` and `{a,b}` in a name for globs, skips names that begin with `_` or `.`, and fails
as a whole at a colon.
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
"""Requests that a worker has open at once: S3 takes tens of milliseconds to an object's first byte."""

UNREADABLE = ("AccessDenied", "403", "InvalidObjectState", "KMS.DisabledException")
"""What S3 calls an object that is there and can't be read: denied, archived, or its key is."""


class Gone(Exception):
    """The object vanished or changed since it was listed; the next listing shows what is there."""


class Unreadable(Exception):
    """The object is there and can't be read."""


@dataclass(frozen=True, slots=True)
class LandingObject:
    """One version of an object, as listed. `path` is relative to the root, with `/` between its parts."""

    path: str
    size: int
    modified_ns: int
    tag: str = ""

    @property
    def etag(self) -> str:
        """Changes when the object does: a bucket's ETag, else modification time in ns, and size in bytes."""
        return self.tag or f"{self.modified_ns}-{self.size}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A landing object and what its path says. Only `landing.path` holds the original name.

    `key` is the keyed hash of the path, `stored_path` what bronze keeps of it. `is_tombstoned`: its subject
    was erased, so that it is never read, and nothing of its path is kept but that hash.
    """

    landing: LandingObject
    position: int
    key: str
    subject: str | None
    label: str | None
    stored_path: str
    is_tombstoned: bool = False

    def tombstoned(self) -> Arrival:
        """The same object, of an erased subject."""
        return replace(self, subject=None, label=None, stored_path="", is_tombstoned=True)


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a landing folder, and how many folders below it could not be listed."""

    objects: list[LandingObject]
    closed_folders: int


class Landing(ABC):
    """Where photos arrive. Workers get it too. `readers`: how many objects one of them reads at once."""

    readers: ClassVar = 1

    def __init__(self, root: str) -> None:
        self.root = root

    @abstractmethod
    def check(self) -> None:
        """Raises BadInput where there is no such place."""

    @abstractmethod
    def listing(self) -> Listing:
        """Every object below the root, by (modification time, path). Raises BadInput where it can't be
        listed."""

    @abstractmethod
    def read(self, listed: LandingObject) -> bytes:
        """The object's bytes. Raises Gone (vanished, or not that version), Unreadable (no permission)."""

    @abstractmethod
    def is_readable(self, listed: LandingObject) -> bool:
        """Whether a first byte can be read, or the end."""


def landing(root: str) -> Landing:
    """The landing folder under a local folder, or under `s3://bucket/prefix`."""
    return BucketLanding(root) if root.startswith(S3) else LocalLanding(root)


class LocalLanding(Landing):
    """A landing folder on this machine. Links to folders aren't followed."""

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
                        _sort_in(entry, folder, folders, objects)
            except FileNotFoundError:
                continue  # it went meanwhile
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
    """A prefix of a bucket. A version of an object is its ETag, which each read insists on."""

    readers = READERS

    def check(self) -> None:
        S3Folder.at(self.root)

    def listing(self) -> Listing:
        listed = S3Folder.at(self.root).listing()
        # What consoles make for a folder: an empty object whose name ends with `/`.
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

    def _content(self, listed: LandingObject, **more: str) -> bytes:
        """Raises StorageFailed where the bucket throttles or is silent: that tells nothing of the object."""
        where = S3Folder.at(self.root)
        key = f"{where.prefix}/{listed.path}"
        try:
            content, _ = content_of(
                "a landing object", Bucket=where.bucket, Key=key, IfMatch=f'"{listed.tag}"', **more
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


def _sort_in(
    entry: os.DirEntry[str], folder: str, folders: list[str], objects: list[LandingObject]
) -> None:
    """An entry of a folder to where it belongs. A name may be anything: bytes that are no UTF-8 arrive as
    Python's surrogates."""
    path = f"{folder}{entry.name}"
    if entry.is_dir(follow_symlinks=False):
        folders.append(f"{path}/")
    elif entry.is_file():
        with suppress(FileNotFoundError):  # it went meanwhile
            facts = entry.stat()
            objects.append(LandingObject(path, facts.st_size, facts.st_mtime_ns))


def arrival(landing: LandingObject, *, position: int, keys: Pseudonyms) -> Arrival:
    """What the path of an object says: its subject's pseudonym and its label.

    The subject is what follows `subject=` in the name of a folder. The label follows `label=`; without
    one, a path with no subject takes the parent folder's name (data sets with one folder a class),
    while an app's folders (`subject=…/2026/11/`) tell no label.
    The path of a subject's object is kept as its pseudonym and a keyed hash.
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
    """The innermost match wins; an empty value counts as none."""
    found = [match[1] for folder in folders if (match := pattern.fullmatch(folder))]
    return found[-1] or None if found else None


def _text(name: str | None) -> str | None:
    """A name as valid Unicode, which Arrow insists on."""
    return None if name is None else os.fsencode(name).decode(errors="replace")


def overlap(landing: str, lake: str) -> bool:
    """Whether one of the two folders holds the other: the lake's own files would arrive as photos."""
    return within(landing, lake) or within(lake, landing)
