"""A lake as readers see it: the published rows of its tables, their versions and their files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import BadInput
from lake import catalog, delta_log, delta_rs_reader, spark_session
from lake.catalog import Table
from lake.chunks_table import ChunksTable
from lake.dataframe_queries import with_columns
from lake.delta_log import TAKEOVER, DeltaLog
from lake.known_keys import KnownKeys
from lake.ledger import Ledger
from lake.row_source import RowSource
from lake.run_journal import Run
from lake.small_tables import arrow_rows
from lake.staging import Staging
from lake.storage.folder import Folder
from lake.worker_reads import TableFiles

if TYPE_CHECKING:
    from deltalake import DeltaTable

REARRANGES = ("OPTIMIZE", "Manual Update", "VACUUM START", "VACUUM END")
"""Operations of Delta that change no row: a compaction, a takeover's commit, and the removal of old files."""

ENTRIES_AT_ONCE = 16
"""The entries of a log that are read at once: in S3 each takes some 20 ms."""


class Lake:
    """The tables under one root, read in the name of one run. It takes no lease.

    Small tables, few rows and the logs of all tables are read by delta-rs in this process. Many rows are read
    with Spark; `start_spark` is called when something first needs it.
    """

    def __init__(self, start_spark: Callable[[], SparkSession], files: Folder, run: Run) -> None:
        self._start_spark = start_spark
        self.files = files
        self.run = run
        self.staging = Staging(lambda: self.spark, files, check_lease=_has_no_lease)
        self.ledger = Ledger(ChunksTable(self))
        self.known_keys = KnownKeys(self)
        self._logs: dict[Table, DeltaLog] = {}

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session, which starts when it is first asked for."""
        return self._start_spark()

    def records(
        self,
        table: Table,
        *,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
    ) -> list[dict[str, Any]]:
        """The rows of a small table as they are now, each as a dictionary, without Spark. A column that a
        table of earlier code lacks is null."""
        return delta_rs_reader.read(
            self.log(table).table(), columns=columns, where=where, of=table
        ).to_pylist()

    def batches(
        self, table: Table, *, columns: Sequence[str], where: pc.Expression | None = None
    ) -> Iterable[pa.RecordBatch]:
        """A few columns of the rows of any table as they are now, batch by batch, without Spark. A column
        that a table of earlier code lacks is null."""
        known = self.log(table).table()
        return delta_rs_reader.batches(known, columns=columns, where=where, of=table)

    def read(self, table: Table, *, chunks: tuple[int, int] | None = None) -> DataFrame:
        """The published rows of a table: those of all chunks, or of the chunks from one number to another
        (inclusive). A column that a table of earlier code lacks is null.

        The statistics in the log let Spark skip the files that hold no such chunk.
        """
        frame = self.spark.read.format("delta").load(self.files.uri(table.name))
        frame = with_columns(frame, table)
        return frame if chunks is None else frame.where(F.col("chunk").between(*chunks))

    def source(self, table: Table, *, chunks: tuple[int, int] | None = None) -> RowSource:
        """The rows that `read` gives, to be read in either way.

        Those of a small table can't be narrowed by Arrow: it can't filter the files that a MERGE of delta-rs
        wrote, whose strings are views of strings.
        """
        known = self.log(table).table()
        scan = delta_rs_reader.scan(known, chunks=chunks, of=table if table.is_small else None)
        files = None if table.is_small else TableFiles(known.table_uri, lambda: self.spark)
        return RowSource(lambda: self.read(table, chunks=chunks), scan, files)

    def values(self, column: str, values: Iterable[str]) -> RowSource:
        """A column of texts, to be read in either way, as keys of rows."""
        rows = pa.table({column: pa.array(values, pa.string())})
        return RowSource.of(rows, lambda: self.spark)

    def version_source(self, table: Table, version: int) -> RowSource:
        """The rows that a version of a table held. A column that the version lacks is null in a small table.
        Raises BadInput as `names_at`."""
        known = self._readable(table, version)

        def frame() -> DataFrame:
            reader = self.spark.read.format("delta").option("versionAsOf", version)
            found = reader.load(self.files.uri(table.name))
            return with_columns(found, table) if table.is_small else found

        return RowSource(frame, delta_rs_reader.scan(known, of=table if table.is_small else None))

    def names(self, table: Table) -> set[str]:
        """The names, under the lake's root, of the files of a table."""
        return _names(table, self.log(table).table())

    def names_at(self, table: Table, version: int) -> set[str]:
        """The names of the files that a version of a table had, as `names`. Raises BadInput where there is no
        such version, or its log or its files are gone."""
        return _names(table, self._readable(table, version))

    def _readable(self, table: Table, version: int) -> DeltaTable:
        """delta-rs' table at a version that can be read. Raises BadInput as `names_at`."""
        last = self.version(table)
        if not 0 <= version <= last:
            raise BadInput(f"{table.name} has the versions 0 to {last}, but no version {version}.")
        known = delta_rs_reader.delta_table(self.files.root, table, version=version)
        if _names(table, known) - self.files.current(table.name).keys():
            raise BadInput(
                f"Version {version} of {table.name} can't be read any more: files of it were removed, by the "
                f"retention or an erasure."
            )
        return known

    def tables(self) -> list[Table]:
        """The tables that there are. A lake of earlier code gets those that came later with its next run."""
        return [table for table in catalog.TABLES if delta_log.has_commit(self.files, table.name)]

    def version(self, table: Table) -> int:
        """The current version of a table."""
        return self.log(table).version()

    def only_added_to(self, table: Table, *, since: int, except_by: Collection[str] = ()) -> bool:
        """Whether every commit after the version `since` added rows, or moved rows between files, or was one
        of some layers, which may do anything.

        It is False where the log tells nothing of a version that old: after the log's retention, or after a
        RESTORE to a version below it.
        """
        last = self.version(table)

        def keeps(version: int) -> bool:
            commit = delta_log.actions(self.files, table, version)
            return _adds_or_rearranges(commit) or _layer_of(commit) in except_by

        with ThreadPoolExecutor(ENTRIES_AT_ONCE) as pool:
            return since <= last and all(pool.map(keeps, range(since + 1, last + 1)))

    def last_chunk(self, table: Table) -> int:
        """The highest number of a chunk that was ever committed to a table."""
        return self.log(table).number() % TAKEOVER

    def log(self, table: Table) -> DeltaLog:
        """The Delta log of a table."""
        if table not in self._logs:
            self._logs[table] = DeltaLog(self.files.root, table)
        return self._logs[table]

    def rows(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
        """A frame with the columns of a table from values on the driver. What a row lacks is null."""
        return self.spark.createDataFrame(arrow_rows(table, rows), table.schema)

    def unneeded_files(self, table: Table, *, hours: float) -> set[str]:
        """The names of the files that no version younger than so many hours has."""
        place = self.files.uri(table.name).replace("`", "``")
        with spark_session.any_retention(self.spark):
            found = self.spark.sql(f"vacuum delta.`{place}` retain {hours} hours dry run").collect()
        return {self.files.name_of(row["path"]) for row in found}


def _names(table: Table, known: DeltaTable) -> set[str]:
    """The names, under the lake's root, of the files of a version that delta-rs knows."""
    paths = pa.table(known.get_add_actions())["path"].to_pylist()
    return {f"{table.name}/{unquote(path)}" for path in paths}


def _adds_or_rearranges(commit: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether a commit added rows, or moved rows between files. It is False where the commit is unknown."""
    info = delta_log.commit_info(commit or ())
    operation = info.get("operation")
    if operation == "WRITE":
        return bool(info["operationParameters"]["mode"] == "Append")
    return operation in REARRANGES


def _layer_of(commit: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return the layer whose commit one is; None where another program made it, or it is unknown."""
    return delta_log.written_by(delta_log.commit_info(commit or ())).get("layer")


def _has_no_lease() -> None:
    """Refuses: readers change and delete nothing."""
    raise RuntimeError("this lake was opened for reading")
