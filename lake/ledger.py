"""The ledger: the states of all chunks, and the numbers that chunks get. It needs no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from lake import fault_points
from lake.chunks import Chunk, ChunkPlan, ChunkState, latest


class ChunkJournal(Protocol):
    """Where the ledger keeps the states of chunks: the table ops/chunks, or a list in a test."""

    @property
    def run_id(self) -> str:
        """The id of the run that records states."""
        ...

    def read(self) -> Sequence[Mapping[str, Any]]:
        """Rows of the journal, in any order: at least the last one that was recorded of each chunk."""
        ...

    def record(self, rows: Sequence[Mapping[str, Any]], *, layer: str, chunk: int) -> None:
        """Appends rows in one commit, in the name of a layer's chunk. Raises Busy."""
        ...

    def last_number(self) -> int:
        """The highest number of a chunk that any table ever took."""
        ...


class Ledger:
    """The chunks of a lake as one run sees and changes them.

    The journal is read once: after that this run alone adds to it.
    """

    def __init__(self, journal: ChunkJournal) -> None:
        self._journal = journal
        self._chunks: dict[int, Chunk] | None = None
        self._entries = 0
        self._last_number: int | None = None

    def chunks(self) -> Mapping[int, Chunk]:
        """Every chunk in its latest state, by number."""
        if self._chunks is None:
            rows = self._journal.read()
            self._chunks = latest(rows)
            self._entries = max((row["entry"] for row in rows), default=0)
        return self._chunks

    def plan(self, plans: Sequence[ChunkPlan]) -> list[Chunk]:
        """Gives numbers to the planned chunks, in their order, above all numbers that were ever used.

        The tables are asked too, once: they still know the numbers that they took should ops/chunks have
        been restored to an earlier version. Raises Busy.
        """
        if not plans:
            return []
        if self._last_number is None:
            self._last_number = self._journal.last_number()
        used = max([self._last_number, *self.chunks()])
        planned = [plan.numbered(number) for number, plan in enumerate(plans, start=used + 1)]
        self._record(planned)
        fault_points.at(f"{plans[0].layer}: planned")
        return planned

    def reached(self, chunk: Chunk, state: ChunkState) -> Chunk:
        """Records that a chunk came to a state, and returns it in that state. Raises Busy."""
        changed = chunk.reached(state)
        self._record_state([changed])
        return changed

    def published(
        self,
        chunk: Chunk,
        *,
        photos: int,
        versions: Mapping[str, int],
        photos_left: Mapping[int, int],
    ) -> None:
        """Records in one commit that a chunk is published with so many photos, by commits that made these
        versions, and how many photos other chunks have left, by their numbers. Raises Busy."""
        changed = chunk.reached(ChunkState.PUBLISHED, photos=photos, versions=versions)
        self._record_state([changed, *self._recounted(photos_left)])

    def recount(self, photos: Mapping[int, int]) -> None:
        """Records how many photos chunks have left, by number, where that differs from what is known.
        Raises Busy."""
        if changed := self._recounted(photos):
            self._record(changed)

    def retire(self, chunks: Sequence[Chunk]) -> None:
        """Records that the rows of these chunks are gone: what they were made from may be taken again.
        Raises Busy."""
        if chunks:
            self._record([chunk.reached(ChunkState.RETIRED) for chunk in chunks])

    def abandon(self, chunk: Chunk) -> None:
        """Records that a staged chunk is given up: the next run does its work under another number.
        Raises Busy."""
        self._record([chunk.reached(ChunkState.PLANNED)])

    def replace(self, chunk: Chunk, by: Chunk) -> None:
        """Records in one commit that a chunk is given up and that another one stands where it stood.
        Raises Busy."""
        self._record([by, chunk.reached(ChunkState.PLANNED)])

    def unfinished(self) -> list[Chunk]:
        """The chunks of all layers whose rows are staged."""
        return [chunk for chunk in self.chunks().values() if chunk.is_unfinished]

    def _recounted(self, photos: Mapping[int, int]) -> list[Chunk]:
        chunks = self.chunks()
        return [
            chunks[number].reached(chunks[number].state, photos=photos[number])
            for number in sorted(photos.keys() & chunks.keys())
            if photos[number] != chunks[number].photos
        ]

    def _record_state(self, chunks: Sequence[Chunk]) -> None:
        """Records chunks, with a fault point before and after that names the state of the first one."""
        first = chunks[0]
        fault_points.at(f"{first.layer}: before {first.state}")
        self._record(chunks)
        fault_points.at(f"{first.layer}: {first.state}")

    def _record(self, chunks: Sequence[Chunk]) -> None:
        known = self.chunks()
        now = datetime.now(UTC)
        self._entries += 1
        rows = [
            {
                "run_id": self._journal.run_id,
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
        self._journal.record(rows, layer=chunks[0].layer, chunk=chunks[0].number)
        self._chunks = {**known, **{chunk.number: chunk for chunk in chunks}}
