"""Training: classifiers of the kinds of fruit on embeddings and on features, judged on photos held out.

Each kind of `gold.classifiers` is fitted on both, and tested by cross-validation with near duplicates on one
side. The one with the best macro F1 becomes the champion, which `predict` takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from conf.errors import BadInput
from conf.settings import Settings, TrainingSettings
from gold import model_versions, near_duplicates
from gold.classifiers import KINDS, Vectors, fit
from gold.cross_validation import Evaluation, evaluate, nearest_neighbours
from gold.model_versions import EMBEDDINGS, ClassifierVersion, PcaVersion
from gold.moments import matrix
from gold.near_duplicates import Indices
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkState, published, unfinished
from lake.gate_protocol import Gate
from lake.lake import Lake
from lake.run_journal import LayerRun

LAYER = "training"


@dataclass(frozen=True)
class Examples:
    """Of n labelled photos, by `photo_id`: `embeddings` float32[n, d], and the `scenes` int64[n] of near
    duplicates that a split must not part."""

    photo_ids: Sequence[str]
    subjects: Sequence[str | None]
    labels: Sequence[str]
    scenes: Indices
    embeddings: NDArray[np.float32]

    @classmethod
    def of(cls, embeddings: DataFrame, *, at_most: int) -> Self:
        """Of rows of silver/embeddings; of more than `at_most`, the same ones each time, chosen by a hash of
        their photo_id."""
        labelled = embeddings.where(F.col("label").isNotNull())
        chosen = labelled.orderBy(F.xxhash64("photo_id"), "photo_id").limit(at_most)
        table = chosen.select("photo_id", "subject", "label", "dhash", "embedding").toArrow()
        table = table.sort_by("photo_id").combine_chunks()
        subjects, labels = table["subject"].to_pylist(), table["label"].to_pylist()
        hashes = table["dhash"].to_numpy()
        scenes = near_duplicates.groups(hashes, subjects=subjects, labels=labels)
        vectors = matrix(table["embedding"].combine_chunks())
        return cls(table["photo_id"].to_pylist(), subjects, labels, scenes, vectors)


def train(
    lake: Lake,
    weights_id: str,
    settings: Settings,
    *,
    gate: Gate,
    console: Console,
    did: LayerRun,
    reason: str,
) -> None:
    """Fits, tests and publishes a version of each kind of classifier on both inputs; or, where an earlier
    run was cut short after that, publishes what it had made.

    Raises BadInput (no PCA version yet, too few photos or kinds to test anything), Blocked.
    """
    if finish(lake, weights_id, did=did):
        did.notes.append("what an earlier run had trained is published; run again to train anew.")
        return
    known = lake.read(catalog.MODELS)
    champion = model_versions.champion(known, weights_id=weights_id)
    if champion is None:
        raise BadInput(
            "This model has no PCA version yet, on whose features a classifier could be trained: run "
            "python run.py --layer all first."
        )
    chunks = published(lake.ledger.chunks().values(), layer="silver", weights_id=weights_id)
    rows = lake.read(catalog.EMBEDDINGS, chunks=(0, chunks[-1].number))
    examples = Examples.of(
        rows.where(F.col("weights_id") == weights_id), at_most=settings.training.max_photos
    )
    version = partial(
        ClassifierVersion,
        weights_id=weights_id,
        through_chunk=chunks[-1].number,
        embeddings_version=lake.version(catalog.EMBEDDINGS),
        photos=len(examples.labels),
        reason=reason,
        supersedes=_champion_name(known, weights_id),
        settings=settings.training.model_dump() | {"near_bits": near_duplicates.DISTANCE},
    )
    names = model_versions.next_versions(
        known, weights_id=weights_id, kind=model_versions.CLASSIFIER
    )
    fitted = _fitted(examples, champion, settings.training, console=console, did=did)
    made = [(version(version=next(names), **facts), tested) for facts, tested in fitted]
    [chunk] = lake.ledger.plan(
        [Chunk(0, LAYER, ChunkState.PLANNED, weights_id=weights_id, photos=len(examples.labels))]
    )
    promote = settings.refit.promote or made[0][0].supersedes is None
    _stage(lake, chunk, made, examples, promote=promote)
    staged = lake.staging.read(chunk, "models")
    gate(staged, chunk=chunk, table=catalog.MODELS, expected=len(made))
    _publish(lake, lake.ledger.reached(chunk, ChunkState.STAGED), did=did)


def finish(lake: Lake, weights_id: str, *, did: LayerRun) -> bool:
    """Publishes what an earlier run had trained and staged; whether there was any."""
    left = unfinished(lake.ledger.chunks().values(), layer=LAYER, weights_id=weights_id)
    for chunk in left:
        _publish(lake, lake.ledger.renumbered(chunk, catalog.HELD_OUT), did=did)
    return bool(left)


def _champion_name(known: DataFrame, weights_id: str) -> str | None:
    held = model_versions.versions(known, weights_id=weights_id, kind=model_versions.CLASSIFIER)
    row = held.where(F.col("status") == model_versions.CHAMPION).first()
    return row["version"] if row else None


def _fitted(
    examples: Examples,
    pca: PcaVersion,
    training: TrainingSettings,
    *,
    console: Console,
    did: LayerRun,
) -> Iterator[tuple[dict[str, Any], Evaluation]]:
    """What a version is of each kind on each input, and how it did. Raises BadInput (too little to test)."""
    for name, vectors in _inputs(examples, pca).items():
        known = (vectors, examples.labels, examples.scenes)
        try:
            neighbours = nearest_neighbours(*known, folds=training.folds)
        except ValueError as error:
            raise BadInput(
                f"{len(examples.labels):,} photos with a label are too few to train on ({error}): ingest "
                f"more of them."
            ) from None
        for algorithm in KINDS:
            with console.status(f"{algorithm} on {name}"), _told_unless_converged(did, algorithm):
                tested = evaluate(*known, kind=algorithm, folds=training.folds)
                classifier = fit(
                    vectors, examples.labels, kind=algorithm, temperature=tested.temperature
                )
            facts = {
                "algorithm": algorithm,
                "input": name,
                "classifier": classifier,
                "labels": tested.labels,
                "confusion": tested.confusion,
                "metrics": {
                    "accuracy": tested.accuracy,
                    "macro_f1": tested.macro_f1,
                    "baseline": tested.baseline,
                    "nearest_neighbours": neighbours,
                    "tested": tested.tested,
                    "untested_labels": len(tested.untested),
                },
            }
            yield facts, tested


def _inputs(examples: Examples, pca: PcaVersion) -> Mapping[str, Vectors]:
    """What classifiers are fitted on, by name: embeddings, and their features of a PCA version."""
    if not len(examples.labels):
        return {EMBEDDINGS: examples.embeddings}
    return {
        EMBEDDINGS: examples.embeddings,
        pca.version: pca.pca.project(examples.embeddings),
    }


@contextmanager
def _told_unless_converged(did: LayerRun, algorithm: str) -> Iterator[None]:
    """scikit-learn's warning that a fit stopped early, once, as a note of the run."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield
    for other in (w for w in caught if not issubclass(w.category, ConvergenceWarning)):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        did.notes.append(f"{algorithm} stopped before it converged: a longer fit may do better.")


def _stage(
    lake: Lake,
    chunk: Chunk,
    made: Sequence[tuple[ClassifierVersion, Evaluation]],
    examples: Examples,
    *,
    promote: bool,
) -> None:
    """The versions, and what each said of the photos held out, into staging."""
    best = max(made, key=lambda each: each[0].metrics["macro_f1"])[0]
    rows = [
        version.row(
            status=model_versions.CHAMPION
            if promote and version is best
            else model_versions.CANDIDATE
        )
        for version, _ in made
    ]
    lake.staging.write(chunk, "models", lake.rows(catalog.MODELS, rows))
    held_out = [row for version, tested in made for row in _held_out(version, tested, examples)]
    lake.staging.write(chunk, "held_out", lake.rows(catalog.HELD_OUT, held_out))
    fault_points.at("training: staged")


def _held_out(
    version: ClassifierVersion, tested: Evaluation, examples: Examples
) -> Iterator[dict[str, Any]]:
    """The rows of gold/held_out of one version."""
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


def _publish(lake: Lake, chunk: Chunk, *, did: LayerRun) -> None:
    """Staged versions to readers. Their rows of gold/models come last: they publish what was held out."""
    held_out = lake.staging.read(chunk, "held_out")
    versions = {catalog.HELD_OUT.name: lake.append(catalog.HELD_OUT, held_out, chunk=chunk)}
    fault_points.at("training: held out appended")
    staged = lake.staging.read(chunk, "models")
    rows = model_versions.with_champion(
        lake.read(catalog.MODELS), staged, ends=(model_versions.CHAMPION, model_versions.CANDIDATE)
    )
    versions[catalog.MODELS.name] = lake.upsert(catalog.MODELS, rows, keys=["version"], chunk=chunk)
    fault_points.at("training: versions promoted")
    lake.ledger.reached(chunk, ChunkState.PUBLISHED, versions=versions)
    lake.staging.remove(chunk)
    did.add({"in": chunk.photos, "kept": chunk.photos})
