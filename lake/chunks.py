"""Chunks: the unit of work, of commits and of gates, and the states that each goes through.

bronze: planned → staged → published → judged | blocked → released
silver: planned → staged → judged | blocked → published → retired, with its model
gold: as silver, and a blocked one may be released: it is dropped, and the next refit projects its photos
departure: planned → staged → published; what it holds leaves silver and gold

A number is taken from one sequence for all layers and never used again. What a chunk holds is fixed when
it is staged; a chunk that was only planned is abandoned by the next run, under whose own numbers the same
work is done anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self, TypeVar


class ChunkState(StrEnum):
    """How far a chunk has come."""

    PLANNED = "planned"
    STAGED = "staged"
    JUDGED = "judged"
    BLOCKED = "blocked"
    RELEASED = "released"
    PUBLISHED = "published"
    RETIRED = "retired"


@dataclass(frozen=True)
class Chunk:
    """One chunk of one layer, in its latest state.

    `source_from` to `source_to` are the chunks of the layer before that it was made from;
    `weights_id` is the model's, in silver and gold, `model_version` the PCA's, in gold; `versions` are
    those that its commits made.
    """

    number: int
    layer: str
    state: ChunkState
    weights_id: str | None = None
    model_version: str | None = None
    source_from: int | None = None
    source_to: int | None = None
    photos: int = 0
    bytes: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The `weights_id` of a silver or gold chunk. Raises ValueError for a bronze chunk."""
        if self.weights_id is None:
            raise ValueError(f"{self.layer} chunk {self.number} belongs to no model")
        return self.weights_id

    @property
    def sources(self) -> tuple[int, int]:
        """The chunks that it was made from, first and last. Raises ValueError for a bronze chunk."""
        if self.source_from is None or self.source_to is None:
            raise ValueError(f"{self.layer} chunk {self.number} was made from no chunks")
        return self.source_from, self.source_to

    @property
    def is_published(self) -> bool:
        """Readers see it. A bronze chunk is judged after its publication."""
        return self.state is ChunkState.PUBLISHED or (
            self.layer == "bronze" and bool(self.versions)
        )

    @property
    def is_unfinished(self) -> bool:
        """Its rows are staged, and are to be judged or published before anything newer."""
        over = (ChunkState.PLANNED, ChunkState.RETIRED, ChunkState.RELEASED)
        return not self.is_published and self.state not in over

    @property
    def is_replay(self) -> bool:
        """A silver chunk of quarantined photos, of whichever bronze chunks."""
        return self.layer == "silver" and self.source_from is None

    def reached(self, state: ChunkState, **changes: Any) -> Self:
        """The same chunk in another state."""
        return replace(self, state=state, **changes)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The chunk that a row of `ops/chunks` tells of."""
        return cls(
            number=row["chunk"],
            layer=row["layer"],
            state=ChunkState(row["state"]),
            weights_id=row["weights_id"],
            model_version=row["model_version"],
            source_from=row["source_from"],
            source_to=row["source_to"],
            photos=row["photos"],
            bytes=row["bytes"],
            versions=dict(row["versions"] or []),
        )


def latest(rows: Iterable[Mapping[str, Any]]) -> dict[int, Chunk]:
    """The last state of every chunk, by number, from the rows of `ops/chunks` in any order."""
    ordered = sorted(
        rows, key=lambda row: row["entry"]
    )  # not by time: clocks of two writers differ
    return {row["chunk"]: Chunk.of(row) for row in ordered}


def unfinished(
    chunks: Iterable[Chunk], *, layer: str, weights_id: str | None = None
) -> list[Chunk]:
    """The chunks of a layer that a run left staged, judged or blocked, in the order to take them up.

    What is judged comes first, of any model: part of it may be published already, and no higher number
    may go before the rest. Then those of this model, oldest first.
    """
    own = [
        chunk
        for chunk in chunks
        if chunk.layer == layer
        and chunk.is_unfinished
        and (chunk.weights_id == weights_id or chunk.state is ChunkState.JUDGED)
    ]
    return sorted(own, key=lambda chunk: (chunk.state is not ChunkState.JUDGED, chunk.number))


def published(chunks: Iterable[Chunk], *, layer: str, weights_id: str) -> list[Chunk]:
    """The chunks of a layer and a model that readers see, oldest first."""
    own = (c for c in chunks if c.layer == layer and c.weights_id == weights_id)
    return sorted((c for c in own if c.is_published), key=lambda chunk: chunk.number)


def not_yet_taken(
    chunks: Iterable[Chunk],
    *,
    source: str,
    layer: str,
    weights_id: str,
    model_version: str | None = None,
) -> list[Chunk]:
    """The published chunks of `source` with photos that no chunk of `layer` holds for this model.

    With a `model_version`, that none holds for this version. Oldest first.
    """
    known = list(chunks)
    taken = [
        range(c.source_from, (c.source_to or c.source_from) + 1)
        for c in known
        if c.layer == layer
        and c.weights_id == weights_id
        and model_version in (None, c.model_version)
        and c.state not in (ChunkState.PLANNED, ChunkState.RETIRED)
        and c.source_from is not None
    ]
    return sorted(
        (
            c
            for c in known
            if c.layer == source
            and c.is_published
            and c.photos
            and c.weights_id in (None, weights_id)
            and not any(c.number in numbers for numbers in taken)
        ),
        key=lambda chunk: chunk.number,
    )


Item = TypeVar("Item")


def batches(
    items: Iterable[Item],
    *,
    size: Callable[[Item], tuple[int, int]],
    max_photos: int,
    max_bytes: int,
) -> list[list[Item]]:
    """Items in their order, cut where a batch would pass either bound; one item is never cut.

    `size` tells how many photos an item is, and how many bytes.
    """
    found: list[list[Item]] = []
    photos = held = 0
    for item in items:
        more_photos, more_bytes = size(item)
        photos, held = photos + more_photos, held + more_bytes
        if not found or photos > max_photos or held > max_bytes:
            found.append([])
            photos, held = more_photos, more_bytes
        found[-1].append(item)
    return found
