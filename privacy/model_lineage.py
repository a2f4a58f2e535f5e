"""Which model versions were fitted on somebody's photos, or may have been, by lineage that outlives the rows.

Rows of silver say it while they are there. After `retire`, a restore or a retention they are gone, or stand
under other chunks. What stays is ops/chunks, which keeps the last state of each chunk: the chunks of bronze
that each chunk of silver was made from, chunks that were withdrawn, and removals. Where these don't exclude
that a version saw a photo, it counts as one that may have seen it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from lake import catalog
from lake.chunks import Chunk, ChunkState
from lake.enums import (
    FITTED_PREFIX,
    POSSIBLY_FITTED_PREFIX,
    REMOVAL,
    RESTORE,
    RETAIN,
    SILVER,
    ModelKind,
)
from lake.readable_lake import Lake

MODEL_COLUMNS = ("version", "weights_id", "through_chunk", "created_at", "chunk")
"""The columns of gold/models that `ModelLineage` needs."""


@dataclass(frozen=True)
class PhotoLineage:
    """What the tables say of one photo.

    It came with bronze's chunk `arrived_in` at the time `ingested_at` or later; both are None where
    bronze/photos has lost it. `embedded_in` are the silver chunks of its embeddings, and `refused_in` those
    that refused it, each after the weights_id of its model.
    """

    arrived_in: int | None = None
    ingested_at: datetime | None = None
    embedded_in: frozenset[tuple[str, int]] = frozenset()
    refused_in: frozenset[tuple[str, int]] = frozenset()

    def embedding_of(self, weights_id: str) -> int | None:
        """Return the silver chunk of the photo's embedding by a model; None where silver has none."""
        return min(
            (chunk for model, chunk in self.embedded_in if model == weights_id), default=None
        )


def fitted_on(lake: Lake, photos: Sequence[PhotoLineage]) -> dict[str, int]:
    """Return on how many of somebody's photos each version of gold/models was or may have been fitted, by its
    name behind a prefix, as `ModelLineage.fitted_on`."""
    is_fitted = pc.field("kind") != ModelKind.EXTRACTOR.value
    models = lake.records(catalog.MODELS, columns=MODEL_COLUMNS, where=is_fitted)
    return ModelLineage(lake.ledger.chunks().values()).fitted_on(models, photos)


class ModelLineage:
    """The lineage of all model versions, by the chunks of a lake in their last states."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._removals: list[Chunk] = []
        self._last_command = 0
        self._silver: dict[str | None, list[Chunk]] = {}
        self._takers: dict[tuple[str, PhotoLineage], list[Chunk]] = {}
        for chunk in chunks:
            if chunk.layer in (RESTORE, RETAIN):
                # What a command removes under a number of its own never comes further than planned.
                self._last_command = max(self._last_command, chunk.number)
            elif chunk.state is ChunkState.PLANNED:
                continue
            elif chunk.layer == SILVER:
                self._silver.setdefault(chunk.weights_id, []).append(chunk)
            elif chunk.layer == REMOVAL and chunk.photos:
                self._removals.append(chunk)

    def fitted_on(
        self, models: Iterable[Mapping[str, Any]], photos: Sequence[PhotoLineage]
    ) -> dict[str, int]:
        """Return on how many of somebody's photos each version was fitted, of those that were or may have
        been.

        `models` are rows of gold/models with `MODEL_COLUMNS`, of PCAs and classifiers. A name begins with
        `FITTED_PREFIX` where a row says that the version saw a photo, and with `POSSIBLY_FITTED_PREFIX` where
        that can't be excluded. The latter holds of every version that is older than a loss of photos, as
        nobody can tell whose they were; then the number is that of all photos, and 1 at least.
        """
        found = {}
        alike = Counter(photos)
        for row in models:
            answers: Counter[bool | None] = Counter()
            for photo, count in alike.items():
                answers[self.is_fitted_on(row, photo)] += count
            if certain := answers[True]:
                found[f"{FITTED_PREFIX}{row['version']}"] = certain
            elif self._lost_photos_since(row):
                found[f"{POSSIBLY_FITTED_PREFIX}{row['version']}"] = max(1, len(photos))
            elif possible := answers[None]:
                found[f"{POSSIBLY_FITTED_PREFIX}{row['version']}"] = possible
        return found

    def is_fitted_on(self, version: Mapping[str, Any], photo: PhotoLineage) -> bool | None:
        """Return whether a version was fitted on a photo; None where nobody can tell.

        `version` is a row of gold/models with `MODEL_COLUMNS`. It saw no chunk of silver after its
        `through_chunk`. One that lacks this number saw no photo that came after it was made.
        """
        weights_id, through = version["weights_id"], version["through_chunk"]
        if through is None:
            return _came_before(photo, version["created_at"])
        embedded_in = photo.embedding_of(weights_id)
        if embedded_in is not None and embedded_in <= through:
            return True
        if photo.arrived_in is not None and photo.arrived_in > through:
            return False
        takers = self._takers_of(weights_id, photo)
        earlier = [chunk for chunk in takers if chunk.number <= through]
        if any(_may_have_published(chunk, photo) for chunk in earlier):
            return None
        is_told = embedded_in is not None or any(not chunk.is_replay for chunk in takers)
        return False if is_told else None

    def _lost_photos_since(self, version: Mapping[str, Any]) -> bool:
        """Return whether photos that a version saw may have left bronze since, but by an erasure.

        Such photos may have been anybody's, and come again under another chunk. The version's own chunk is
        that of its publication, which is later than what it was fitted on.
        """
        made = max(version["chunk"] or 0, version["through_chunk"] or 0)
        has_lost_rows = any(
            chunk.weights_id == version["weights_id"] and chunk.number > made
            for chunk in self._removals
        )
        return has_lost_rows and self._last_command > made

    def _takers_of(self, weights_id: str, photo: PhotoLineage) -> list[Chunk]:
        """Return the silver chunks of a model that can hold a photo. They are looked for once."""
        key = weights_id, photo
        if key not in self._takers:
            chunks = self._silver.get(weights_id, [])
            self._takers[key] = [chunk for chunk in chunks if _can_hold(chunk, photo)]
        return self._takers[key]


def _came_before(photo: PhotoLineage, created_at: datetime | None) -> bool | None:
    """Return False where a photo came after a time, and None where it came before it, or nobody can tell."""
    if photo.ingested_at is None or created_at is None:
        return None
    return None if photo.ingested_at <= created_at else False


def _can_hold(chunk: Chunk, photo: PhotoLineage) -> bool:
    """Return whether a photo may have been in a silver chunk, by the chunks of bronze that it was made from.

    A chunk of replayed photos may hold any that came before it.
    """
    if photo.arrived_in is None:
        return True
    if chunk.is_replay:
        return photo.arrived_in < chunk.number
    first, last = chunk.sources
    return first <= photo.arrived_in <= last


def _may_have_published(chunk: Chunk, photo: PhotoLineage) -> bool:
    """Return whether a silver chunk that can hold a photo may have had an embedding of it.

    Its refusals go with a chunk that is withdrawn. Of one that is there they tell which photos it refused.
    """
    if chunk.state is ChunkState.RETIRED:
        return True
    if chunk.is_unfinished or chunk.is_replay or photo.arrived_in is None:
        return False
    return (chunk.model, chunk.number) not in photo.refused_in
