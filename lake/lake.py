"""The lake itself: reading tables, staging chunks, and the only place that commits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import delta.exceptions.captured  # noqa: F401  (Delta's exceptions arrive as themselves only after it)
from delta import DeltaTable
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conf.errors import BadInput, FruitLakeError, Refused
from conf.settings import Delta
from lake import catalog
from lake.catalog import Table
from lake.chunks import Chunk, State, latest
from lake.files import Folder
from lake.journal import LayerRun, Run
from lake.keys import Keys

FORMAT = 1
"""Of the tables and files of a lake. A lake of a later one is refused."""

FILE_BYTES = 128 << 20
"""What a file of a large chunk holds, about."""

MARKER = "lake.json"
STAGING = "staging"
TRANSACTION = "spark.databricks.delta.write"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class Lake:
    """The tables under one root, in the name of one run. `Lake.open` makes it."""

    def __init__(self, spark: SparkSession, files: Folder, run: Run) -> None:
        self.spark = spark
        self.files = files
        self.run = run
        self._chunks: dict[int, Chunk] | None = None

    @staticmethod
    def exists(root: str) -> bool:
        """Whether a lake was made under `root`."""
        return Path(root, MARKER).exists()

    @classmethod
    def open(cls, spark: SparkSession, root: str, *, run: Run, keys: Keys, delta: Delta) -> Lake:
        """The lake under `root`; its missing tables are made.

        Raises BadInput (can't be written, a later format), Refused (the lake was made with another key).
        """
        files = Folder(root)
        files.make()
        marker = files.read_json(MARKER)
        if marker:
            _check_marker(marker, keys=keys, root=root)
        lake = cls(spark, files, run)
        for table in catalog.TABLES:
            if not files.exists(f"{table.name}/_delta_log"):
                lake._create(table, catalog.properties(delta))
        if not marker:
            made = {
                "format": FORMAT,
                "key": keys.fingerprint,
                "made_at": datetime.now(UTC).isoformat(),
            }
            files.write(MARKER, json.dumps(made).encode())
        return lake

    def _create(self, table: Table, properties: Mapping[str, str]) -> None:
        builder = DeltaTable.createIfNotExists(self.spark).location(self.files.uri(table.name))
        builder = builder.addColumns(table.schema).comment(table.grain)
        for name, value in properties.items():
            builder = builder.property(name, value)
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        builder.execute()

    # Reading

    def read(self, table: Table, *, chunks: tuple[int, int] | None = None) -> DataFrame:
        """The published rows, of all chunks or of those from one number to another (inclusive).

        Files without such a chunk are skipped by the statistics in the log.
        """
        frame = self._load(table.name)
        return frame if chunks is None else frame.where(F.col("chunk").between(*chunks))

    def version(self, table: Table) -> int:
        """The current version of a table."""
        return int(self._snapshot(table).version())

    def _load(self, name: str) -> DataFrame:
        return self.spark.read.format("delta").load(self.files.uri(name))

    def _snapshot(self, table: Table) -> Any:
        """Delta's own view of the log, now. Python's API tells no transaction numbers."""
        jvm = self.spark.sparkContext._jvm
        assert jvm is not None
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(
            self.spark._jsparkSession, self.files.uri(table.name)
        )
        return log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty())

    def _last_transaction(self, table: Table) -> int:
        """The highest chunk that was ever committed to the table; a RESTORE doesn't lower it."""
        found = self._snapshot(table).transactions().get(table.name)
        return int(found.get()) if found.isDefined() else 0

    # Committing

    def append(self, table: Table, frame: DataFrame, *, chunk: Chunk) -> int:
        """Commits the rows of a chunk once, however often it is called; returns the table's version.

        In few files: one a core, or one a FILE_BYTES of photos. Raises FruitLakeError where a later
        chunk went before: Delta would drop these rows without a word.
        """
        last = self._last_transaction(table)
        if last == chunk.number:
            return self.version(table)
        if last > chunk.number:
            raise FruitLakeError(
                f"{table.name}: chunk {chunk.number} can't follow chunk {last}, which "
                f"was committed before it; run again."
            )
        cores = self.spark.sparkContext.defaultParallelism
        rows = self._conform(frame, table, chunk).coalesce(max(cores, chunk.bytes // FILE_BYTES))
        with self._transaction(table, chunk):
            rows.write.format("delta").mode("append").save(self.files.uri(table.name))
        return self.version(table)

    def upsert(self, table: Table, frame: DataFrame, *, keys: Sequence[str], chunk: Chunk) -> int:
        """Puts rows in the place of those with the same keys; the same rows twice change nothing.

        A row that has a `run_id` and a `chunk` already keeps them: they tell who made it.
        """
        target = DeltaTable.forPath(self.spark, self.files.uri(table.name))
        condition = " and ".join(f"held.{key} = new.{key}" for key in keys)
        with self._metadata(chunk.layer, chunk.number):
            (
                target.alias("held")
                .merge(self._conform(frame, table, chunk, keep_origin=True).alias("new"), condition)
                .whenMatchedUpdateAll()
                .whenNotMatchedInsertAll()
                .execute()
            )
        return self.version(table)

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
    def _transaction(self, table: Table, chunk: Chunk) -> Iterator[None]:
        """The commit within carries the chunk's number, and Delta takes no second one with it."""
        names = (f"{TRANSACTION}.txnAppId", f"{TRANSACTION}.txnVersion")
        with self._metadata(chunk.layer, chunk.number):
            try:
                self.spark.conf.set(names[0], table.name)
                self.spark.conf.set(names[1], str(chunk.number))
                yield
            finally:
                # Left behind, they would swallow the next commit to any table.
                for name in names:
                    self.spark.conf.unset(name)

    @contextlib.contextmanager
    def _metadata(self, layer: str, chunk: int | None) -> Iterator[None]:
        try:
            self.spark.conf.set(USER_METADATA, self.run.metadata(layer=layer, chunk=chunk))
            yield
        finally:
            self.spark.conf.unset(USER_METADATA)

    # Staging

    def stage(self, chunk: Chunk, part: str, frame: DataFrame) -> None:
        """Writes a part of a chunk where only this project looks; an earlier try is replaced."""
        name = _folder(chunk, part)
        self.files.delete_folder(name)
        with self._metadata(chunk.layer, chunk.number):
            (
                frame.write.format("delta")
                .option("delta.dataSkippingNumIndexedCols", "0")
                .save(self.files.uri(name))
            )

    def staged(self, chunk: Chunk, part: str) -> DataFrame:
        """What `stage` wrote."""
        return self._load(_folder(chunk, part))

    def has_staged(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part."""
        return self.files.exists(f"{_folder(chunk, part)}/_delta_log")

    def unstage(self, chunk: Chunk, part: str = "") -> None:
        """Removes what is staged of a chunk, or one part of it."""
        self.files.delete_folder(_folder(chunk, part))

    # The journal

    def chunks(self) -> Mapping[int, Chunk]:
        """Every chunk in its latest state, by number. Read once: after that this run alone adds to it."""
        if self._chunks is None:
            self._chunks = latest(row.asDict() for row in self.read(catalog.CHUNKS).collect())
        return self._chunks

    def plan(self, wanted: Sequence[Chunk]) -> list[Chunk]:
        """Numbers for the wanted chunks, in their order, above all that were ever used.

        The tables are asked as well: should ops/chunks have been restored to an earlier version, they
        still know the numbers that they took.
        """
        if not wanted:
            return []
        chunked = (catalog.OBJECTS, catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.FEATURES)
        used = max([0, *self.chunks(), *map(self._last_transaction, chunked)])
        planned = [
            chunk.reached(State.PLANNED, number=number)
            for number, chunk in enumerate(wanted, start=used + 1)
        ]
        self._journal(planned)
        return planned

    def renumbered(self, chunk: Chunk, *tables: Table) -> Chunk:
        """A chunk under a fresh number, where a later one went into one of its tables before it.

        Its files are copied, so that a kill at any moment leaves it whole under one of the two numbers.
        """
        if max(map(self._last_transaction, tables)) <= chunk.number:
            return chunk
        [fresh] = self.plan([chunk])
        fresh = fresh.reached(chunk.state)
        self.files.copy_folder(_folder(chunk), _folder(fresh))
        self._journal([fresh, chunk.reached(State.PLANNED)])
        self.unstage(chunk)
        return fresh

    def drop_abandoned(self) -> None:
        """Removes staged files that no unfinished chunk owns: of killed writers, or published since."""
        owned = {f"{c.layer}-{c.number}" for c in self.chunks().values() if c.is_unfinished}
        for folder in self.files.folders(STAGING):
            if folder not in owned:
                self.files.delete_folder(f"{STAGING}/{folder}")

    def reached(self, chunk: Chunk, state: State, **changes: Any) -> Chunk:
        """Records that a chunk came to a state, and returns it in that state."""
        changed = chunk.reached(state, **changes)
        self._journal([changed])
        return changed

    def _journal(self, chunks: Sequence[Chunk]) -> None:
        known = dict(self.chunks())
        now = datetime.now(UTC)
        rows = [
            {
                "run_id": self.run.run_id,
                "chunk": chunk.number,
                "layer": chunk.layer,
                "state": chunk.state.value,
                "weights_id": chunk.weights_id,
                "source_from": chunk.source_from,
                "source_to": chunk.source_to,
                "photos": chunk.photos,
                "bytes": chunk.bytes,
                "versions": dict(chunk.versions),
                "at": now,
            }
            for chunk in chunks
        ]
        self.record(catalog.CHUNKS, rows, layer=chunks[0].layer, chunk=chunks[0].number)
        self._chunks = known | {chunk.number: chunk for chunk in chunks}

    def record(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        layer: str,
        chunk: int | None = None,
    ) -> None:
        """Appends rows to a journal (an `ops` table): one entry for each time it is called."""
        names = table.schema.fieldNames()
        frame = self.rows(table, [{name: row[name] for name in names} for row in rows])
        with self._metadata(layer, chunk):
            frame.coalesce(1).write.format("delta").mode("append").save(self.files.uri(table.name))

    def rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A frame of a table's columns from values on the driver; what a row lacks is null."""
        fields = table.schema.fieldNames()
        values = [tuple(row.get(name) for name in fields) for row in rows]
        return self.spark.createDataFrame(values, table.schema)

    def finished(self, layer: LayerRun, *, status: str, error: str | None = None) -> None:
        """Stops the layer's clock and writes its row of `ops/runs`."""
        layer.finish()
        self.record(
            catalog.RUNS, [layer.row(self.run, status=status, error=error)], layer=layer.layer
        )


def counts(frame: DataFrame, column: str) -> dict[Any, int]:
    """Rows by the value of a column."""
    rows: list[Row] = frame.groupBy(column).count().collect()
    return {row[0]: row[1] for row in rows}


def _folder(chunk: Chunk, part: str = "") -> str:
    """Where a chunk, or a part of it, is staged."""
    return f"{STAGING}/{chunk.layer}-{chunk.number}/{part}".rstrip("/")


def _check_marker(marker: Mapping[str, Any], *, keys: Keys, root: str) -> None:
    if marker["format"] > FORMAT:
        raise BadInput(
            f"The lake {root} was written by a later version of this product "
            f"(format {marker['format']}, this one knows {FORMAT}); update the code."
        )
    if marker["key"] != keys.fingerprint:
        raise Refused(
            f"The lake {root} was made with another key than subjects.key names: pseudonyms would not "
            f"match; give the key that it was made with."
        )
