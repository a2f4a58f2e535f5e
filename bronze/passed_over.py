"""What lies in a landing folder and is no photo that somebody sent: thumbnails, and the files of systems.

The setting `landing.passed_over` names it with globs. It gets no row in any table, and is counted apart.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

ANY_FOLDERS = "**"
"""The part of a glob that stands for any number of folders, also for none."""


@dataclass(frozen=True)
class PassedOver:
    """Globs for what is passed over, without regard to case.

    A glob without a slash matches the name of a file, or of a folder with all that it holds, wherever that
    stands. A glob with a slash, other than at its end, matches a path from the landing folder on, of a file
    or of a folder with all that it holds. `*` and `?` stand for no slash, and the part `**` for any number of
    folders.
    """

    globs: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        """Return whether an object is passed over, by its path relative to the landing folder."""
        folders, _, name = path.rpartition("/")
        if self._names is not None and (
            self._names.match(_folded(name)) or _has_name(folders, self._names)
        ):
            return True
        if not self._paths:
            return False
        parts = _folded(path).split("/")
        return any(_begins(parts, each) for each in self._paths)

    @cached_property
    def _names(self) -> re.Pattern[str] | None:
        """The globs without a slash as one pattern; None where there are none."""
        globs = [each for each in self._written if "/" not in each]
        return re.compile("|".join(map(fnmatch.translate, globs))) if globs else None

    @cached_property
    def _paths(self) -> Sequence[Sequence[re.Pattern[str] | None]]:
        """The globs with a slash, each as what matches its parts; None stands for `ANY_FOLDERS`."""
        globs = [each.removeprefix("/") for each in self._written if "/" in each]
        return [
            [None if part == ANY_FOLDERS else re.compile(fnmatch.translate(part)) for part in parts]
            for parts in (each.split("/") for each in globs)
        ]

    @property
    def _written(self) -> Sequence[str]:
        """The globs in the form in which they are compared, without slashes at their ends."""
        return [_folded(each).rstrip("/") for each in self.globs]


def _folded(text: str) -> str:
    """Return a name or a path in the form in which globs are compared."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text).lower()


@lru_cache(maxsize=10_000)
def _has_name(folders: str, names: re.Pattern[str]) -> bool:
    """Return whether one of the folders of a path has a name that matches."""
    return any(names.match(each) for each in _folded(folders).split("/"))


def _begins(parts: Sequence[str], globs: Iterable[re.Pattern[str] | None]) -> bool:
    """Return whether the first parts of a path match the parts of a glob.

    `reached` are the numbers of parts that the globs so far may have taken.
    """
    reached = {0}
    for glob in globs:
        if glob is None:
            reached = set(range(min(reached), len(parts)))
        else:
            reached = {n + 1 for n in reached if n < len(parts) and glob.match(parts[n])}
        if not reached:
            return False
    return True
