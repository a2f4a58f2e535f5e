"""Staged rows: the parts of a chunk, written where only this project looks, until they are published."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from lake.chunks import Chunk
from lake.storage.folder import Folder

FOLDER = "staging"


class Staging:
    """The staged chunks of a lake, a folder each, and in it a Delta table for each part."""

    def __init__(self, spark: SparkSession, files: Folder) -> None:
        self._spark = spark
        self._files = files

    def write(self, chunk: Chunk, part: str, frame: DataFrame) -> None:
        """Writes a part of a chunk; an earlier try is replaced."""
        name = _folder(chunk, part)
        self._files.delete_folder(name)
        (
            frame.write.format("delta")
            .option("delta.dataSkippingNumIndexedCols", "0")
            .save(self._files.uri(name))
        )

    def read(self, chunk: Chunk, part: str) -> DataFrame:
        """What `write` wrote."""
        return self._spark.read.format("delta").load(self._files.uri(_folder(chunk, part)))

    def has(self, chunk: Chunk, part: str) -> bool:
        """Whether the chunk has that part, whole."""
        return bool(self._files.names(f"{_folder(chunk, part)}/_delta_log", suffix=".json"))

    def remove(self, chunk: Chunk, part: str = "") -> None:
        """Removes what is staged of a chunk, or one part of it."""
        self._files.delete_folder(_folder(chunk, part))

    def copy(self, chunk: Chunk, to: Chunk) -> None:
        """Everything of a chunk, for another number as well."""
        self._files.copy_folder(_folder(chunk), _folder(to))

    def keep_only(self, chunks: list[Chunk]) -> None:
        """Removes what no such chunk owns: of killed writers, or published since."""
        owned = {_folder(chunk) for chunk in chunks}
        for name in self._files.folders(FOLDER):
            if f"{FOLDER}/{name}" not in owned:
                self._files.delete_folder(f"{FOLDER}/{name}")


def _folder(chunk: Chunk, part: str = "") -> str:
    """Where a chunk, or a part of it, is staged."""
    return f"{FOLDER}/{chunk.layer}-{chunk.number}/{part}".rstrip("/")
