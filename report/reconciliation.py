"""The sums of a lake, from landing to gold, and the checks that they agree: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gold.accuracy_since import AccuracySince
from lake.enums import Outcome
from report.landing_counts import LandingCounts


@dataclass(frozen=True)
class ChunkDrift:
    """The drift of one chunk: a row of `ops/drift`, whose measures gold/drift.py explains.

    `component` is the largest of the measures of the components.
    """

    chunk: int
    photos: int
    mean_shift: float
    reconstruction: float
    label_mix: float
    brightness: float
    component: float


@dataclass(frozen=True)
class ModelSums:
    """What became of the photos of a lake under one extractor model; every count is of photos.

    `precision` is the model's arithmetic, `pixels` the way of the pixels (lake/model_identity.py), and
    `judged` what the precision loses, in words (silver/precision_quality.py); None where it was not judged.
    `reasons` counts the quarantined photos by reason, and `waiting` those that silver has not taken yet.
    `champion` is the PCA version that readers get, and `explained` its share of the variance, in [0, 1].
    `projectable` counts the embeddings that must have features of the champion, and `features` those that
    have them. `drift` is that of the last chunk that the champion projected after its fit. `since_training`
    is how the champion classifier does on photos that got their label later; None where there is none.
    """

    extractor: str
    weights_id: str
    precision: str
    pixels: str
    judged: str | None
    embedded: int
    quarantined: int
    reasons: Mapping[str, int]
    waiting: int
    champion: str | None
    explained: float | None
    features: int
    projectable: int
    drift: ChunkDrift | None
    since_training: AccuracySince | None = None

    @property
    def name(self) -> str:
        """The extractor, and the first 12 digits of the model's hash, which tell it from other models."""
        return f"{self.extractor} {self.weights_id[:12]}"

    def coverage(self, photos: int) -> float:
        """Return the share of the lake's `photos` that silver has tried with the model, in [0, 1]."""
        return (self.embedded + self.quarantined) / photos if photos else 1.0

    def disagreements(self, photos: int) -> list[str]:
        """Return a sentence for each sum of the model that is wrong in a lake of so many `photos`."""
        wrong = []
        parts = self.embedded + self.quarantined + self.waiting
        if parts != photos:
            wrong.append(
                f"{self.name}: {photos:,} photos, but embedded, quarantined and waiting are {parts:,}"
            )
        if self.features != self.projectable:
            wrong.append(
                f"{self.name}: {self.projectable:,} embeddings went to gold, {self.features:,} features "
                f"are there"
            )
        return wrong


@dataclass(frozen=True)
class OpenErasure:
    """A request for erasure that is not certified yet, in its last state.

    `due_at` is the time in UTC from which old files may be removed, or None where that is not known yet.
    """

    request: str
    state: str
    mode: str
    due_at: datetime | None

    def __str__(self) -> str:
        then = (
            f"files are due at {self.due_at:%Y-%m-%d %H:%M} UTC"
            if self.due_at
            else "the same command continues it"
        )
        return f"erasure {self.request} is not certified: it is {self.state}, and {then}"


@dataclass(frozen=True)
class Sums:
    """Counts over all tables of a lake.

    `objects` counts the object versions that bronze has seen, and `outcomes` the same by outcome; `rejected`
    counts rows of bronze/rejected by reason. `certified` counts requests for erasure that are complete;
    `erasures` has the others. `open_ends` has a sentence for each thing that waits for somebody. `writer` is
    the id of the run that holds the lease, and so may write while the tables are counted. `landing` tells of
    the last listing of the landing folder, where one was counted.
    `label_conflicts` counts the photos that lie there with more than one label or split.
    """

    objects: int
    outcomes: Mapping[str, int]
    rejected: Mapping[str, int]
    photos: int
    models: Sequence[ModelSums]
    erasures: Sequence[OpenErasure]
    certified: int
    open_ends: Sequence[str]
    writer: str | None
    landing: LandingCounts | None = None
    label_conflicts: int = 0

    def disagreements(self) -> list[str]:
        """Return a sentence for each pair of sums that must be equal and are not."""
        pairs = [
            ("bronze/objects: stored, and rows in bronze/photos", Outcome.STORED, self.photos),
            (
                "bronze/objects: rejected, and rows in bronze/rejected",
                Outcome.REJECTED,
                sum(self.rejected.values()),
            ),
        ]
        wrong = [
            f"{what}: {self.outcomes.get(outcome, 0):,} and {rows:,}"
            for what, outcome, rows in pairs
            if self.outcomes.get(outcome, 0) != rows
        ]
        if self.landing:
            wrong += self.landing.disagreements()
        for model in self.models:
            wrong += model.disagreements(self.photos)
        return wrong

    def facts(self) -> dict[str, Any]:
        """Return every count, the coverage of each model, and the disagreements, in types that JSON has.

        The one exception are times, which stay `datetime`.
        """
        models = [
            asdict(model)
            | {"coverage": model.coverage(self.photos)}
            | {"since_training": model.since_training and model.since_training.facts()}
            for model in self.models
        ]
        return asdict(self) | {"models": models, "disagreements": self.disagreements()}
