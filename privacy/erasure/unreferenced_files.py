"""The files of a lake as they lie there: which of them no version needs, and their removal.

VACUUM says nothing of what it could not delete, and leaves names that begin with `_` or `.` and files whose
time lies in the future; a bucket that keeps versions keeps what it deleted. So what lies there afterwards is
compared with what the current version has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lake.catalog import Table
from lake.readable_lake import Lake
from lake.storage.folder import StoredKind, StoredObject
from lake.writable_lake import WritableLake

LOG = "_delta_log"


def strays(lake: Lake, table: Table) -> list[StoredObject]:
    """What lies in a table's folder and its current version does not have, but for the log's own files."""
    live = lake.names(lake.read(table))
    live |= {_checksum(name) for name in live}
    log = f"{table.name}/{LOG}/"
    return [
        each
        for each in lake.files.stored(table.name)
        if each.kind is not StoredKind.CLOSED
        and not each.name.startswith(log)
        and not each.name.endswith("/")
        and (each.kind is not StoredKind.FILE or each.name not in live)
    ]


def _checksum(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}.{base}.crc"


def free(
    lake: WritableLake,
    table: Table,
    *,
    hours: float,
    but_for: Callable[[StoredObject], bool] = lambda _: True,
) -> list[StoredObject]:
    """VACUUM of what is older than that, and then of the rest, whatever its age, what `but_for` tells.

    Returns what could not be deleted.
    """
    if not strays(lake, table):
        return []
    lake.vacuum(table, hours=hours)
    return removed(filter(but_for, strays(lake, table)))


def removed(every: Iterable[StoredObject]) -> list[StoredObject]:
    """Removes each; returns what could not be removed."""
    left = []
    for each in every:
        try:
            each.remove()
        except OSError:
            left.append(each)
    return left
