"""The files of a lake as they lie there: which of them no version needs, and their removal.

VACUUM says nothing of what it could not delete, and leaves names that begin with `_` or `.` and files whose
time lies in the future. So what lies there afterwards is compared with what the current version has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lake.catalog import Table
from lake.files import local_path
from lake.lake import Lake

LOG = "_delta_log"


def strays(lake: Lake, table: Table) -> list[Path]:
    """The files in a table's folder that its current version does not have, but for the log's own."""
    live = {local_path(uri) for uri in lake.read(table).inputFiles()}
    live |= {path.with_name(f".{path.name}.crc") for path in live}
    return [path for path in files(lake.files.uri(table.name)) if path not in live]


def note_in(closed: list[str]) -> Callable[[OSError], None]:
    """For `os.walk`: names what can't be listed, where it would only be left out."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            closed.append(str(error.filename))

    return note


def files(root: str) -> Iterator[Path]:
    """Every file under a folder, but for those of a Delta log right under it."""
    for folder, folders, names in os.walk(root):
        if folder == root and LOG in folders:
            folders.remove(LOG)
        yield from (Path(folder, name) for name in names)


def free(
    lake: Lake, table: Table, *, hours: float, but_for: Callable[[Path], bool] = lambda _: True
) -> list[Path]:
    """VACUUM of what is older than that, and then of the rest, whatever its age, what `but_for` tells.

    Returns what could not be deleted.
    """
    if not strays(lake, table):
        return []
    lake.vacuum(table, hours=hours)
    left = []
    for path in filter(but_for, strays(lake, table)):
        try:
            path.unlink(missing_ok=True)
        except OSError:
            left.append(path)
    return left
