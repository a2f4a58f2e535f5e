"""The table ops/chunks as the journal of a ledger (`lake.ledger.ChunkJournal`), read or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lake import catalog

if TYPE_CHECKING:
    from lake.readable_lake import Lake
    from lake.writable_lake import WritableLake


class ChunksTable:
    """The table as readers see it."""

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


class WritableChunksTable(ChunksTable):
    """The table as the one writer of the lake sees it."""

    def __init__(self, lake: WritableLake) -> None:
        super().__init__(lake)
        self._writable = lake

    def record(self, rows: Sequence[Mapping[str, Any]], *, layer: str, chunk: int) -> None:
        """Appends rows in one commit. Raises Busy."""
        self._writable.record(catalog.CHUNKS, rows, layer=layer, chunk=chunk)
