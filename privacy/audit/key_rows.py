"""The rows by which an audit finds out what is somebody's: read from files, without Spark or a lease.

A file that is gone or can't be read has no rows here. The finding of its table says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog
from lake.catalog import Table
from lake.storage.folder import Folder
from privacy.audit.staged_rows import StagedRows
from privacy.audit.table_history import History

BRONZE = (catalog.OBJECTS, catalog.PHOTOS, catalog.REJECTED)
"""The tables into which an erasure publishes what bronze has staged, before it looks for rows."""


@dataclass(frozen=True)
class FileRows:
    """The rows of a lake's tables, as `privacy.owned_rows.KeyRows`.

    They are those of now, with what bronze has staged. With `is_past` they are those of every version whose
    files are there, because nobody knows which of them a question about the past needs.
    """

    files: Folder
    is_past: bool = False

    def distinct(
        self, table: Table, column: str, values: Collection[str], *names: str
    ) -> set[tuple[Any, ...]]:
        """Return combinations of values, as `KeyRows.distinct`."""
        if not values:
            return set()
        wanted = pc.field(column).isin(pa.array(sorted(values), pa.string()))
        rows = self._rows(table, [column, *names], lambda found: found.filter(wanted))
        return {tuple(row.get(name) for name in names) for row in rows}

    def of_nobody(self, table: Table, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield values of rows without a subject, as `KeyRows.of_nobody`."""
        nobodys = pc.field("subject").is_null()
        rows = self._rows(table, ["subject", *names], lambda found: found.filter(nobodys))
        yield from (tuple(row.get(name) for name in names) for row in rows)

    def are_whole(self, table: Table) -> bool:
        """Return whether every file of the current version of a table can be read."""
        history = History(self.files, table, ["photo_id"], lambda found: found.slice(0, 0))
        files = history.versions.get(history.newest)
        return files is not None and not history.missing(files)

    def _rows(
        self, table: Table, columns: Sequence[str], keep: Callable[[pa.Table], pa.Table]
    ) -> list[dict[str, Any]]:
        """Return the rows that `keep` selects, with some columns."""
        history = History(self.files, table, list(dict.fromkeys(columns)), keep)
        if self.is_past:
            return history.rows(history.lying_files)
        rows = history.rows(history.versions.get(history.newest, history.lying_files))
        if table in BRONZE:
            rows += StagedRows(self.files).of_bronze(columns, keep)
        return rows
