"""The ledger: every chunk's state, in `ops/chunks`, and the numbers that chunks get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lake import catalog, fault_points
from lake.catalog import Table
from lake.chunks import Chunk, ChunkState, latest
from lake.delta_log import TAKEOVER

if TYPE_CHECKING:
    from lake.lake import Lake


class Ledger:
    """The chunks of a lake, as one run sees and moves them."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._chunks: dict[int, Chunk] | None = None
        self._entries = 0
        self._taken: int | None = None

    def chunks(self) -> Mapping[int, Chunk]:
        """Every chunk in its latest state, by number. Read once: after that this run alone adds to it."""
        if self._chunks is None:
            rows = [row.asDict() for row in self._lake.read(catalog.CHUNKS).collect()]
            self._chunks = latest(rows)
            self._entries = max((row["entry"] for row in rows), default=0)
        return self._chunks

    def take_over(self) -> None:
        """Enters every open chunk again, above what a writer that was only paused may still enter."""
        chunks = self.chunks().values()
        self._entries = (self._entries // TAKEOVER + 1) * TAKEOVER
        open_ones = [c for c in chunks if c.is_unfinished or c.state is ChunkState.PLANNED]
        if open_ones:
            self._write(open_ones)

    def plan(self, wanted: Sequence[Chunk]) -> list[Chunk]:
        """Numbers for the wanted chunks, in their order, above all that were ever used.

        The tables are asked as well, once: should ops/chunks have been restored to an earlier version, they
        still know the numbers that they took. After that this run alone takes any. Raises Busy.
        """
        if not wanted:
            return []
        if self._taken is None:
            chunked = [table for table in catalog.TABLES if table.numbers == "chunk"]
            self._taken = max(map(self._lake.last_chunk, chunked))
        used = max([self._taken, *self.chunks()])
        planned = [
            chunk.reached(ChunkState.PLANNED, number=number)
            for number, chunk in enumerate(wanted, start=used + 1)
        ]
        self._write(planned)
        fault_points.at(f"{wanted[0].layer}: planned")
        return planned

    def reached(self, chunk: Chunk, state: ChunkState, **changes: Any) -> Chunk:
        """Records that a chunk came to a state, and returns it in that state. Raises Busy."""
        changed = chunk.reached(state, **changes)
        fault_points.at(f"{chunk.layer}: before {state}")
        self._write([changed])
        fault_points.at(f"{chunk.layer}: {state}")
        return changed

    def recount(self, photos: Mapping[int, int]) -> None:
        """Records how many photos published chunks have left, where that is not what is known."""
        left = self._recounted(photos)
        if left:
            self._write(left)

    def _recounted(self, photos: Mapping[int, int]) -> list[Chunk]:
        return [
            chunk.reached(chunk.state, photos=photos[number])
            for number, chunk in self.chunks().items()
            if photos.get(number, chunk.photos) != chunk.photos
        ]

    def settle(
        self, chunk: Chunk, photos: Mapping[int, int], *, versions: Mapping[str, int]
    ) -> None:
        """Records in one commit that a chunk is published, and how many photos other chunks have left."""
        left = self._recounted(photos)
        fault_points.at(f"{chunk.layer}: before {ChunkState.PUBLISHED}")
        self._write([chunk.reached(ChunkState.PUBLISHED, versions=versions), *left])
        fault_points.at(f"{chunk.layer}: {ChunkState.PUBLISHED}")

    def abandon(self, chunk: Chunk) -> None:
        """Drops what is staged of a chunk: the next run does its work anew, under a number of its own."""
        self._write([chunk.reached(ChunkState.PLANNED)])
        self._lake.staging.remove(chunk)

    def retire(self, chunks: Sequence[Chunk]) -> None:
        """Records that the rows of these chunks are gone: what they were made from may be taken again."""
        if chunks:
            self._write([chunk.reached(ChunkState.RETIRED) for chunk in chunks])

    def renumbered(self, chunk: Chunk, *tables: Table) -> Chunk:
        """A chunk under a fresh number, where a later one went into one of its tables before it.

        Its files are copied, so that a kill at any moment leaves it whole under one of the two numbers.
        """
        if max(map(self._lake.last_chunk, tables)) <= chunk.number:
            return chunk
        [fresh] = self.plan([chunk])
        fresh = fresh.reached(chunk.state)
        self._lake.staging.copy(chunk, fresh)
        self._write([fresh, chunk.reached(ChunkState.PLANNED)])
        self._lake.staging.remove(chunk)
        return fresh

    def drop_abandoned(self) -> None:
        """Removes staged files that no unfinished chunk owns: of killed writers, or published since."""
        self._lake.staging.keep_only([c for c in self.chunks().values() if c.is_unfinished])

    def _write(self, chunks: Sequence[Chunk]) -> None:
        known = dict(self.chunks())
        now = datetime.now(UTC)
        self._entries += 1
        rows = [
            {
                "run_id": self._lake.run.run_id,
                "chunk": chunk.number,
                "layer": chunk.layer,
                "state": chunk.state.value,
                "weights_id": chunk.weights_id,
                "model_version": chunk.model_version,
                "source_from": chunk.source_from,
                "source_to": chunk.source_to,
                "photos": chunk.photos,
                "bytes": chunk.bytes,
                "versions": dict(chunk.versions),
                "at": now,
                "entry": self._entries,
            }
            for chunk in chunks
        ]
        first = chunks[0]
        self._lake.record(catalog.CHUNKS, rows, layer=first.layer, chunk=first.number)
        self._chunks = known | {chunk.number: chunk for chunk in chunks}
