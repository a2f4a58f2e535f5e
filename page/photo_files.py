"""The photo files that people name: files as they are, and folders with every photo below them."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from lake import photo_formats
from lake.storage.local_folder import open_file

ENDINGS = frozenset((*photo_formats.ENDINGS, *photo_formats.OTHER_ENDINGS))
"""The endings of files that are meant as photos: one of another format is refused, and not passed over."""


@dataclass
class PhotoFiles:
    """Files to look at, in their order, and how many files of folders were passed over, by the reason in
    words (of one and of many).

    `unusable` has the reason for each name that can't be looked at.
    """

    paths: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    passed_over: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, names: Iterable[str]) -> PhotoFiles:
        """Find the files that the names stand for.

        A folder stands for the photos below it, by name: files that begin like a photo or have a photo's
        ending. Hidden files, and links to folders, are passed over; a folder that is named itself may be a
        link.
        """
        found = cls()
        for name in names:
            if not os.path.isdir(name):
                found.paths.append(name)
                continue
            before = len(found.paths)
            found._add_folder(name)
            if len(found.paths) == before:
                found._refuse(name, f"no photo ({photo_formats.listed('or')}) is in this folder")
        return found

    @property
    def is_empty(self) -> bool:
        """Whether there is no file to look at."""
        return len(self.unusable) == len(self.paths)

    def _add_folder(self, folder: str) -> None:
        """Add the photos of a folder and of the folders in it. Each level is open only while it is listed."""
        open_folders = [folder]
        while open_folders:
            current = open_folders.pop()
            try:
                with os.scandir(current) as listed:
                    entries = sorted(listed, key=lambda entry: entry.name)
            except OSError as error:
                self._refuse(current, f"this folder can't be opened ({error.strerror})")
                continue
            # Reversed, because the last one that is added is the next one to be listed.
            open_folders += [e.path for e in reversed(entries) if self._is_folder(e)]
            self.paths += [e.path for e in entries if self._is_photo(e)]

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        """Return whether an entry is a folder to look into. Others are counted here where they are none."""
        if not entry.is_dir():
            return False
        if entry.name.startswith("."):
            self.passed_over["hidden folder", "hidden folders"] += 1
        elif entry.is_symlink():
            self.passed_over["link to a folder", "links to folders"] += 1
        else:
            return True
        return False

    def _is_photo(self, entry: os.DirEntry[str]) -> bool:
        """Return whether an entry is a file to look at. A file that is none is counted here."""
        if entry.is_dir():
            return False
        if entry.name.startswith("."):
            self.passed_over["hidden file", "hidden files"] += 1
        elif os.path.splitext(entry.name)[1].lower() in ENDINGS or _begins_like_a_photo(entry.path):
            return True
        else:
            self.passed_over["file that is no photo", "files that are no photos"] += 1
        return False

    def _refuse(self, name: str, reason: str) -> None:
        if name not in self.unusable:
            self.paths.append(name)
            self.unusable[name] = reason

    def sentence(self) -> str:
        """Return in words what was passed over; an empty text where nothing was."""
        parts = [
            f"{number:,} {one if number == 1 else many}"
            for (one, many), number in sorted(self.passed_over.items())
        ]
        listed = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
        return f"Not looked at: {listed}." if parts else ""


def _begins_like_a_photo(path: str) -> bool:
    """Return whether a file begins like a photo in one of the formats that are read."""
    with suppress(OSError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open_file(path) as file:
            return photo_formats.format_of(file.read(photo_formats.MOST_FTYP)) is not None
    return False


def contents(path: str, *, at_most: int) -> bytes:
    """Return the bytes of a file, at most `at_most` of them. Raises OSError.

    A pipe or a device is no photo: to read one may never end.
    """
    with open_file(path) as file:
        kind = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(kind):
            raise OSError(0, "it is no file but a pipe or a device")
        return file.read(at_most)
