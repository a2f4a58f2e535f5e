"""The table ops/chunks as the journal of a ledger (`lake.ledger.ChunkJournal`), read or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake import catalog, delta_rs_reader
from lake.chunks import Chunk, latest

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lake.readable_lake import Lake
    from lake.writable_lake import WritableLake


NOT_OF_A_CHUNK = ("run_id", "at")
"""The columns of ops/chunks that the ledger doesn't ask for."""


class ChunksTable:
    """The table as readers see it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    @property
    def run_id(self) -> str:
        """The id of the run in whose name the lake was opened."""
        return self._lake.run.run_id

    def read(self) -> Sequence[Mapping[str, Any]]:
        """The last row of each chunk."""
        return _last(self._lake.log(catalog.CHUNKS).table())

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


def chunks_in(root: str) -> dict[int, Chunk]:
    """Return every chunk of the lake under a root in its last state, by number. Raises BadInput where there
    is no lake."""
    return latest(_last(delta_rs_reader.delta_table(root, catalog.CHUNKS)))


def _last(table: DeltaTable) -> list[dict[str, Any]]:
    """Return the last row of each chunk in delta-rs' table, without the columns NOT_OF_A_CHUNK."""
    rows = last_rows(delta_rs_reader.read(table)).drop_columns(NOT_OF_A_CHUNK)
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def last_rows(rows: pa.Table) -> pa.Table:
    """Return the last row of each chunk among some of ops/chunks, in the order of entries."""
    ordered = rows.sort_by("entry")
    places = pa.table(
        {"chunk": ordered["chunk"], "place": pa.array(range(ordered.num_rows), pa.int64())}
    )
    last = places.group_by("chunk").aggregate([("place", "max")])
    return ordered.take(last["place_max"].sort())
