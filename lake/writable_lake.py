"""A lake as its one writer sees it: the only place that commits to the tables.

Each commit is made once, however often it is called: `lake.idempotent_commits` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from delta import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from conf.settings import DeltaSettings
from lake import catalog, fault_points, lake_format, merges, small_tables, table_creation
from lake.catalog import Table
from lake.chunks import Chunk, NoChunk
from lake.chunks_table import WritableChunksTable
from lake.delta_log import has_commit
from lake.enums import REMOVAL
from lake.file_commits import append_placed
from lake.file_parts import FilePart
from lake.file_sizes import files_for
from lake.idempotent_commits import NumberedCommits
from lake.lease import Lease
from lake.ledger import Ledger
from lake.pseudonyms import Pseudonyms
from lake.publication import TableCommit
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.staging import Staging
from lake.storage.folder import Folder


class WritableLake(Lake):
    """The tables under one root, for the one run that holds the lease."""

    def __init__(
        self, start_spark: Callable[[], SparkSession], files: Folder, run: Run, lease: Lease
    ) -> None:
        super().__init__(start_spark, files, run)
        self.staging = Staging(lambda: self.spark, files, check_lease=lease.check)
        self.ledger = Ledger(WritableChunksTable(self))
        self._commits = NumberedCommits(self, lease)
        self._lease = lease
        self._with_columns: set[Table] = set()

    @property
    def written(self) -> set[Table]:
        """The tables that this run committed to."""
        return self._commits.written

    @classmethod
    def open(
        cls,
        start_spark: Callable[[], SparkSession],
        files: Folder,
        *,
        run: Run,
        lease: Lease,
        pseudonyms: Pseudonyms,
        delta: DeltaSettings,
    ) -> WritableLake:
        """The lake for its one writer: makes earlier writers harmless, and missing tables. Raises Busy."""
        lake = cls(start_spark, files, run, lease)
        if not lease.is_fenced:
            lake._fence()
            lease.fenced()
        table_creation.make_all(lake, lake._commits, delta)
        fault_points.at("lake: tables made")
        if not lake_format.is_made(files):
            lake_format.write(files, pseudonyms=pseudonyms)
        return lake

    def _fence(self) -> None:
        """Makes every earlier writer harmless."""
        for table in catalog.TABLES:
            if has_commit(self.files, table.name):
                self._commits.take_over(table)

    # Adding and replacing rows

    def append(
        self, table: Table, frame: DataFrame, *, chunk: Chunk, keep_origin: bool = False
    ) -> int:
        """Commits the rows of a chunk in few files, once however often it is called; returns the version of
        the table.

        With `keep_origin`, a row that has a `run_id` and a `chunk` keeps them. Raises FruitLakeError where a
        later chunk was committed before it, because Delta would drop these rows without a word. Raises Busy.
        """
        number = self._commits.number(table, chunk)
        if number is not None:
            rows = self._conform(frame, table, chunk, keep_origin=keep_origin)
            rows = rows.coalesce(files_for(chunk.bytes, self.spark))
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                rows.write.format("delta").mode("append").save(self.files.uri(table.name))
        return self.version(table)

    def replace(self, table: Table, frame: DataFrame, *, chunk: Chunk) -> int:
        """Puts rows, which keep their `run_id` and `chunk`, in the place of all rows of a table, by chunk and
        once however often it is called; returns the version of the table. Raises as `append`."""
        number = self._commits.number(table, chunk)
        if number is not None:
            files = files_for(self.log(table).size()[1], self.spark)
            rows = self._conform(frame, table, chunk, keep_origin=True)
            rows = rows.repartitionByRange(files, "chunk").sortWithinPartitions("chunk")
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                rows.write.format("delta").mode("overwrite").save(self.files.uri(table.name))
        return self.version(table)

    def append_files(self, part: FilePart, *, chunk: Chunk) -> int:
        """Commits the rows of a chunk by their files, once; returns the version of the table. Raises as
        `append`."""
        number = self._commits.number(part.table, chunk)
        if number is not None:
            self.add_columns(part.table)
            append_placed(self, self._commits, part, number=number, layer=chunk.layer)
        return self.version(part.table)

    def append_commit(
        self, table: Table, rows: DataFrame | FilePart, *, chunk: Chunk
    ) -> TableCommit:
        """The commit of a chunk's rows, for later: by `append`, or by `append_files`."""
        if isinstance(rows, FilePart):
            return TableCommit(table, partial(self.append_files, rows, chunk=chunk))
        return TableCommit(table, partial(self.append, table, rows, chunk=chunk))

    def upsert(
        self,
        table: Table,
        frame: DataFrame,
        *,
        keys: Sequence[str],
        chunk: Chunk | NoChunk,
        leaving: DataFrame | None = None,
    ) -> int:
        """Puts rows in the place of those with the same keys, and removes those with the keys of `leaving`;
        returns the version of the table. The same rows twice change nothing. A row that has a `run_id` and a
        `chunk` already keeps them: they tell who made it. Raises as `append`."""
        number = self._commits.number(table, chunk)
        if number is not None:
            rows = self._conform(frame, table, chunk, keep_origin=True)
            merge = merges.upsert(self._target(table), rows, leaving, keys=keys)
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                merge.execute()
        return self.version(table)

    def amend(
        self, table: Table, frame: DataFrame, *, on: str, chunk: Chunk, within: str = "true"
    ) -> int:
        """Gives the rows with the keys `on` of a frame the values of its other columns, once; returns the
        version of the table. Their `run_id` and `chunk` stay. `within` as in `remove`. Raises as `append`."""
        number = self._commits.number(table, chunk)
        if number is not None:
            self.add_columns(table)
            merge = merges.amend(self._target(table), frame, on=on, within=within)
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                merge.execute()
        return self.version(table)

    def supersede(
        self,
        table: Table,
        ended: DataFrame,
        rows: DataFrame,
        *,
        keys: Sequence[str],
        ended_at: str,
        chunk: Chunk,
    ) -> int:
        """Ends the open rows with the keys of `ended` and appends `rows`, in one commit, once; returns the
        version of the table. A row is open while its time `ended_at` is null; an ended row stays as history.
        Raises as `append`."""
        number = self._commits.number(table, chunk)
        if number is not None:
            held, new = self._target(table), self._conform(rows, table, chunk)
            merge = merges.supersede(held, new, ended, keys=keys, ended_at=ended_at)
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                merge.execute()
        return self.version(table)

    def record(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        layer: str,
        chunk: int | None = None,
    ) -> None:
        """Appends rows to a journal (a table of `ops`), each time that it is called. Raises Busy."""
        append = partial(small_tables.append, table=table, rows=rows)
        self._commits.commit_small(table, append, number=None, layer=layer, chunk=chunk)

    def put(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        keys: Sequence[str],
        chunk: Chunk | NoChunk,
    ) -> int:
        """Puts rows of a small table in the place of those with the same keys, as `upsert`; returns the
        version of the table. Raises Busy."""
        number = self._commits.number(table, chunk)
        origin = {"run_id": self.run.run_id, "chunk": chunk.number}
        own = [{**row, **{k: row.get(k) or origin[k] for k in origin}} for row in rows]
        put = partial(small_tables.put, table=table, rows=own, keys=keys)
        self._commits.commit_small(table, put, number=number, layer=chunk.layer, chunk=chunk.number)
        return self.version(table)

    def rewrite(self, table: Table, change: small_tables.Change, *, layer: str) -> None:
        """Puts what `change` makes of a small table's rows in their place, if it differs. Raises Busy."""
        known = self.log(table).table()
        version, rows = known.version(), small_tables.changed(known, change)
        if rows is not None:
            number = self._commits.number(table, NoChunk(layer)) if table.numbers else None
            write = partial(small_tables.overwrite, table=table, rows=rows, version=version)
            self._commits.commit_small(table, write, number=number, layer=layer)

    def replace_all(self, table: Table, rows: Iterable[pa.Table], *, layer: str) -> None:
        """Puts rows without `run_id`, which come in parts, in the place of all rows of a small table. A part
        at a time is in memory. Raises Busy."""
        number = self._commits.number(table, NoChunk(layer))
        own = (small_tables.with_values(part, {"run_id": self.run.run_id}) for part in rows)
        replace = partial(small_tables.replace_all, table=table, rows=own)
        self._commits.commit_small(table, replace, number=number, layer=layer)

    def add_columns(self, table: Table) -> None:
        """Gives a table of earlier code the columns that it lacks. Raises Busy."""
        if table not in self._with_columns:
            table_creation.add_columns(self, self._commits, table)
            self._with_columns.add(table)

    # Removing rows and files

    def delete(self, table: Table, where: str, *, chunk: Chunk) -> None:
        """Deletes the rows that meet a condition, once, under the number of a chunk of its own. The condition
        stands in the Delta log for good: it must hold no personal value. Raises as `append`."""
        _check_it_may_go(table, chunk)
        number = self._commits.number(table, chunk)
        if number is not None:
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                self._target(table).delete(where)

    def remove(
        self,
        table: Table,
        keys: DataFrame,
        *,
        on: Sequence[str],
        chunk: Chunk | NoChunk,
        within: str = "true",
    ) -> int:
        """Deletes the rows with the keys of a frame, once, under the number of a chunk of its own; returns
        the version of the table.

        No key stands in the Delta log afterwards, as the condition of a DELETE would. `within` is a condition
        about `held` that narrows the rows by something that is not personal. Raises as `append`.
        """
        _check_it_may_go(table, chunk)
        number = self._commits.number(table, chunk)
        if number is not None:
            merge = merges.remove(self._target(table), keys, on=on, within=within)
            with self._commits.transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                merge.execute()
        return self.version(table)

    def compact(self, table: Table) -> None:
        """Joins small files to larger ones. It needs no number: Delta refuses to replace a file that is gone,
        so rows that went stay away. Raises Busy."""
        if table.is_small:
            self._commits.commit_small(table, small_tables.compact, number=None, layer="compaction")
            return
        with self._commits.transaction(table, None, layer="compaction"):
            self._target(table).optimize().executeCompaction()

    def check_lease(self) -> None:
        """Renews the lease: before each batch of files that is deleted, after all was read that says which
        those are. Raises Busy."""
        self._lease.check()

    def _target(self, table: Table) -> DeltaTable:
        return DeltaTable.forPath(self.spark, self.files.uri(table.name))

    def _conform(
        self, frame: DataFrame, table: Table, chunk: Chunk | NoChunk, *, keep_origin: bool = False
    ) -> DataFrame:
        """The frame as `merges.conform` makes it, for a table that has all columns. Raises Busy."""
        self.add_columns(table)
        origin = {"run_id": self.run.run_id, "chunk": chunk.number}
        return merges.conform(frame, table, origin, keep_origin=keep_origin)


def _check_it_may_go(table: Table, chunk: Chunk | NoChunk) -> None:
    if table is catalog.EMBEDDINGS and chunk.layer != REMOVAL:
        raise RuntimeError("rows leave silver/embeddings through gold/embedding_removal.py alone")
