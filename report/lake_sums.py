"""The sums that must agree from landing to gold: nothing is dropped in silence. Without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from lake import catalog, delta_rs_reader, lease
from lake.catalog import Table
from lake.chunks import Chunk, ChunkState, latest, published
from lake.storage.folder import Folder

CERTIFIED = "certified"
"""The last state of a request for erasure."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ChunkDrift:
    """A row of ops/drift: see gold/drift.py. `component` is the largest of the components' measures."""

    chunk: int
    photos: int
    mean_shift: float
    reconstruction: float
    label_mix: float
    brightness: float
    component: float


@dataclass(frozen=True)
class ModelSums:
    """What became of every photo under one extractor model.

    `features` are the champion's; `projectable` counts the embeddings that must have them; `drift` is that
    of the last chunk that the champion projected after its fit.
    """

    extractor: str
    weights_id: str
    embedded: int
    quarantined: int
    reasons: Mapping[str, int]
    waiting: int
    champion: str | None
    explained: float | None
    features: int
    projectable: int
    drift: ChunkDrift | None

    @property
    def name(self) -> str:
        """The extractor, and enough of the model's hash to tell it from others."""
        return f"{self.extractor} {self.weights_id[:12]}"

    def coverage(self, photos: int) -> float:
        """The share of the lake's photos that the model was tried on, in [0, 1]."""
        return (self.embedded + self.quarantined) / photos if photos else 1.0


@dataclass(frozen=True)
class OpenErasure:
    """A request for erasure in its last state; `due_at` says when old files may go, in UTC."""

    request: str
    state: str
    mode: str
    due_at: datetime | None

    def __str__(self) -> str:
        then = (
            f"files are due at {self.due_at:%Y-%m-%d %H:%M} UTC"
            if self.due_at
            else "the same command goes on"
        )
        return f"erasure {self.request} is not certified: it is {self.state}, and {then}"


@dataclass(frozen=True)
class Sums:
    """Counts over the whole lake. `certified` counts requests for erasure; `writer` is the run that writes
    meanwhile, as the lease tells."""

    objects: int
    outcomes: Mapping[str, int]
    rejected: Mapping[str, int]
    photos: int
    models: Sequence[ModelSums]
    erasures: Sequence[OpenErasure]
    certified: int
    open_ends: Sequence[str]
    writer: str | None

    def disagreements(self) -> list[str]:
        """A sentence for each sum that doesn't come out."""
        pairs = [
            ("bronze/objects: stored, and rows in bronze/photos", "stored", self.photos),
            (
                "bronze/objects: rejected, and rows in bronze/rejected",
                "rejected",
                sum(self.rejected.values()),
            ),
        ]
        wrong = [
            f"{what}: {self.outcomes.get(outcome, 0):,} and {rows:,}"
            for what, outcome, rows in pairs
            if self.outcomes.get(outcome, 0) != rows
        ]
        for model in self.models:
            parts = model.embedded + model.quarantined + model.waiting
            if parts != self.photos:
                wrong.append(
                    f"{model.name}: {self.photos:,} photos, but embedded, quarantined and waiting are "
                    f"{parts:,}"
                )
            if model.features != model.projectable:
                wrong.append(
                    f"{model.name}: {model.projectable:,} embeddings went to gold, {model.features:,} "
                    f"features are there"
                )
        return wrong

    def facts(self) -> dict[str, Any]:
        """As JSON has it: every count, what doesn't come out, and each model's coverage."""
        models = [
            asdict(model) | {"coverage": model.coverage(self.photos)} for model in self.models
        ]
        return asdict(self) | {"models": models, "disagreements": self.disagreements()}


def sums(files: Folder) -> Sums:
    """Counts every table once. Raises BadInput where there is no lake."""
    root = files.root
    outcomes = _counts(root, catalog.OBJECTS, "outcome")
    chunks = list(latest(delta_rs_reader.rows(root, catalog.CHUNKS)).values())
    extractors = _extractors(root)
    models = _models(root, extractors, chunks)
    champions = {model.weights_id: model.champion for model in models}
    erasures = _erasures(root)
    open_erasures = [each for each in erasures if each.state != CERTIFIED]
    return Sums(
        objects=sum(outcomes.values()),
        outcomes=outcomes,
        rejected=_counts(root, catalog.REJECTED, "reason"),
        photos=delta_rs_reader.count(root, catalog.PHOTOS),
        models=models,
        erasures=open_erasures,
        certified=len(erasures) - len(open_erasures),
        open_ends=[
            *_blocked(chunks),
            *_unprojected(chunks, champions),
            *_half_retired(extractors),
            *map(str, open_erasures),
        ],
        writer=holder.run_id if (holder := lease.writer(files)) else None,
    )


def _counts(root: str, table: Table, column: str) -> dict[str, int]:
    """Rows by the value of a column, in the values' order."""
    counted = delta_rs_reader.counts(root, table, column)
    return {value: counted[value,] for (value,) in sorted(counted)}


def _blocked(chunks: Sequence[Chunk]) -> list[str]:
    return [
        f"{c.layer} chunk {c.number}: {c.photos:,} photos are blocked by a gate; run.py replay --chunk "
        f"{c.number} --quarantine lets the next ones pass"
        for c in chunks
        if c.state is ChunkState.BLOCKED
    ]


def _unprojected(chunks: Sequence[Chunk], champions: Mapping[str, str | None]) -> list[str]:
    """Released gold chunks whose photos no later one of the champion has projected."""
    found = []
    for released in chunks:
        if released.layer == "gold" and released.state is ChunkState.RELEASED:
            first, last = released.sources
            champion = champions.get(released.model)
            left = [
                c
                for c in published(chunks, layer="silver", weights_id=released.model)
                if first <= c.number <= last and not _is_projected(c, chunks, champion)
            ]
            photos = sum(c.photos for c in left)
            if photos:
                found.append(
                    f"gold chunk {released.number} was released: {photos:,} photos have no features until "
                    f"the next version is fitted"
                )
    return found


def _half_retired(extractors: Sequence[Row]) -> list[str]:
    return [
        f"{row['extractor']} {row['weights_id'][:12]} is half retired: run.py retire "
        f"{row['weights_id'][:12]} goes on"
        for row in extractors
        if row["status"] == RETIRING
    ]


def _erasures(root: str) -> list[OpenErasure]:
    """Each request in its last state."""
    columns = ["request", "state", "mode", "due_at", "entry"]
    rows = delta_rs_reader.rows(root, catalog.ERASURES, columns=columns)
    last = {row["request"]: row for row in sorted(rows, key=lambda row: row["entry"])}
    return [
        OpenErasure(
            row["request"],
            row["state"],
            row["mode"],
            row["due_at"] and row["due_at"].astimezone(UTC),
        )
        for row in last.values()
    ]


def _extractors(root: str) -> list[dict[str, Any]]:
    return delta_rs_reader.rows(
        root,
        catalog.MODELS,
        columns=["extractor", "weights_id", "status"],
        where=pc.field("kind") == "extractor",
    )


def _models(root: str, extractors: Sequence[Row], chunks: Sequence[Chunk]) -> list[ModelSums]:
    """One for each model with rows; one that was only converted, or is retired, holds none."""
    embedded = _counts(root, catalog.EMBEDDINGS, "weights_id")
    features = _counts(root, catalog.FEATURES, "model_version")
    quarantined = delta_rs_reader.counts(
        root,
        catalog.QUARANTINE,
        "weights_id",
        "reason",
        where=pc.field("replayed_at").is_null(),
    )
    champions = {row["weights_id"]: row for row in _champions(root)}
    drifts = delta_rs_reader.rows(root, catalog.DRIFT)
    found = []
    for extractor in extractors:
        weights_id = extractor["weights_id"]
        layers = ("silver", "gold")
        own = [c for c in chunks if c.weights_id == weights_id and c.layer in layers]
        if all(c.state is ChunkState.RETIRED for c in own) or extractor["status"] == RETIRING:
            continue
        champion = champions.get(weights_id)
        version = champion["version"] if champion else None
        reasons = {why: n for (of, why), n in sorted(quarantined.items()) if of == weights_id}
        found.append(
            ModelSums(
                extractor=extractor["extractor"],
                weights_id=weights_id,
                embedded=embedded.get(weights_id, 0),
                quarantined=sum(reasons.values()),
                reasons=reasons,
                waiting=_waiting(chunks, own),
                champion=version,
                explained=champion["explained_variance"] if champion else None,
                features=features.get(version, 0) if version else 0,
                projectable=_projectable(own, weights_id, version),
                drift=_last_drift([row for row in drifts if row["model_version"] == version]),
            )
        )
    return found


def _champions(root: str) -> list[dict[str, Any]]:
    """The PCA versions that readers get."""
    return delta_rs_reader.rows(
        root,
        catalog.MODELS,
        columns=["version", "weights_id", "explained_variance"],
        where=(pc.field("kind") == "pca") & (pc.field("status") == "champion"),
    )


def _last_drift(rows: Sequence[Row]) -> ChunkDrift | None:
    if not rows:
        return None
    row = max(rows, key=lambda row: row["measured_at"])
    return ChunkDrift(
        chunk=row["chunk"],
        photos=row["photos"],
        mean_shift=row["mean_shift"],
        reconstruction=row["reconstruction"],
        label_mix=row["label_mix"],
        brightness=row["brightness"],
        component=max(row["components"], default=0.0),
    )


def _waiting(chunks: Sequence[Chunk], own: Sequence[Chunk]) -> int:
    """Photos of bronze chunks that no published silver chunk of the model was made from."""
    done = {c.source_from for c in own if c.layer == "silver" and c.is_published}
    return sum(
        c.photos for c in chunks if c.layer == "bronze" and c.is_published and c.number not in done
    )


def _projectable(own: Sequence[Chunk], weights_id: str, champion: str | None) -> int:
    """Embeddings of the silver chunks that gold has projected with the champion."""
    silver = published(own, layer="silver", weights_id=weights_id)
    return sum(c.photos for c in silver if _is_projected(c, own, champion))


def _is_projected(silver: Chunk, chunks: Sequence[Chunk], version: str | None) -> bool:
    """Whether a gold chunk of that PCA version that readers see was made from it."""
    gold = (c for c in chunks if c.layer == "gold" and c.model_version == version)
    own = (c for c in gold if c.weights_id == silver.weights_id and c.is_published)
    return any(c.sources[0] <= silver.number <= c.sources[1] for c in own)
