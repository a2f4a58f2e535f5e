"""Unreferenced files: files in a table's folder that its current version does not need, and their removal.

VACUUM does not report files that it could not delete. It leaves files whose names begin with `_` or `.`, and
files whose time lies in the future. A bucket that keeps versions also keeps what VACUUM deleted. So after a
VACUUM the files in the folder are compared with the files of the current version.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from lake import delta_log
from lake.catalog import Table
from lake.readable_lake import Lake
from lake.storage.folder import StoredKind, StoredObject
from lake.writable_lake import WritableLake


def strays(lake: Lake, table: Table) -> list[StoredObject]:
    """Return what lies in a table's folder and does not belong to its current version or to its log."""
    live = _live(lake, table)
    return [
        each
        for each in lake.files.stored(table.name)
        if each.kind is not StoredKind.CLOSED
        and not each.name.startswith(_log(table))
        and not each.name.endswith("/")
        and (each.kind is not StoredKind.FILE or each.name not in live)
    ]


def has_others(lake: Lake, table: Table, *, hours: float) -> bool:
    """Return whether there may be files in a table's folder that do not belong to its current version or to
    its log, and were written more than so many hours ago: VACUUM removes no others. Unlike `strays`, it asks
    a bucket for no earlier versions of its objects, unless there are such files."""
    live = _live(lake, table)
    names = lake.files.current(table.name)
    others = {
        name
        for name in names
        if name not in live and not name.startswith(_log(table)) and name[-1] != "/"
    }
    if not others:
        return False
    before_ns = (time.time() - hours * 3600) * 1e9
    stored = lake.files.stored(table.name)
    written_ns = {each.name: each.modified_ns for each in stored if each.kind is StoredKind.FILE}
    return any(written_ns.get(name, 0) <= before_ns for name in others)


def _live(lake: Lake, table: Table) -> set[str]:
    """Return the names of the files of a table's current version, and of their checksums."""
    names = lake.names(table)
    return names | {_checksum(name) for name in names}


def _log(table: Table) -> str:
    return f"{table.name}/{delta_log.FOLDER}/"


def _checksum(name: str) -> str:
    """Return the name of the checksum file that Hadoop writes beside a file."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}.{base}.crc"


def remove_old(
    lake: WritableLake,
    table: Table,
    *,
    hours: float,
    even_younger: Callable[[StoredObject], bool] = lambda stored: True,
) -> list[StoredObject]:
    """Remove unreferenced files of a table, and return those that could not be deleted.

    VACUUM removes the files that no version of the last `hours` hours needs. Of the files that it leaves,
    those for which `even_younger` is true are removed, whatever their age.
    """
    if not strays(lake, table):
        return []
    lake.vacuum(table, hours=hours)
    return remove_each(filter(even_younger, strays(lake, table)))


def remove_each(objects: Iterable[StoredObject]) -> list[StoredObject]:
    """Remove stored objects, and return those that could not be removed."""
    left = []
    for each in objects:
        try:
            each.remove()
        except OSError:
            left.append(each)
    return left
