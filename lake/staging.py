"""Staged rows: the parts of a chunk, written where only this project looks, until they are published."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from conf.errors import FruitLakeError
from lake import delta_log, delta_rs_reader, parquet_files
from lake.catalog import Table
from lake.chunks import Chunk
from lake.dataframe_queries import with_columns
from lake.delta_log import has_commit
from lake.file_parts import FilePart, WorkerFiles, file_schema
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.storage.connectors import delta_rs_options
from lake.storage.folder import Folder

FOLDER = "staging"

WITHOUT_STATISTICS = ("delta.dataSkippingNumIndexedCols", "0")
"""The Delta property by which no value of a staged row stands in a log."""

BATCH = 64
"""The rows of a photo table that are read at once."""

LOST = (errno.ENOENT, errno.ENOTDIR)
"""The errors by which this machine says that a file is gone. One of its disk may pass, and ends the run."""


class Staging:
    """The staged chunks of a lake. Each is a folder with a Delta table for each part, which Spark writes, or
    delta-rs where the part is small.

    `check_lease` is called before anything is deleted: the next holder of the lease finishes chunks that this
    process staged. Whatever deletes raises Busy.
    """

    def __init__(
        self,
        spark: Callable[[], SparkSession],
        files: Folder,
        *,
        check_lease: Callable[[], None],
    ) -> None:
        self._spark = spark
        self._files = files
        self._check_lease = check_lease

    def write(self, chunk: Chunk, part: str, frame: DataFrame) -> None:
        """Writes a part of a chunk, in the place of what an earlier try wrote."""
        name = _folder(chunk, part)
        self._delete(name)
        (frame.write.format("delta").option(*WITHOUT_STATISTICS).save(self._files.uri(name)))

    def read(self, chunk: Chunk, part: str) -> DataFrame:
        """The rows that `write` wrote."""
        return self._spark().read.format("delta").load(self._files.uri(_folder(chunk, part)))

    def source(self, chunk: Chunk, part: str, *, of: Table | None = None) -> RowSource:
        """The rows of a part, to be read in either way. With the table's entry in the catalogue (`of`), the
        columns that a part of earlier code lacks are null."""
        staged = delta_rs_reader.open_table(self._files.root, _folder(chunk, part))

        def frame() -> DataFrame:
            return with_columns(self.read(chunk, part), of) if of else self.read(chunk, part)

        return RowSource(frame, delta_rs_reader.scan(staged, of=of))

    def has(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part: its write has ended."""
        return has_commit(self._files, _folder(chunk, part))

    def is_whole(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part, and every file of it is there and holds what was written.

        All of it is read, and nothing is kept: what a killed run left is one chunk in most cases. Raises
        OSError where the storage doesn't answer, which says nothing of the part.
        """
        name = _folder(chunk, part)
        written = delta_log.actions_in(self._files, name, 0)  # a part is written by one commit
        if written is None:
            return False
        lying = self._files.current(name)
        sizes = {
            f"{name}/{unquote(action['add']['path'])}": action["add"]["size"]
            for action in written
            if "add" in action
        }
        return sizes.items() <= lying.items() and all(map(self._is_sound, sizes))

    def _is_sound(self, name: str) -> bool:
        """Whether every page of a Parquet file can be read."""
        try:
            with (
                self._files.open(name) as raw,
                pq.ParquetFile(raw, pre_buffer=False, page_checksum_verification=True) as file,
            ):
                for _ in file.iter_batches(batch_size=BATCH, use_threads=False):
                    pass
        except FruitLakeError:  # a bucket's, which throttles or doesn't answer
            raise
        except OSError as error:  # Arrow's own, of a damaged page, has no number
            if error.errno is not None and error.errno not in LOST:
                raise
            return False
        except (ValueError, pa.ArrowException):
            return False
        return True

    def write_rows(self, chunk: Chunk, part: str, rows: pa.Table) -> None:
        """Writes a small part of a chunk without Spark, in the place of what an earlier try wrote."""
        # The import stands here because only a writer needs it.
        from deltalake import write_deltalake

        name = _folder(chunk, part)
        self._delete(name)
        write_deltalake(
            f"{self._files.root}/{name}",
            rows,
            configuration=dict([WITHOUT_STATISTICS]),
            storage_options=delta_rs_options(self._files.root),
        )

    def worker_files(self, chunk: Chunk, part: str, *, run_id: str) -> WorkerFiles:
        """Where workers write the files of a part from now on, without what an earlier try left there."""
        name = _folder(chunk, part)
        self._delete(name)
        return WorkerFiles(self._files, name, run_id, chunk.number, datetime.now(UTC))

    def record_files(self, chunk: Chunk, part: str, written: FilePart) -> None:
        """Makes a part of the files that workers wrote in its folder. Others there belong to nobody: a try of
        a task that was given up wrote them."""
        # The import stands here because only a writer needs it.
        from deltalake import Schema
        from deltalake.transaction import AddAction, create_table_with_add_actions

        name = _folder(chunk, part)
        added = [
            AddAction(file.name.removeprefix(f"{name}/"), file.size, {}, 0, True, statistics)
            for file, statistics in zip(written.files, written.statistics(), strict=True)
        ]
        create_table_with_add_actions(
            f"{self._files.root}/{name}",
            Schema.from_arrow(written.schema),
            added,
            description=written.origin,
            # Where the log may have statistics of more columns, delta-rs takes what isn't there for a bound.
            configuration={"delta.dataSkippingStatsColumns": "chunk,run_id"},
            storage_options=delta_rs_options(self._files.root),
        )

    def rows_part(
        self, chunk: Chunk, table: Table, rows: Sequence[Mapping[str, Any]], *, run_id: str
    ) -> FilePart:
        """Writes rows of a large table that the driver has as a file, which the table can take as it is.

        It is no part that must be there: whoever publishes the chunk writes it anew.
        """
        name = parquet_files.new_name(f"{_folder(chunk)}/rows")
        origin = {"run_id": run_id, "chunk": chunk.number}
        own = arrow_rows(table, [{**row, **origin} for row in rows]).select(
            file_schema(table).names
        )
        written = parquet_files.write(self._files, name, own.to_batches(), file_schema(table))
        return FilePart(table, [written] if written else [], run_id, chunk.number)

    def file_part(self, chunk: Chunk, part: str, table: Table) -> FilePart | None:
        """A part whose files `record_files` recorded; None where it was written in another way."""
        name = _folder(chunk, part)
        actions = delta_log.actions_in(self._files, name, 0)  # a part is written by one commit
        return FilePart.recorded(name, actions or (), table)

    def has_column(self, chunk: Chunk, part: str, name: str) -> bool:
        """Whether the log of a part says that its rows have a column."""
        actions = delta_log.actions_in(self._files, _folder(chunk, part), 0) or ()
        schemas = (each["metaData"]["schemaString"] for each in actions if "metaData" in each)
        return any(
            field["name"] == name for each in schemas for field in json.loads(each)["fields"]
        )

    def write_source(self, chunk: Chunk, part: str, rows: RowSource) -> None:
        """Writes a part of a chunk: in this process where its rows are few, and with Spark where not."""
        if rows.are_few:
            self.write_rows(chunk, part, pa.Table.from_batches(rows.batches(), rows.schema))
        else:
            self.write(chunk, part, rows.frame())

    def rows(self, chunk: Chunk, part: str) -> list[dict[str, Any]]:
        """The rows of a small part, without Spark."""
        return self.columns(chunk, part).to_pylist()

    def columns(self, chunk: Chunk, part: str, *names: str) -> pa.Table:
        """Some columns of a part, or all of a small one, on the driver and without Spark."""
        staged = delta_rs_reader.open_table(self._files.root, _folder(chunk, part))
        return delta_rs_reader.read(staged, columns=names or None)

    def remove(self, chunk: Chunk, part: str = "") -> None:
        """Removes a part of a chunk, or without a `part` everything that is staged of the chunk."""
        self._delete(_folder(chunk, part))

    def copy(self, chunk: Chunk, to: Chunk) -> None:
        """Copies everything that is staged of a chunk, for another number."""
        self._files.delete_folder(_folder(to), check=self._check_lease)
        self._files.copy_folder(_folder(chunk), _folder(to))

    def keep_only(self, chunks: Callable[[], Sequence[Chunk]]) -> None:
        """Removes what is staged of any other chunks than these.

        `chunks` is called after the folders were listed: a chunk that is staged meanwhile is not among them.
        """
        names = self._files.folders(FOLDER)
        owned = {_folder(chunk) for chunk in chunks()}
        for name in names:
            if f"{FOLDER}/{name}" not in owned:
                self._delete(f"{FOLDER}/{name}")

    def _delete(self, name: str) -> None:
        self._files.delete_folder(name, check=self._check_lease)


def _folder(chunk: Chunk, part: str = "") -> str:
    """The name of the folder in which a chunk, or a part of it, is staged."""
    return f"{FOLDER}/{chunk.layer}-{chunk.number}/{part}".rstrip("/")
