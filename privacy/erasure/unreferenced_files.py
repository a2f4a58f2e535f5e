"""Unreferenced files: files in a table's folder that its current version does not need, and their removal.

Files are listed first, and the files of the current version are asked for after that; the lease is checked
before each batch is removed. So a process that was paused anywhere, and lost the lake meanwhile, removes no
file of the one that took over: what that one wrote is in no list, or the check fails. VACUUM removes nothing
here. It asks before it lists, leaves files whose names begin with `_` or `.` and files whose time lies in the
future, and does not report what it could not delete.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from lake import delta_log
from lake.catalog import Table
from lake.readable_lake import Lake
from lake.storage.folder import StoredKind, StoredObject
from lake.writable_lake import WritableLake

T = TypeVar("T")

BATCH = 200
"""The most files that are removed between two checks of the lease. In S3 that takes some seconds."""


def strays(lake: Lake, table: Table) -> list[StoredObject]:
    """Return what lies in a table's folder and does not belong to its current version or to its log."""
    listed = list(lake.files.stored(table.name))
    live = _live(lake, table)
    return [
        each
        for each in listed
        if each.kind is not StoredKind.CLOSED
        and not each.name.startswith(_log(table))
        and not each.name.endswith("/")
        and (each.kind is not StoredKind.FILE or each.name not in live)
    ]


def has_others(lake: Lake, table: Table, *, hours: float) -> bool:
    """Return whether there may be files in a table's folder that do not belong to its current version or to
    its log, and were written more than so many hours ago: a younger one may belong to a version that is kept.
    Unlike `strays`, it asks a bucket for no earlier versions of its objects, unless there are such files."""
    names = lake.files.current(table.name)
    live = _live(lake, table)
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


def remove_strays(
    lake: WritableLake,
    table: Table,
    *,
    among: Callable[[StoredObject], bool] = lambda stored: True,
) -> list[StoredObject]:
    """Remove the unreferenced files of a table for which `among` is true, whatever their age.

    Return those that could not be removed. Raises Busy.
    """
    return remove_each(filter(among, strays(lake, table)), check_lease=lake.check_lease)


def remove_unneeded(
    lake: WritableLake, table: Table, unneeded: Collection[str]
) -> list[StoredObject]:
    """Remove the unreferenced files of a table that are named, with their checksums, and empty folders.

    Return those that could not be removed. Raises Busy.
    """
    names = {*unneeded, *map(_checksum, unneeded)}
    left = remove_strays(lake, table, among=lambda stored: stored.name in names)
    folders = (
        each
        for each in lake.files.stored(table.name, folders=True)
        if each.kind is StoredKind.FOLDER and each.name in names
    )
    return left + remove_each(folders, check_lease=lake.check_lease)


def remove_each(
    objects: Iterable[StoredObject], *, check_lease: Callable[[], None]
) -> list[StoredObject]:
    """Remove stored objects, and return those that could not be removed.

    `check_lease` is called before each batch, once the batch was listed. Raises Busy.
    """
    left = []
    for batch in in_batches(objects):
        check_lease()
        for each in batch:
            try:
                each.remove()
            except OSError:
                left.append(each)
    return left


def in_batches(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values in lists of at most `BATCH`. Each list is whole before anything is done with it."""
    remaining = iter(values)
    while batch := list(islice(remaining, BATCH)):
        yield batch
