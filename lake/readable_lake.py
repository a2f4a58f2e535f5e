"""A lake as readers see it: the published rows of its tables, their versions and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import BadInput
from lake import catalog, delta_log, delta_rs_reader, spark_session
from lake.catalog import Table
from lake.delta_log import TAKEOVER, DeltaLog
from lake.ledger import Ledger
from lake.run_journal import Run
from lake.small_tables import arrow_rows
from lake.staging import Staging
from lake.storage.folder import Folder

REARRANGES = ("OPTIMIZE", "Manual Update", "VACUUM START", "VACUUM END")
"""Operations of Delta that change no row: a compaction, a takeover's commit, and the removal of old files."""


class Lake:
    """The tables under one root, read in the name of one run. It takes no lease.

    Small tables and the logs of all tables are read by delta-rs in this process. The rows of photos are read
    with Spark; `start_spark` is called when something first needs it.
    """

    def __init__(self, start_spark: Callable[[], SparkSession], files: Folder, run: Run) -> None:
        self._start_spark = start_spark
        self.files = files
        self.run = run
        self.staging = Staging(lambda: self.spark, files)
        self.ledger = Ledger(ChunksTable(self))
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
        """The rows of a small table as they are now, each as a dictionary, without Spark."""
        return delta_rs_reader.read(
            self.log(table).table(), columns=columns, where=where
        ).to_pylist()

    def batches(
        self, table: Table, *, columns: Sequence[str], where: pc.Expression | None = None
    ) -> Iterable[pa.RecordBatch]:
        """A few columns of the rows of any table as they are now, batch by batch, without Spark."""
        return delta_rs_reader.batches(self.log(table).table(), columns=columns, where=where)

    def read(self, table: Table, *, chunks: tuple[int, int] | None = None) -> DataFrame:
        """The published rows of a table: those of all chunks, or of the chunks from one number to another
        (inclusive).

        The statistics in the log let Spark skip the files that hold no such chunk.
        """
        frame = self.spark.read.format("delta").load(self.files.uri(table.name))
        return frame if chunks is None else frame.where(F.col("chunk").between(*chunks))

    def read_version(self, table: Table, version: int) -> DataFrame:
        """The rows that a version of a table held. Raises BadInput where there is no such version, or its
        files are gone."""
        last = self.version(table)
        if not 0 <= version <= last:
            raise BadInput(f"{table.name} has the versions 0 to {last}, but no version {version}.")
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        gone = f"Version {version} of {table.name} can't be read any more"
        try:
            rows = reader.load(self.files.uri(table.name))
        except AnalysisException:
            raise BadInput(f"{gone}: its log is past the retention.") from None
        # Spark would plan and even count such a version: only reading its columns fails.
        if self.names(rows) - self.files.current(table.name).keys():
            raise BadInput(f"{gone}: files of it were removed, by the retention or an erasure.")
        return rows

    def names(self, rows: DataFrame) -> set[str]:
        """The names, under the lake's root, of the files that a frame is read from."""
        return {self.files.name_of(uri) for uri in rows.inputFiles()}

    def version(self, table: Table) -> int:
        """The current version of a table."""
        return self.log(table).version()

    def only_added_to(self, table: Table, *, since: int) -> bool:
        """Whether every commit after the version `since` added rows, or moved rows between files.

        It is False where the log tells nothing of a version that old: after the log's retention, or after a
        RESTORE to a version below it.
        """
        last = self.version(table)
        commits = (
            delta_log.actions(self.files, table, version) for version in range(since + 1, last + 1)
        )
        return since <= last and all(map(_adds_or_rearranges, commits))

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


def _adds_or_rearranges(commit: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether a commit added rows, or moved rows between files. It is False where the commit is unknown."""
    info = delta_log.commit_info(commit or ())
    operation = info.get("operation")
    if operation == "WRITE":
        return bool(info["operationParameters"]["mode"] == "Append")
    return operation in REARRANGES


class ChunksTable:
    """The table ops/chunks as the journal of a ledger (`lake.ledger.ChunkJournal`)."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @property
    def run_id(self) -> str:
        """The id of the run in whose name the lake was opened."""
        return self._lake.run.run_id

    def read(self) -> Sequence[Mapping[str, Any]]:
        """Every row of the table."""
        return self._lake.records(catalog.CHUNKS)

    def record(self, rows: Sequence[Mapping[str, Any]], *, layer: str, chunk: int) -> None:
        """Refuses: readers record nothing."""
        raise RuntimeError("this lake was opened for reading")

    def last_number(self) -> int:
        """The highest number of a chunk that any table took."""
        chunked = [table for table in catalog.TABLES if table.numbers == "chunk"]
        return max(map(self._lake.last_chunk, chunked))
