"""The versions of models in gold/models: their parameters, which make them usable, and their lineage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput
from conf.identifiers import named
from gold.classifiers import Classifier, Floats, Indices, Vectors
from gold.drift import Reference
from gold.pca import Pca
from lake import catalog
from lake.enums import ModelKind, ModelStatus

Rows = Sequence[Mapping[str, Any]]
"""Rows of gold/models, each by column name."""

BLOBS = ("mean", "scale", "basis", "parameters", "reference")
"""The columns of gold/models that are megabytes large."""

NARROW = tuple(name for name in catalog.MODELS.column_names if name not in BLOBS)
"""The other columns: what tables and reports show."""

EMBEDDINGS = "embeddings"
"""The `input` of a classifier that takes embeddings. The input of any other classifier is the name of the PCA
version whose features it takes."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """The lineage of a model version.

    It was fitted on `photos` embeddings, those of version `embeddings_version` of silver/embeddings up to
    silver's chunk `through_chunk`, with `settings`, for a `reason`. `supersedes` names the version that was
    the champion before.
    """

    version: str
    weights_id: str
    through_chunk: int
    embeddings_version: int
    photos: int
    reason: str
    supersedes: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def lineage(self, *, kind: str, status: str) -> dict[str, Any]:
        """Return the columns of gold/models that every kind of version has."""
        return {
            "version": self.version,
            "kind": kind,
            "weights_id": self.weights_id,
            "through_chunk": self.through_chunk,
            "embeddings_version": self.embeddings_version,
            "photos": self.photos,
            "reason": self.reason,
            "supersedes": self.supersedes,
            "settings": json.dumps(dict(self.settings)),
            "metrics": dict(self.metrics),
            "status": status,
            "created_at": datetime.now(UTC),
        }

    @staticmethod
    def lineage_of(row: Mapping[str, Any], *, parameters: str) -> dict[str, Any]:
        """Return the fields of `Version` that a row of gold/models holds.

        Raises BadInput where the column `parameters` of the row is null, because the version was wiped.
        """
        if row[parameters] is None:
            raise BadInput(
                f"The parameters of {row['version']} were removed, because photos that it was fitted on were "
                f"erased. Name a later version."
            )
        names = (each.name for each in fields(Version))
        return {name: row[name] for name in names} | {
            "settings": json.loads(row["settings"]),
            "metrics": dict(row["metrics"] or []),
        }


@dataclass(frozen=True, kw_only=True)
class PcaVersion(Version):
    """A PCA and its lineage.

    `metrics` has the share of the variance of its embeddings that it explains (`explained_after`), and the
    share that the version before it explains (`explained_before`). `principal_angles` float64[≤ k] are the
    angles between the two, in radians. `drift` is the multiple of its bound where a drift is the reason for
    the version. Later chunks are compared with `reference`.
    """

    pca: Pca
    principal_angles: NDArray[np.float64] | None = None
    drift: float | None = None
    reference: Reference | None = None

    def project(self, embeddings: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the features of embeddings float[n, d], as float32[n, k].

        Raises ValueError where the PCA was fitted on embeddings of another length.
        """
        return self.pca.project(embeddings)

    def row(self, *, status: str) -> dict[str, Any]:
        """Return the row of gold/models."""
        angles = self.principal_angles
        return self.lineage(kind=ModelKind.PCA, status=status) | {
            "dimensions": len(self.pca.mean),
            "components": self.pca.components,
            "explained_variance": self.pca.explained_variance,
            "variance": self.pca.variance,
            "scree": self.pca.scree.tolist(),
            "principal_angles": None if angles is None else angles.tolist(),
            "mean": self.pca.mean.tobytes(),
            "scale": self.pca.scale.tobytes(),
            "basis": self.pca.basis.tobytes(),
            "reference": self.reference and self.reference.to_json(),
            "drift": self.drift,
        }

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> PcaVersion:
        """Return the version of a row of gold/models. Raises BadInput where its parameters were wiped."""
        lineage = cls.lineage_of(row, parameters="basis")
        angles = row["principal_angles"]
        return cls(
            **lineage,
            pca=Pca(
                mean=np.frombuffer(row["mean"]),
                scale=np.frombuffer(row["scale"]),
                basis=np.frombuffer(row["basis"]).reshape(row["dimensions"], row["components"]),
                scree=np.array(row["scree"]),
                variance=row["variance"],
            ),
            principal_angles=None if angles is None else np.array(angles),
            drift=row["drift"],
            reference=row["reference"] and Reference.from_json(row["reference"]),
        )


@dataclass(frozen=True, kw_only=True)
class ClassifierVersion(Version):
    """A classifier of embeddings, or of their features (`input`), and its lineage.

    `metrics` and `confusion` int64[labels, labels] are the results of `gold.cross_validation` on photos that
    were held out; the metric `nearest_neighbours` is a reference on the same photos. gold/held_out has the
    results photo by photo. `labels` are those of `classifier`; of earlier code, the tested ones.
    """

    algorithm: str
    input: str
    classifier: Classifier
    labels: Sequence[str]
    confusion: Indices

    def predict(self, vectors: Vectors) -> Floats:
        """Return the probability of each of `classifier.labels` for vectors float[n, d], as float64[n,
        labels].

        Raises ValueError where the vectors have another length, or a value that isn't finite.
        """
        return self.classifier.predict(vectors)

    def row(self, *, status: str) -> dict[str, Any]:
        """Return the row of gold/models."""
        return self.lineage(kind=ModelKind.CLASSIFIER, status=status) | {
            "algorithm": self.algorithm,
            "input": self.input,
            "dimensions": len(self.classifier.mean),
            "parameters": self.classifier.parameters(),
            "labels": list(self.labels),
            "confusion": self.confusion.ravel().tolist(),
        }

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> ClassifierVersion:
        """Return the version of a row of gold/models. Raises BadInput where its parameters were wiped."""
        lineage = cls.lineage_of(row, parameters="parameters")
        labels = tuple(row["labels"])
        return cls(
            **lineage,
            algorithm=row["algorithm"],
            input=row["input"],
            classifier=Classifier.from_parameters(row["parameters"]),
            labels=labels,
            confusion=np.array(row["confusion"]).reshape(len(labels), len(labels)),
        )


WIPED = (
    "mean",
    "scale",
    "basis",
    "scree",
    "principal_angles",
    "parameters",
    "reference",
    "confusion",
)
"""The columns of gold/models that were calculated from the photos of a version, one by one or summed."""


def wiped(models: Rows) -> Rows:
    """Return rows of gold/models as retired versions without the columns `WIPED`.

    Such a version can't be used any more, and nothing can be learned from it about its photos.
    """
    nothing = dict.fromkeys(WIPED)
    return [{**row, **nothing, "status": ModelStatus.RETIRED} for row in models]


def versions(models: Rows, *, weights_id: str, kind: ModelKind = ModelKind.PCA) -> Rows:
    """Return the rows of gold/models with the versions of one kind of a model."""
    return [row for row in models if (row["kind"], row["weights_id"]) == (kind, weights_id)]


def champion_row(
    models: Rows, *, weights_id: str, kind: ModelKind = ModelKind.PCA
) -> Mapping[str, Any] | None:
    """Return the row of a model's champion of one kind; None where there is none."""
    found = versions(models, weights_id=weights_id, kind=kind)
    return next((row for row in found if row["status"] == ModelStatus.CHAMPION), None)


def champion(models: Rows, *, weights_id: str) -> PcaVersion | None:
    """Return the PCA version that readers of a model's features get; None where there is no version yet."""
    row = champion_row(models, weights_id=weights_id)
    return PcaVersion.read(row) if row else None


def version(models: Rows, name: str) -> PcaVersion | ClassifierVersion:
    """Return the PCA or classifier version whose name is `name`, or alone begins with it.

    Raises BadInput where there is no such version or several, or where its parameters were wiped.
    """
    fitted = {row["version"]: row for row in models if row["kind"] != ModelKind.EXTRACTOR}
    return read(fitted[named(name, fitted, what="version")])


def read(row: Mapping[str, Any]) -> PcaVersion | ClassifierVersion:
    """Return the version that a row of gold/models describes.

    Raises BadInput where its parameters were wiped.
    """
    return PcaVersion.read(row) if row["kind"] == ModelKind.PCA else ClassifierVersion.read(row)


def previous(models: Rows, *, weights_id: str) -> str:
    """Return the name of the version that a model's champion superseded. Raises BadInput where there is
    none."""
    current = champion(models, weights_id=weights_id)
    if current is None:
        raise BadInput("There is nothing to roll back to: this model has no champion yet.")
    if current.supersedes is None:
        raise BadInput(
            f"There is nothing to roll back to: the champion {current.version} is the first version."
        )
    return current.supersedes


def next_versions(
    models: Rows, *, weights_id: str, kind: ModelKind = ModelKind.PCA
) -> Iterator[str]:
    """Yield the names of a model's next versions of one kind: `<kind>-<start of weights_id>-<number>`."""
    known = len(versions(models, weights_id=weights_id, kind=kind))
    return (f"{kind}-{weights_id[:8]}-{number}" for number in count(known + 1))


def with_champion(
    models: Rows, new: Rows, *, ends: Sequence[ModelStatus] = (ModelStatus.CHAMPION,)
) -> Rows:
    """Return the rows of gold/models that change when the rows `new` are published.

    These are the new rows themselves. Where one of them is a champion, older versions of its model and kind
    with a status in `ends` are retired.
    """
    promoted = {
        (row["weights_id"], row["kind"]) for row in new if row["status"] == ModelStatus.CHAMPION
    }
    names = {row["version"] for row in new}
    ended = [
        {**row, "status": ModelStatus.RETIRED}
        for row in models
        if row["status"] in ends
        and (row["weights_id"], row["kind"]) in promoted
        and row["version"] not in names
    ]
    return [*new, *ended]
