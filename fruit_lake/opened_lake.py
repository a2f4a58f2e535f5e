"""A lake that is open for reading, as its tables are now or were together at one time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput
from fruit_lake.table_versions import Address, At, existing, last_moment, time_of, version_at
from lake import arrow_reads, catalog, delta_rs_reader
from lake.catalog import Table
from lake.enums import ErasureState
from lake.storage.folder import Folder

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class OpenedLake:
    """A lake as readers saw it at `time`, or see it now where that is None.

    Where somebody named a version of a table, `pinned` has the table and the version, and `time` is the last
    moment of that version.
    """

    files: Folder
    time: datetime | None = None
    pinned: tuple[Table, int] | None = None

    @classmethod
    def of(cls, lake: Address, at: At, table: Table) -> OpenedLake:
        """Open a lake at a time, or at a version of a table.

        Raises BadInput where there is no lake, it has another format, or `at` names no time or version.
        """
        files = existing(lake)
        if at is None:
            return cls(files)
        if isinstance(at, int | Integral):
            return cls(files, last_moment(files, table, int(at)), (table, int(at)))
        time = time_of(at)
        if time > datetime.now(UTC):
            raise BadInput(f"at={at} is still to come; name an earlier time.")
        return cls(files, time)

    @property
    def root(self) -> str:
        """The root of the lake: a whole path, or an address in S3."""
        return self.files.root

    @property
    def told(self) -> str:
        """How messages name the lake."""
        if self.time is None:
            return self.root
        return f"{self.root}, as it was at {self.time.isoformat(timespec='seconds')},"

    def rows(
        self,
        table: Table,
        columns: Sequence[str],
        where: pc.Expression | None = None,
        *,
        limit: int | None = None,
    ) -> pa.Table:
        """Return columns of the rows of photos that meet a condition, but of no erased photo: of all, or of
        any so many.

        Raises BadInput where the version can't be read any more, or has no such column yet.
        """
        known = self._table(table)
        condition = self._but_erased(table, known.version(), where)
        with _reading(table):
            rows = delta_rs_reader.dataset(known)
            for name in columns:  # earlier code made the table
                if name not in rows.schema.names:
                    raise BadInput(
                        f"{table.name} of {self.told} has no column {name} yet; the next photos add it."
                    )
            if limit is not None:
                return arrow_reads.asked_again(
                    lambda: rows.head(limit, columns=list(columns), filter=condition)
                )
            return arrow_reads.table(rows, columns=list(columns), filter=condition)

    def small_batches(
        self,
        table: Table,
        columns: Sequence[str],
        where: pc.Expression | None = None,
        *,
        rows: int,
    ) -> Iterator[pa.RecordBatch]:
        """Yield what `rows` returns in batches of at most `rows` rows, few of them in memory. Raises
        BadInput as `rows`."""
        known = self._table(table)
        condition = self._but_erased(table, known.version(), where)
        with _reading(table):
            yield from delta_rs_reader.small_batches(
                known, columns=columns, where=condition, rows=rows
            )

    def models(self, columns: Sequence[str] | None, where: pc.Expression | None = None) -> pa.Table:
        """Return columns of the rows of gold/models that meet a condition. Raises BadInput as `rows`."""
        known = self._table(catalog.MODELS)
        with _reading(catalog.MODELS):
            return delta_rs_reader.read(known, columns=columns, where=where, of=catalog.MODELS)

    def _table(self, table: Table) -> DeltaTable:
        """delta-rs' table in the version that is read."""
        version = self._version(table)
        known = delta_rs_reader.delta_table(self.root, table, version=version)
        if version is not None:
            paths = pa.table(known.get_add_actions())["path"].to_pylist()
            names = {f"{table.name}/{unquote(path)}" for path in paths}
            if names - self.files.current(table.name).keys():
                raise BadInput(
                    f"Version {version} of {table.name} can't be read any more: files of it were removed, by "
                    f"the retention or an erasure; name a later time or version."
                )
        return known

    def _version(self, table: Table) -> int | None:
        if self.pinned and self.pinned[0] == table:
            return self.pinned[1]
        return None if self.time is None else version_at(self.files, table, self.time)

    def _but_erased(
        self, table: Table, version: int, where: pc.Expression | None
    ) -> pc.Expression | None:
        """A condition, and that a row is of no photo which was erased after this version, or is being erased.

        Such rows are in the files of earlier versions until the retention ends.
        """
        erased = {
            photo_id
            for photo_ids, first_without in self._erasures
            if version < first_without.get(table.name, version + 1)
            for photo_id in photo_ids
        }
        if not erased:
            return where
        stays = ~pc.field("photo_id").isin(pa.array(sorted(erased), pa.string()))
        return stays if where is None else stays & where

    @cached_property
    def _erasures(self) -> list[tuple[Sequence[str], dict[str, int]]]:
        """For each request for erasure: the ids of its photos, and by the name of a table its first version
        without their rows, where it is known."""
        photo_ids: dict[str, Sequence[str]] = {}
        first_without: dict[str, dict[str, int]] = {}
        rows = delta_rs_reader.rows(self.root, catalog.ERASURES)
        for row in sorted(rows, key=lambda row: row["entry"]):
            photo_ids[row["request"]] = row["photo_ids"] or ()
            if row["state"] == ErasureState.LOGICAL:
                first_without.setdefault(row["request"], dict(row["versions_after"] or ()))
        return [(ids, first_without.get(request, {})) for request, ids in photo_ids.items()]


@contextmanager
def _reading(table: Table) -> Iterator[None]:
    """A while in which files of a table are read. Raises BadInput where one of them is removed meanwhile."""
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(
            f"Files of {table.name} were removed while they were read, by the retention or an erasure; read "
            f"again."
        ) from error
