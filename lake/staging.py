"""Staged rows: the parts of a chunk, written where only this project looks, until they are published."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from lake.chunks import Chunk
from lake.storage.folder import Folder

FOLDER = "staging"


class Staging:
    """The staged chunks of a lake. Each is a folder with a Delta table for each part."""

    def __init__(self, spark: SparkSession, files: Folder) -> None:
        self._spark = spark
        self._files = files

    def write(self, chunk: Chunk, part: str, frame: DataFrame) -> None:
        """Writes a part of a chunk, in the place of what an earlier try wrote."""
        name = _folder(chunk, part)
        self._files.delete_folder(name)
        (
            frame.write.format("delta")
            .option("delta.dataSkippingNumIndexedCols", "0")
            .save(self._files.uri(name))
        )

    def read(self, chunk: Chunk, part: str) -> DataFrame:
        """The rows that `write` wrote."""
        return self._spark.read.format("delta").load(self._files.uri(_folder(chunk, part)))

    def has(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part, whole."""
        return bool(self._files.names(f"{_folder(chunk, part)}/_delta_log", suffix=".json"))

    def remove(self, chunk: Chunk, part: str = "") -> None:
        """Removes a part of a chunk, or without a `part` everything that is staged of the chunk."""
        self._files.delete_folder(_folder(chunk, part))

    def copy(self, chunk: Chunk, to: Chunk) -> None:
        """Copies everything that is staged of a chunk, for another number."""
        self._files.copy_folder(_folder(chunk), _folder(to))

    def keep_only(self, chunks: Sequence[Chunk]) -> None:
        """Removes what is staged of any other chunks than these."""
        owned = {_folder(chunk) for chunk in chunks}
        for name in self._files.folders(FOLDER):
            if f"{FOLDER}/{name}" not in owned:
                self._files.delete_folder(f"{FOLDER}/{name}")


def _folder(chunk: Chunk, part: str = "") -> str:
    """The name of the folder in which a chunk, or a part of it, is staged."""
    return f"{FOLDER}/{chunk.layer}-{chunk.number}/{part}".rstrip("/")
