"""Training: classifiers of kinds of fruit are fitted on embeddings and on features, and tested on held-out
photos.

Each algorithm of `gold.classifiers` is fitted on both inputs. It is tested by cross-validation, which keeps
near duplicates in the same fold. The classifier with the best macro F1 becomes the champion, which `predict`
uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.compute as pc
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import (
    model_versions,
    tested_fits,
    timewise_validation,
    untested_labels,
)
from gold.classifiers import Vectors
from gold.cross_validation import Evaluation
from gold.model_versions import ClassifierVersion, Rows
from gold.testing_chunks import HELD_OUT, LaterTestChunks
from gold.training_examples import Examples
from gold.unchanged_training import lineage_settings
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkPlan, published
from lake.context import Context
from lake.enums import SILVER, TRAINING, ModelKind, ModelStatus
from lake.publication import ChunkLayer, Contents, Publication, TableCommit
from lake.small_tables import arrow_rows
from lake.writable_lake import WritableLake

MODELS = "models"
"""The staged part of a training with the rows of the new versions. `HELD_OUT` has their predictions of
held-out photos."""


class TrainingChunks(ChunkLayer):
    """The chunks of trainings. The predictions of held-out photos are committed first, and then the rows that
    publish the classifiers."""

    name = TRAINING
    tables = (catalog.HELD_OUT,)

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """Return the names of both parts."""
        return [MODELS, HELD_OUT]

    def published_photos(self, chunk: Chunk) -> int | None:
        """Return the photos of a training whose classifiers gold/models has: their rows are the last
        commit."""
        of_chunk = pc.field("chunk") == chunk.number
        made = self._lake.records(catalog.MODELS, columns=["version"], where=of_chunk)
        return chunk.photos if made else None

    def contents(self, chunk: Chunk) -> Contents:
        """Return the commits of a staged training."""
        lake = self._lake
        held_out = lake.staging.read(chunk, HELD_OUT)

        def publish_versions() -> int:
            rows = model_versions.with_champion(
                lake.records(catalog.MODELS),
                lake.staging.rows(chunk, MODELS),
                ends=(ModelStatus.CHAMPION, ModelStatus.CANDIDATE),
            )
            return lake.put(catalog.MODELS, rows, keys=["version"], chunk=chunk)

        return Contents(
            [
                lake.append_commit(catalog.HELD_OUT, held_out, chunk=chunk),
                TableCommit(catalog.MODELS, publish_versions),
            ],
            photos=chunk.photos,
            counts={"in": chunk.photos, "kept": chunk.photos},
        )


def train(context: Context, weights_id: str, *, reason: str) -> None:
    """Fit, test and publish a version of each algorithm on both inputs.

    Where an earlier run was interrupted after its training, its versions are published instead. Raises
    BadInput where there is no PCA version yet, or where there are too few photos or kinds for a test. Raises
    Blocked.
    """
    lake, settings, did = context.lake, context.settings, context.did
    if weights_id in finish(context):
        did.notes.append(
            "the classifiers that an earlier run had trained are published; run again to train new ones."
        )
        return
    known = lake.records(catalog.MODELS)
    champion = model_versions.champion(known, weights_id=weights_id)
    if champion is None:
        raise BadInput(
            "This model has no PCA version yet, and classifiers are trained on its features: run "
            "python run.py --layer all first."
        )
    chunks = published(lake.ledger.chunks().values(), layer=SILVER, weights_id=weights_id)
    through = chunks[-1].number
    rows = lake.read(catalog.EMBEDDINGS, chunks=(0, through))
    examples = Examples.of(
        rows.where(F.col("weights_id") == weights_id),
        lake.read(catalog.PHOTOS),
        at_most=settings.training.max_photos,
    )
    lineage: dict[str, Any] = {
        "weights_id": weights_id,
        "through_chunk": through,
        "embeddings_version": lake.version(catalog.EMBEDDINGS),
        "photos": len(examples.labels),
        "reason": reason,
        "supersedes": _champion_name(known, weights_id),
        "settings": lineage_settings(settings.training),
    }
    inputs = tested_fits.inputs(examples, champion)
    names = model_versions.next_versions(known, weights_id=weights_id, kind=ModelKind.CLASSIFIER)
    versions = [
        (ClassifierVersion(version=next(names), **lineage, **facts), tested)
        for facts, tested in tested_fits.fitted(context, examples, inputs)
    ]
    versions = _best_tested_on_later_days(context, versions, inputs, examples)
    did.notes += examples.grouping.notes()
    did.notes += untested_labels.notes(examples, versions[0][1].untested)
    plan = ChunkPlan(layer=TRAINING, weights_id=weights_id, photos=len(examples.labels))
    Publication(lake, TrainingChunks(lake), did).run(
        plan, lambda chunk: _stage(context, chunk, versions, examples)
    )


def finish(context: Context) -> frozenset[str]:
    """Publishes what earlier runs had trained and staged, of any model; returns the models' `weights_id`s.

    Tests of champions that are staged come into the same table, so they are published too.
    """
    lake, did = context.lake, context.did
    models = frozenset(each.model for each in lake.ledger.unfinished() if each.layer == TRAINING)
    for layer in (TrainingChunks(lake), LaterTestChunks(lake)):
        Publication(lake, layer, did).finish_half_published()
    return models


def _champion_name(known: Rows, weights_id: str) -> str | None:
    """Return the name of a model's champion among classifiers; None where there is none."""
    row = model_versions.champion_row(known, weights_id=weights_id, kind=ModelKind.CLASSIFIER)
    return row["version"] if row else None


def _best_tested_on_later_days(
    context: Context,
    versions: Sequence[tuple[ClassifierVersion, Evaluation]],
    inputs: Mapping[str, Vectors],
    examples: Examples,
) -> list[tuple[ClassifierVersion, Evaluation]]:
    """Return the versions, the best of them with the metrics of its time-wise validation, too.

    The others have none, because each costs one more fit.
    """
    best = best_of([version for version, _ in versions])
    status = context.console.status(f"{best.algorithm} on later days")
    with status, tested_fits.convergence_noted(context.did, best.algorithm):
        vectors = inputs[best.input]
        more = timewise_validation.metrics(vectors, examples, algorithm=best.algorithm)
    told = replace(best, metrics={**best.metrics, **more})
    return [(told if version is best else version, test) for version, test in versions]


def _stage(
    context: Context,
    chunk: Chunk,
    tested: Sequence[tuple[ClassifierVersion, Evaluation]],
    examples: Examples,
) -> None:
    """Stage the versions and their predictions of held-out photos, and judge them. Raises Blocked."""
    lake = context.lake
    versions = [version for version, _ in tested]
    best = best_of(versions)
    promote = context.settings.refit.promote or best.supersedes is None
    champion = best if promote else None
    rows = [
        version.row(status=ModelStatus.CHAMPION if version is champion else ModelStatus.CANDIDATE)
        for version in versions
    ]
    lake.staging.write_rows(chunk, MODELS, arrow_rows(catalog.MODELS, rows))
    held_out = [row for version, test in tested for row in _held_out(version, test, examples)]
    lake.staging.write_rows(chunk, HELD_OUT, arrow_rows(catalog.HELD_OUT, held_out))
    fault_points.at("training: staged")
    staged = lake.staging.source(chunk, MODELS)
    context.gate(staged, chunk=chunk, table=catalog.MODELS, expected=len(tested))


def best_of(versions: Sequence[ClassifierVersion]) -> ClassifierVersion:
    """Return the version with the highest macro F1 of some, never one whose F1 is no number."""
    return max(versions, key=lambda version: np.nan_to_num(version.metrics["macro_f1"], nan=-1.0))


def _held_out(
    version: ClassifierVersion, tested: Evaluation, examples: Examples
) -> Iterator[dict[str, Any]]:
    """Yield the rows of gold/held_out of one version."""
    for place, photo in enumerate(tested.photos.tolist()):
        yield {
            "photo_id": examples.photo_ids[photo],
            "subject": examples.subjects[photo],
            "label": examples.labels[photo],
            "scene": int(examples.scenes[photo]),
            "fold": int(tested.fold[place]),
            "predicted": tested.labels[tested.predicted[place]],
            "confidence": float(tested.confidence[place]),
            "model_version": version.version,
        }
