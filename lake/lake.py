"""The lake itself: its tables as readers see them, and the only place that commits to them.

A commit carries a number under the table's own name (`txnAppId`, `txnVersion`), and Delta takes no number
twice, nor a lower one. For a chunk it is the chunk's; commits of models and moments are counted. When a
lease is taken over, each table gets an empty commit that adds TAKEOVER to its number: from then on a writer
that was only paused is below it, and can't commit. The journals (`ops`) need none: see `lake.ledger`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import delta.exceptions.captured  # noqa: F401  (Delta's exceptions arrive as themselves only after it)
import pyarrow as pa
from delta import DeltaTable
from delta.exceptions import ConcurrentTransactionException
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from conf.errors import BadInput, FruitLakeError, Refused
from conf.settings import DeltaSettings
from lake import catalog, fault_points, spark_session
from lake.catalog import Table
from lake.chunks import Chunk
from lake.delta_log import TAKEOVER, DeltaLog
from lake.lease import Lease
from lake.ledger import Ledger
from lake.pseudonyms import Pseudonyms
from lake.run_journal import Run
from lake.staging import Staging
from lake.storage.folder import Folder

FORMAT = 4
"""Of the tables and files of a lake. A lake of another one is refused."""

FILE_BYTES = 128 << 20
"""What a file of a large table holds, about."""

SHARED_BYTES = 16 << 20
"""From here on a commit is worth a second file, for a second core to write."""

REARRANGES = ("OPTIMIZE", "Manual Update", "VACUUM START", "VACUUM END")
"""Commits that change no row: a compaction, what a takeover adds, and that old files went."""

DEPARTURE = "departure"
"""The layer of the chunks through which alone rows leave silver/embeddings: see gold/embedding_removal.py."""

ERASE, RETAIN, RESTORE = "erase", "retain", "restore"
"""The layers of the chunks and commits of privacy, by which rows leave bronze, or come back."""

MARKER = "lake.json"
TRANSACTION = "spark.databricks.delta.write"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class Lake:
    """The tables under one root, in the name of one run: `reading`, or `writing` with the lease."""

    def __init__(
        self, spark: SparkSession, files: Folder, run: Run, lease: Lease | None = None
    ) -> None:
        self.spark = spark
        self.files = files
        self.run = run
        self.staging = Staging(spark, files)
        self.ledger = Ledger(self)
        self.written: set[Table] = set()
        self._lease = lease
        self._counted: dict[Table, int] = {}
        self._logs: dict[Table, DeltaLog] = {}

    @staticmethod
    def is_made(files: Folder) -> bool:
        """Whether a lake was made there."""
        return files.exists(MARKER)

    @staticmethod
    def check(files: Folder, *, keys: Pseudonyms) -> None:
        """Raises BadInput (the lake there is of another format), Refused (it was made with another key)."""
        marker = Lake.check_format(files)
        if marker and marker["key"] != keys.fingerprint:
            raise Refused(
                f"The lake {files.root} was made with another key than subjects.key names: pseudonyms would "
                f"not match; give the key that it was made with."
            )

    @staticmethod
    def check_format(files: Folder) -> Mapping[str, Any] | None:
        """What a lake says of itself; None before it is made. Raises BadInput (it is of another format)."""
        marker: Mapping[str, Any] | None = files.read_json(MARKER)
        if marker and marker["format"] != FORMAT:
            which, do = "a later", "update the code"
            if marker["format"] < FORMAT:
                which, do = "an earlier", "ingest the photos into a new lake"
            raise BadInput(
                f"The lake {files.root} was written by {which} version of this product "
                f"(format {marker['format']}, this one knows {FORMAT}); {do}."
            )
        return marker

    @classmethod
    def writing(
        cls,
        spark: SparkSession,
        files: Folder,
        *,
        run: Run,
        lease: Lease,
        keys: Pseudonyms,
        delta: DeltaSettings,
    ) -> Lake:
        """The lake, after `check`, for its one writer: earlier writers are made harmless, missing tables
        are made."""
        lake = cls(spark, files, run, lease)
        if not lease.is_fenced:
            lake._fence()
            lease.fenced()
        for table in catalog.TABLES:
            if not lake._has(table):
                lake._create(table, catalog.properties(delta))
        fault_points.at("lake: tables made")
        if not cls.is_made(files):
            made = {
                "format": FORMAT,
                "key": keys.fingerprint,
                "made_at": datetime.now(UTC).isoformat(),
            }
            files.write(MARKER, json.dumps(made).encode())
        return lake

    def _has(self, table: Table) -> bool:
        """A folder without a commit is what a killed writer left."""
        return bool(self.files.names(f"{table.name}/_delta_log", suffix=".json"))

    def _create(self, table: Table, properties: Mapping[str, str]) -> None:
        builder = DeltaTable.createIfNotExists(self.spark).location(self.files.uri(table.name))
        builder = builder.addColumns(table.schema).comment(table.grain)
        for name, value in properties.items():
            builder = builder.property(name, value)
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        builder.execute()

    def _fence(self) -> None:
        """Makes every writer before this one harmless: what it still commits, Delta refuses or leaves out."""
        for table in catalog.TABLES:
            if not table.numbers or not self._has(table):
                continue
            with self._transaction(table, None, layer="lease"):
                self.log(table).add_takeover()
            fault_points.at("lake: a table fenced")
        if self._has(catalog.CHUNKS):
            self.ledger.take_over()

    # Reading

    def read(self, table: Table, *, chunks: tuple[int, int] | None = None) -> DataFrame:
        """The published rows, of all chunks or of those from one number to another (inclusive).

        Files without such a chunk are skipped by the statistics in the log.
        """
        frame = self.spark.read.format("delta").load(self.files.uri(table.name))
        return frame if chunks is None else frame.where(F.col("chunk").between(*chunks))

    def read_version(self, table: Table, version: int) -> DataFrame:
        """The rows that a version of a table held. Raises BadInput where it is not there."""
        last = self.version(table)
        if not 0 <= version <= last:
            raise BadInput(f"{table.name} has the versions 0 to {last}, but no version {version}.")
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        gone = f"Version {version} of {table.name} can't be read any more"
        try:
            rows = reader.load(self.files.uri(table.name))
        except AnalysisException:
            raise BadInput(f"{gone}: its log is past the retention.") from None
        # It would be planned and even counted: only reading its columns fails.
        if self.names(rows) - self.files.current(table.name).keys():
            raise BadInput(f"{gone}: files of it were removed, by the retention or an erasure.")
        return rows

    def names(self, rows: DataFrame) -> set[str]:
        """The files that a frame of rows is read from, by their names under the lake's root."""
        return {self.files.name_of(uri) for uri in rows.inputFiles()}

    def version(self, table: Table) -> int:
        """The current version of a table."""
        return self.log(table).version()

    def only_added_to(self, table: Table, *, since: int) -> bool:
        """Whether every commit after the version `since` added rows, or moved them between files.

        False too where the log tells of none that old, as after its retention or a RESTORE below it.
        """
        later = self.version(table) - since
        if later <= 0:
            return later == 0
        history = (
            DeltaTable.forPath(self.spark, self.files.uri(table.name)).history(later).collect()
        )
        added = [
            commit
            for commit in history
            if commit["operation"] in REARRANGES
            or (
                commit["operation"] == "WRITE" and commit["operationParameters"]["mode"] == "Append"
            )
        ]
        return len(added) == later

    def last_chunk(self, table: Table) -> int:
        """The highest chunk that was ever committed to the table."""
        return self.log(table).number() % TAKEOVER

    def log(self, table: Table) -> DeltaLog:
        """The table's log."""
        if table not in self._logs:
            self._logs[table] = DeltaLog(
                self.spark, self.files.uri(table.name), application=table.name
            )
        return self._logs[table]

    # Committing

    def append(
        self, table: Table, frame: DataFrame, *, chunk: Chunk, keep_origin: bool = False
    ) -> int:
        """Commits the rows of a chunk once, however often it is called; returns the table's version.

        In few files. With `keep_origin`, a row that has a `run_id` and a `chunk` keeps them. Raises
        FruitLakeError where a later chunk went before: Delta would drop these rows without a word. Raises
        Busy.
        """
        number = self._number(table, chunk)
        if number is not None:
            rows = self._conform(frame, table, chunk, keep_origin=keep_origin)
            rows = rows.coalesce(self._files_for(chunk.bytes))
            with self._transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                rows.write.format("delta").mode("append").save(self.files.uri(table.name))
        return self.version(table)

    def _number(self, table: Table, chunk: Chunk) -> int | None:
        """The number of a chunk's commit to a table; None where it was made already."""
        if table.numbers != "chunk":
            return self._next(table)
        takeovers, last = divmod(self.log(table).number(), TAKEOVER)
        if last > chunk.number:
            raise FruitLakeError(
                f"{table.name}: chunk {chunk.number} can't follow chunk {last}, which "
                f"was committed before it; run again."
            )
        return None if last == chunk.number else takeovers * TAKEOVER + chunk.number

    def _files_for(self, size: int) -> int:
        """One a core, or one a FILE_BYTES; but none for a few small photos."""
        cores = self.spark.sparkContext.defaultParallelism
        return max(1, min(cores, size // SHARED_BYTES), size // FILE_BYTES)

    def upsert(self, table: Table, frame: DataFrame, *, keys: Sequence[str], chunk: Chunk) -> int:
        """Puts rows in the place of those with the same keys; the same rows twice change nothing.

        A row that has a `run_id` and a `chunk` already keeps them: they tell who made it. Raises as `append`.
        """
        number = self._number(table, chunk)
        if number is not None:
            target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
            condition = " and ".join(f"held.{key} = new.{key}" for key in keys)
            rows = self._conform(frame, table, chunk, keep_origin=True)
            with self._transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                (
                    target.alias("held")
                    .merge(rows.alias("new"), condition)
                    .whenMatchedUpdateAll()
                    .whenNotMatchedInsertAll()
                    .execute()
                )
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
        """In one commit, once: open rows with the keys of `ended` end now, and `rows` are appended.

        A row is open while its time `ended_at` is null; it stays as history. Raises as `append`.
        """
        number = self._number(table, chunk)
        if number is not None:
            names = {key: f"ended_{key}" for key in keys}
            ended = ended.select(*(F.col(key).alias(name) for key, name in names.items()))
            source = self._conform(rows, table, chunk).unionByName(ended, allowMissingColumns=True)
            same = " and ".join(f"held.{key} = new.{name}" for key, name in names.items())
            columns: dict[str, str | Column] = {n: f"new.{n}" for n in table.schema.fieldNames()}
            target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
            with self._transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                (
                    target.alias("held")
                    .merge(source.alias("new"), f"{same} and held.{ended_at} is null")
                    .whenMatchedUpdate(set={ended_at: "current_timestamp()"})
                    .whenNotMatchedInsert(f"new.{names[keys[0]]} is null", values=columns)
                    .execute()
                )
        return self.version(table)

    def record(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        layer: str,
        chunk: int | None = None,
    ) -> None:
        """Appends rows to a journal (an `ops` table), each time it is called. Raises Busy."""
        frame = self.rows(table, rows)
        # A journal of a lake that was made by earlier code may lack a column.
        append = frame.coalesce(1).write.format("delta").mode("append").option("mergeSchema", True)
        with self._transaction(table, None, layer=layer, chunk=chunk):
            append.save(self.files.uri(table.name))

    def delete(self, table: Table, where: str, *, chunk: Chunk) -> None:
        """Deletes rows once, under the number of a chunk of its own.

        The condition stands in the Delta log for good: on no personal value. Raises as `append`.
        """
        _check_it_may_go(table, chunk)
        number = self._number(table, chunk)
        if number is not None:
            target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
            with self._transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                target.delete(where)

    def remove(
        self,
        table: Table,
        keys: DataFrame,
        *,
        on: Sequence[str],
        chunk: Chunk,
        within: str = "true",
    ) -> int:
        """Deletes the rows with the keys of a frame, once, under the number of a chunk of its own; returns
        the table's version.

        No key stands in the Delta log, as a condition does: `within`, about `held`, narrows the rows by
        something that is not personal. Raises as `append`.
        """
        _check_it_may_go(table, chunk)
        number = self._number(table, chunk)
        if number is not None:
            condition = " and ".join([within, *(f"held.{key} = gone.{key}" for key in on)])
            target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
            gone = keys.select(*on).distinct().alias("gone")
            with self._transaction(table, number, layer=chunk.layer, chunk=chunk.number):
                target.alias("held").merge(gone, condition).whenMatchedDelete().execute()
        return self.version(table)

    def compact(self, table: Table) -> None:
        """Joins small files to larger ones. It needs no number: rows that went meanwhile stay away, as
        Delta refuses to replace a file that is gone. Raises Busy."""
        target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
        with self._transaction(table, None, layer="compaction"):
            target.optimize().executeCompaction()

    def vacuum(self, table: Table, *, hours: float) -> None:
        """Removes the files that no version younger than so many hours has. Below the retention this ends
        older versions, also for those who read one now. What can't be deleted stays without a word.
        Raises Busy."""
        target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
        with (
            self._transaction(table, None, layer="vacuum"),
            spark_session.any_retention(self.spark),
        ):
            target.vacuum(hours)

    def unneeded(self, table: Table, *, hours: float) -> set[str]:
        """The names of the files that `vacuum` would remove."""
        place = self.files.uri(table.name).replace("`", "``")
        with spark_session.any_retention(self.spark):
            found = self.spark.sql(f"vacuum delta.`{place}` retain {hours} hours dry run").collect()
        return {self.files.name_of(row["path"]) for row in found}

    def _next(self, table: Table) -> int:
        """The next number of a table whose commits are counted.

        Counted from what the table told when this run first asked: a number that was asked for after a
        takeover would slip above it.
        """
        self._counted[table] = 1 + (self._counted.get(table) or self.log(table).number())
        return self._counted[table]

    def _conform(
        self, frame: DataFrame, table: Table, chunk: Chunk, *, keep_origin: bool = False
    ) -> DataFrame:
        """The table's own columns in its order: a frame that lacks one fails here."""
        origin = {"run_id": F.lit(self.run.run_id), "chunk": F.lit(chunk.number)}
        if keep_origin:
            origin = {name: F.coalesce(name, value) for name, value in origin.items()}
        frame = frame.withColumns(origin)
        return frame.select(
            *(F.col(column.name).cast(column.dataType) for column in table.schema.fields)
        )

    @contextlib.contextmanager
    def _transaction(
        self, table: Table, number: int | None, *, layer: str, chunk: int | None = None
    ) -> Iterator[None]:
        """The one commit within carries the number and tells its run. `number` was found before the lease
        is checked here: should this process be paused between the two, it is too low afterwards."""
        if self._lease is None:
            raise RuntimeError("this lake was opened for reading")
        self._lease.check()
        told = {USER_METADATA: self.run.metadata(layer=layer, chunk=chunk)}
        if number is not None:
            told |= {
                f"{TRANSACTION}.txnAppId": table.name,
                f"{TRANSACTION}.txnVersion": str(number),
            }
        self.written.add(table)
        try:
            for name, value in told.items():
                self.spark.conf.set(name, value)
            yield
        except ConcurrentTransactionException:
            self._lease.check()
            raise
        finally:
            # Left behind, they would swallow the next commit to any table.
            for name in told:
                self.spark.conf.unset(name)

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A frame of a table's columns from values on the driver; what a row lacks is null."""
        arrow = pa.Table.from_pylist([dict(row) for row in rows], to_arrow_schema(table.schema))
        return self.spark.createDataFrame(arrow, table.schema)


def newest(frame: DataFrame, by: str) -> Row | None:
    """The row with the latest time in a column; None of no rows."""
    return frame.orderBy(by, ascending=False).first()


def only(frame: DataFrame) -> dict[str, Any] | None:
    """The one row of a frame, or None of no rows.

    By Arrow: moments are some ten megabytes, which Spark would pickle for half a second.
    """
    rows: list[dict[str, Any]] = frame.toArrow().to_pylist()
    if not rows:
        return None
    [row] = rows
    return row


def counts(frame: DataFrame, column: str) -> dict[Any, int]:
    """Rows by the value of a column."""
    rows: list[Row] = frame.groupBy(column).count().collect()
    return {row[0]: row[1] for row in rows}


def _check_it_may_go(table: Table, chunk: Chunk) -> None:
    if table is catalog.EMBEDDINGS and chunk.layer != DEPARTURE:
        raise RuntimeError("rows leave silver/embeddings through gold/embedding_removal.py alone")
