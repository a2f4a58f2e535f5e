"""The sums that must agree from landing to gold: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import Chunk, State, published
from lake.extractors import RETIRING, extractors
from lake.lake import Lake, counts, newest


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

    def coverage(self, photos: int) -> float:
        """The share of the lake's photos that the model was tried on, in [0, 1]."""
        return (self.embedded + self.quarantined) / photos if photos else 1.0


@dataclass(frozen=True)
class Sums:
    """Counts over the whole lake."""

    objects: int
    outcomes: Mapping[str, int]
    rejected: Mapping[str, int]
    photos: int
    models: Sequence[ModelSums]
    open_ends: Sequence[str]

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
            name = f"{model.extractor} {model.weights_id[:12]}"
            parts = model.embedded + model.quarantined + model.waiting
            if parts != self.photos:
                wrong.append(
                    f"{name}: {self.photos:,} photos, but embedded, quarantined and waiting are {parts:,}"
                )
            if model.features != model.projectable:
                wrong.append(
                    f"{name}: {model.projectable:,} embeddings went to gold, {model.features:,} features "
                    f"are there"
                )
        return wrong


def sums(lake: Lake) -> Sums:
    """Counts every table once."""
    outcomes = counts(lake.read(catalog.OBJECTS), "outcome")
    chunks = list(lake.ledger.chunks().values())
    models = _models(lake, chunks)
    champions = {model.weights_id: model.champion for model in models}
    return Sums(
        objects=sum(outcomes.values()),
        outcomes=outcomes,
        rejected=counts(lake.read(catalog.REJECTED), "reason"),
        photos=lake.read(catalog.PHOTOS).count(),
        models=models,
        open_ends=[
            *_blocked(chunks),
            *_unprojected(chunks, champions),
            *_half_retired(lake),
            *_half_erased(lake),
        ],
    )


def _blocked(chunks: Sequence[Chunk]) -> list[str]:
    return [
        f"{c.layer} chunk {c.number}: {c.photos:,} photos are blocked by a gate; run.py replay --chunk "
        f"{c.number} --quarantine lets the next ones pass"
        for c in chunks
        if c.state is State.BLOCKED
    ]


def _unprojected(chunks: Sequence[Chunk], champions: Mapping[str, str | None]) -> list[str]:
    """Released gold chunks whose photos no later one of the champion has projected."""
    found = []
    for released in chunks:
        if released.layer == "gold" and released.state is State.RELEASED:
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


def _half_retired(lake: Lake) -> list[str]:
    return [
        f"{row['extractor']} {row['weights_id'][:12]} is half retired: run.py retire "
        f"{row['weights_id'][:12]} goes on"
        for row in extractors(lake).where(F.col("status") == RETIRING).collect()
    ]


def _half_erased(lake: Lake) -> list[str]:
    """Requests for erasure that are not certified yet."""
    if not lake.version(catalog.ERASURES):
        return []
    rows = lake.read(catalog.ERASURES).select("request", "state", "due_at", "entry").collect()
    last = {row["request"]: row for row in sorted(rows, key=lambda row: row["entry"])}
    return [
        f"erasure {request} is not certified: it is {row['state']}"
        + (
            f", and files are due at {row['due_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            if row["due_at"]
            else ", and the same command goes on"
        )
        for request, row in last.items()
        if row["state"] != "certified"
    ]


def _models(lake: Lake, chunks: Sequence[Chunk]) -> list[ModelSums]:
    """One for each model with rows; one that was only converted, or is retired, holds none."""
    rows = (
        lake.read(catalog.MODELS)
        .select("version", "kind", "extractor", "weights_id", "status", "explained_variance")
        .collect()
    )
    embedded = counts(lake.read(catalog.EMBEDDINGS), "weights_id")
    features = counts(lake.read(catalog.FEATURES), "model_version")
    quarantined = (
        lake.read(catalog.QUARANTINE)
        .where(F.col("replayed_at").isNull())
        .groupBy("weights_id", "reason")
        .count()
        .collect()
    )
    champions = {
        r["weights_id"]: r for r in rows if r["kind"] == "pca" and r["status"] == "champion"
    }
    found = []
    for extractor in (r for r in rows if r["kind"] == "extractor"):
        weights_id = extractor["weights_id"]
        layers = ("silver", "gold")
        own = [c for c in chunks if c.weights_id == weights_id and c.layer in layers]
        if all(c.state is State.RETIRED for c in own) or extractor["status"] == RETIRING:
            continue
        champion = champions.get(weights_id)
        version = champion["version"] if champion else None
        reasons = {r["reason"]: r["count"] for r in quarantined if r["weights_id"] == weights_id}
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
                features=features.get(version, 0),
                projectable=_projectable(own, weights_id, version),
                drift=_drift(lake, version) if version else None,
            )
        )
    return found


def _drift(lake: Lake, version: str) -> ChunkDrift | None:
    rows = lake.read(catalog.DRIFT).where(F.col("model_version") == version)
    row = newest(rows, by="measured_at")
    if row is None:
        return None
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
