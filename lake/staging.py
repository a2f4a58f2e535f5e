"""Staged rows: the parts of a chunk, written where only this project looks, until they are published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lake import delta_rs_reader
from lake.chunks import Chunk
from lake.delta_log import has_commit
from lake.row_source import RowSource
from lake.storage.connectors import delta_rs_options
from lake.storage.folder import Folder

FOLDER = "staging"

WITHOUT_STATISTICS = ("delta.dataSkippingNumIndexedCols", "0")
"""The Delta property by which no value of a staged row stands in a log."""


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

    def source(self, chunk: Chunk, part: str) -> RowSource:
        """The rows of a part, to be read in either way."""
        staged = delta_rs_reader.open_table(self._files.root, _folder(chunk, part))
        return RowSource(lambda: self.read(chunk, part), delta_rs_reader.scan(staged))

    def has(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part, whole."""
        return has_commit(self._files, _folder(chunk, part))

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
