"""Chunks: the units of work, of commits and of gates, and the states that they go through.

bronze: planned → staged → published → judged | blocked → released
silver: planned → staged → judged | blocked → published → retired, with its model
gold: as silver; a blocked chunk may be released: it is dropped, and the next refit projects its photos
training, testing: planned → staged → published
departure (rows leave silver and gold): planned → staged → published
labelling (photos get other labels in every layer): planned → staged → published

The numbers of all chunks come from one sequence, and no number is used twice. What a chunk holds is fixed
when it is staged. The next run abandons a chunk that was only planned, and does its work under a new number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

from lake.chunk_ranges import ChunkRanges
from lake.enums import (
    BRONZE,
    ERASE,
    GOLD,
    LABELLING,
    REKEY,
    REMOVAL,
    RESTORE,
    RETAIN,
    RETIRE,
    SILVER,
    TESTING,
    TRAINING,
)


class ChunkState(StrEnum):
    """How far a chunk has come: column `state` of ops/chunks."""

    PLANNED = "planned"
    STAGED = "staged"
    JUDGED = "judged"
    BLOCKED = "blocked"
    RELEASED = "released"
    PUBLISHED = "published"
    RETIRED = "retired"


STATES_OF: Mapping[str, frozenset[ChunkState]] = {
    BRONZE: frozenset(ChunkState) - {ChunkState.RETIRED},
    SILVER: frozenset(ChunkState) - {ChunkState.RELEASED},
    GOLD: frozenset(ChunkState),
    **dict.fromkeys(
        (TRAINING, TESTING, REMOVAL),
        frozenset(
            {ChunkState.PLANNED, ChunkState.STAGED, ChunkState.PUBLISHED, ChunkState.RETIRED}
        ),
    ),
    LABELLING: frozenset({ChunkState.PLANNED, ChunkState.STAGED, ChunkState.PUBLISHED}),
    RETIRE: frozenset({ChunkState.PLANNED, ChunkState.RETIRED}),
    **dict.fromkeys((ERASE, RETAIN, RESTORE, REKEY), frozenset({ChunkState.PLANNED})),
}
"""The layers of chunks, each with the states that its chunks can reach. A blocked silver chunk that is
released is published, with all its photos in quarantine; chunks of a model are retired with it, whatever
they were made for."""


@dataclass(frozen=True, kw_only=True)
class ChunkPlan:
    """What a chunk of a layer is to hold, before it has a number.

    `source_from` to `source_to` are the numbers of the chunks that it is made from. `weights_id` is the
    extractor's (silver and gold), `model_version` the PCA's (gold). `bytes` is about what its rows take.
    """

    layer: str
    weights_id: str | None = None
    model_version: str | None = None
    source_from: int | None = None
    source_to: int | None = None
    photos: int = 0
    bytes: int = 0

    def numbered(self, number: int) -> Chunk:
        """The planned chunk of that number."""
        plan = {each.name: getattr(self, each.name) for each in fields(ChunkPlan)}
        return Chunk(number=number, state=ChunkState.PLANNED, **plan)


@dataclass(frozen=True, kw_only=True)
class Chunk(ChunkPlan):
    """A chunk of a layer in its latest state. `versions` are the table versions that its commits made."""

    number: int
    state: ChunkState
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The `weights_id` of its extractor. Raises ValueError for a chunk without one, as bronze's are."""
        if self.weights_id is None:
            raise ValueError(f"{self.layer} chunk {self.number} belongs to no model")
        return self.weights_id

    @property
    def sources(self) -> tuple[int, int]:
        """The numbers of the first and the last chunk that it was made from. Raises ValueError where it was
        made from none."""
        if self.source_from is None or self.source_to is None:
            raise ValueError(f"{self.layer} chunk {self.number} was made from no chunks")
        return self.source_from, self.source_to

    @property
    def is_published(self) -> bool:
        """Whether readers see it. A bronze chunk is judged after its publication."""
        is_judged_bronze = self.layer == BRONZE and bool(self.versions)
        return self.state is ChunkState.PUBLISHED or is_judged_bronze

    @property
    def is_unfinished(self) -> bool:
        """Whether its rows are staged, and must be judged or published before anything newer."""
        over = (ChunkState.PLANNED, ChunkState.RETIRED, ChunkState.RELEASED)
        return not self.is_published and self.state not in over

    @property
    def is_replay(self) -> bool:
        """Whether it is a silver chunk of quarantined photos, which come from any bronze chunks."""
        return self.layer == SILVER and self.source_from is None

    @property
    def is_second_try(self) -> bool:
        """Whether it is a bronze chunk of objects that the chunks from its first source to its last one
        rejected."""
        return self.layer == BRONZE and self.source_from is not None

    @property
    def command(self) -> str:
        """The command that finishes it while it is unfinished, or makes it again. Any command that writes
        finishes a departure and a labelling."""
        if self.layer == TRAINING:
            return "run.py train"
        if self.is_second_try:
            return "run.py replay --rejected"
        layer = {REMOVAL: SILVER, LABELLING: BRONZE, TESTING: GOLD}.get(self.layer, self.layer)
        return f"run.py --layer {layer}"

    def reached(self, state: ChunkState, **changes: Any) -> Self:
        """The same chunk in another state."""
        return replace(self, state=state, **changes)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The chunk, in the state, that a row of ops/chunks describes."""
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


@dataclass(frozen=True)
class NoChunk:
    """Placeholder for commits that belong to no chunk: those of models, moments, tombstones and erasures.

    Such commits are counted, table by table. `layer` is the layer or command that commits; `number` is what
    the rows have in their column `chunk`.
    """

    layer: str
    number: int = 0


def latest(rows: Iterable[Mapping[str, Any]]) -> dict[int, Chunk]:
    """Every chunk in its last state, by number and in the order of numbers, from the rows of ops/chunks in
    any order."""
    # Entries are counted. Times would not do: the clocks of two writers differ.
    ordered = sorted(rows, key=lambda row: row["entry"])
    last = {row["chunk"]: row for row in ordered}
    return {number: Chunk.of(last[number]) for number in sorted(last)}


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
    """The published chunks of the layer `source` that no chunk of `layer` was made from, oldest first.

    Only chunks with photos count, and only what `layer` made for this model; with a `model_version`, only
    what it made for this version.
    """
    known = list(chunks)
    taken = ChunkRanges(
        (c.source_from, c.source_to or c.source_from)
        for c in known
        if c.layer == layer
        and c.weights_id == weights_id
        and model_version in (None, c.model_version)
        and c.state not in (ChunkState.PLANNED, ChunkState.RETIRED)
        and c.source_from is not None
    )
    return sorted(
        (
            c
            for c in known
            if c.layer == source
            and c.is_published
            and c.photos
            and c.weights_id in (None, weights_id)
            and c.number not in taken
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
) -> Iterator[list[Item]]:
    """Yields the items in their order, cut into batches that stay within both bounds.

    `size` tells how many photos an item is, and how many bytes. An item that is larger than a bound is a
    batch of its own.
    """
    batch: list[Item] = []
    photos = held = 0
    for item in items:
        more_photos, more_bytes = size(item)
        photos, held = photos + more_photos, held + more_bytes
        if batch and (photos > max_photos or held > max_bytes):
            yield batch
            batch = []
            photos, held = more_photos, more_bytes
        batch.append(item)
    if batch:
        yield batch
