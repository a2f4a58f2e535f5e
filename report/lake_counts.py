"""Counts the tables of a lake, without Spark, into the sums that must agree from landing to gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

import pyarrow.compute as pc

from bronze import waiting_rejections
from conf.settings import PhotoSettings
from gold import accuracy_since, outdated_labels
from lake import catalog, delta_rs_reader, finite_numbers, lease
from lake.catalog import Table
from lake.chunk_ranges import ChunkRanges
from lake.chunks import Chunk, ChunkState, published
from lake.chunks_table import chunks_in
from lake.enums import BRONZE, GOLD, SILVER, ErasureState, ModelKind, ModelStatus
from lake.model_identity import ModelIdentity
from lake.storage.folder import Folder
from report.label_conflicts import label_conflicts
from report.landing_counts import LandingCounts
from report.reconciliation import ChunkDrift, ModelSums, OpenErasure, Sums
from silver.precision_quality import JUDGED, sentence

__all__ = ["Sums", "sums"]

Row = Mapping[str, Any]


def sums(files: Folder, photos: PhotoSettings | None = None) -> Sums:
    """Count every table of a lake once. Raises BadInput where there is no lake.

    With settings, the rejected objects that may pass by them are an open end.
    """
    root = files.root
    outcomes = _counts(root, catalog.OBJECTS, "outcome")
    chunks = list(chunks_in(root).values())
    extractors, classifiers = _extractors(root), _classifiers(root)
    models = _models(root, extractors, classifiers, chunks)
    champions = {model.weights_id: model.champion for model in models}
    erasures = _erasures(root)
    open_erasures = [each for each in erasures if each.state != ErasureState.CERTIFIED]
    holder = lease.writer(files)
    conflicts = len(label_conflicts(root))
    return Sums(
        objects=sum(outcomes.values()),
        outcomes=outcomes,
        rejected=_counts(root, catalog.REJECTED, "reason"),
        photos=delta_rs_reader.count(root, catalog.PHOTOS),
        models=models,
        erasures=open_erasures,
        certified=len(erasures) - len(open_erasures),
        open_ends=[
            *_blocked_chunks(chunks),
            *(() if holder else _staged_chunks(chunks)),
            *_unprojected_releases(chunks, champions),
            *_waiting_rejections(root, photos),
            *_label_conflicts(conflicts),
            *outdated_labels.sentences(chunks, classifiers),
            *_half_retired_models(extractors),
            *map(str, open_erasures),
        ],
        writer=holder.run_id if holder else None,
        landing=LandingCounts.of(root),
        label_conflicts=conflicts,
    )


def _counts(root: str, table: Table, column: str) -> dict[str, int]:
    """The number of rows for each value of a column, ordered by value."""
    counted = delta_rs_reader.counts(root, table, column)
    return {value: counted[value,] for (value,) in sorted(counted)}


def _extractors(root: str) -> list[dict[str, Any]]:
    return delta_rs_reader.rows(
        root,
        catalog.MODELS,
        columns=[
            "extractor",
            "weights_id",
            "status",
            "model_sha256",
            "precision",
            "pixels",
            "metrics",
        ],
        where=pc.field("kind") == ModelKind.EXTRACTOR,
    )


def _champions(root: str) -> list[dict[str, Any]]:
    """The champion PCA versions: those that readers get."""
    return delta_rs_reader.rows(
        root,
        catalog.MODELS,
        columns=["version", "weights_id", "explained_variance"],
        where=(pc.field("kind") == ModelKind.PCA) & (pc.field("status") == ModelStatus.CHAMPION),
    )


def _classifiers(root: str) -> list[dict[str, Any]]:
    """The versions of classifiers."""
    return delta_rs_reader.rows(
        root,
        catalog.MODELS,
        columns=["version", "weights_id", "kind", "status", "chunk", "metrics"],
        where=pc.field("kind") == ModelKind.CLASSIFIER,
    )


def _erasures(root: str) -> list[OpenErasure]:
    """Every request for erasure in its last state, certified or not."""
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


def _models(
    root: str, extractors: Sequence[Row], classifiers: Sequence[Row], chunks: Sequence[Chunk]
) -> list[ModelSums]:
    """The sums of each extractor model that has rows.

    A model that was only converted, or that is retired or about to be, has none and is left out.
    """
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
    judged = {
        row["weights_id"]: row for row in classifiers if row["status"] == ModelStatus.CHAMPION
    }
    drifts = delta_rs_reader.rows(root, catalog.DRIFT)
    found = []
    for extractor in extractors:
        weights_id = extractor["weights_id"]
        layers = (SILVER, GOLD)
        of_model = [c for c in chunks if c.weights_id == weights_id and c.layer in layers]
        is_retired = all(c.state is ChunkState.RETIRED for c in of_model)
        if is_retired or extractor["status"] == ModelStatus.RETIRING:
            continue
        champion = champions.get(weights_id)
        version, classifier = champion["version"] if champion else None, judged.get(weights_id)
        reasons = {why: n for (of, why), n in sorted(quarantined.items()) if of == weights_id}
        found.append(
            ModelSums(
                extractor=extractor["extractor"],
                weights_id=weights_id,
                **_how(extractor),
                embedded=embedded.get(weights_id, 0),
                quarantined=sum(reasons.values()),
                reasons=reasons,
                waiting=_waiting(chunks, of_model),
                champion=version,
                explained=champion["explained_variance"] if champion else None,
                features=features.get(version, 0) if version else 0,
                projectable=_projectable(of_model, weights_id, version),
                drift=_last_drift([row for row in drifts if row["model_version"] == version]),
                since_training=accuracy_since.read(root, classifier) if classifier else None,
            )
        )
    return found


def _how(extractor: Row) -> dict[str, Any]:
    """How an extractor makes embeddings, beside its file, as fields of ModelSums."""
    identity, metrics = ModelIdentity.of(extractor), dict(extractor["metrics"] or ())
    return {
        "precision": identity.precision.value,
        "pixels": identity.pixels.value,
        "judged": sentence(metrics) if JUDGED in metrics else None,
    }


def _last_drift(rows: Sequence[Row]) -> ChunkDrift | None:
    """The last measured drift among rows of `ops/drift`, or None where there are no rows."""
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
        component=finite_numbers.largest(row["components"]),
    )


def _waiting(chunks: Sequence[Chunk], of_model: Sequence[Chunk]) -> int:
    """The photos of published bronze chunks that no published silver chunk of the model was made from."""
    taken = {c.source_from for c in of_model if c.layer == SILVER and c.is_published}
    return sum(
        c.photos for c in chunks if c.layer == BRONZE and c.is_published and c.number not in taken
    )


def _projectable(of_model: Sequence[Chunk], weights_id: str, champion: str | None) -> int:
    """The number of embeddings in the silver chunks that gold has projected with the champion."""
    projected = _projected(of_model, weights_id, champion)
    silver = published(of_model, layer=SILVER, weights_id=weights_id)
    return sum(c.photos for c in silver if c.number in projected)


def _projected(chunks: Iterable[Chunk], weights_id: str, version: str | None) -> ChunkRanges:
    """The numbers of the silver chunks that published gold chunks of a PCA version were made from."""
    gold = published(chunks, layer=GOLD, weights_id=weights_id)
    return ChunkRanges(c.sources for c in gold if c.model_version == version)


def _blocked_chunks(chunks: Sequence[Chunk]) -> list[str]:
    """A sentence for each chunk that a gate blocks."""
    return [
        f"{c.layer} chunk {c.number}: {c.photos:,} photos are blocked by a gate; run.py replay --chunk "
        f"{c.number} --quarantine lets the next ones pass"
        for c in chunks
        if c.state is ChunkState.BLOCKED
    ]


def _staged_chunks(chunks: Sequence[Chunk]) -> list[str]:
    """A sentence for each chunk that a run which died has left, maybe with rows in some of its tables."""
    return [
        f"{c.layer} chunk {c.number} is staged and not published; {c.command} finishes it, or says what to do"
        for c in chunks
        if c.is_unfinished and c.state is not ChunkState.BLOCKED
    ]


def _unprojected_releases(
    chunks: Sequence[Chunk], champions: Mapping[str, str | None]
) -> list[str]:
    """A sentence for each released gold chunk that has photos without features of the champion.

    `champions` maps the weights_id of each model to its champion. A later chunk of the champion may have
    projected the photos of a released one, which then has no sentence.
    """
    found = []
    for released in chunks:
        if released.layer == GOLD and released.state is ChunkState.RELEASED:
            first, last = released.sources
            projected = _projected(chunks, released.model, champions.get(released.model))
            left = [
                c
                for c in published(chunks, layer=SILVER, weights_id=released.model)
                if first <= c.number <= last and c.number not in projected
            ]
            photos = sum(c.photos for c in left)
            if photos:
                found.append(
                    f"gold chunk {released.number} was released: {photos:,} photos have no features until "
                    f"the next version is fitted"
                )
    return found


def _waiting_rejections(root: str, photos: PhotoSettings | None) -> list[str]:
    """A sentence for the rejected objects that may pass by settings, if there are any."""
    waiting = waiting_rejections.waiting(root, photos) if photos else 0
    return [waiting_rejections.sentence(waiting)] if waiting else []


def _label_conflicts(photos: int) -> list[str]:
    """A sentence for the photos that lie in the landing folder with more than one label, if there are any."""
    if not photos:
        return []
    return [
        f"{photos:,} photos lie in the landing folder with more than one label or split, and keep "
        f"theirs; run.py status --conflicts lists them"
    ]


def _half_retired_models(extractors: Sequence[Row]) -> list[str]:
    """A sentence for each extractor model whose retirement was cut short."""
    return [
        f"{row['extractor']} {row['weights_id'][:12]} is half retired: run.py retire "
        f"{row['weights_id'][:12]} goes on"
        for row in extractors
        if row["status"] == ModelStatus.RETIRING
    ]
