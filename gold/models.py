"""gold/models: every version of every model, with what it takes to use it and where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold.drift import Reference
from gold.pca import Pca

CANDIDATE, CHAMPION, RETIRED = "candidate", "champion", "retired"
"""Of a PCA or a classifier. Readers get the champion unless they name another."""

PCA, CLASSIFIER = "pca", "classifier"


@dataclass(frozen=True)
class PcaVersion:
    """A PCA and its lineage: fitted on `photos` embeddings of version `embeddings_version` of
    silver/embeddings, up to silver's `through_chunk`.

    `metrics`: the variance of those embeddings that it explains (`explained_after`), and that the version
    before it does (`explained_before`). `principal_angles` float64[≤ k] are those between the two, in
    radians. `drift`: what called for it, over its bound. `reference` is what later chunks are compared with.
    """

    version: str
    weights_id: str
    through_chunk: int
    embeddings_version: int
    photos: int
    reason: str
    supersedes: str | None
    pca: Pca
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    principal_angles: NDArray[np.float64] | None = None
    drift: float | None = None
    reference: Reference | None = None

    def row(self, *, status: str) -> dict[str, Any]:
        """The row of gold/models."""
        angles = self.principal_angles
        return {
            "version": self.version,
            "kind": PCA,
            "weights_id": self.weights_id,
            "through_chunk": self.through_chunk,
            "embeddings_version": self.embeddings_version,
            "photos": self.photos,
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
            "metrics": dict(self.metrics),
            "settings": json.dumps(dict(self.settings)),
            "reason": self.reason,
            "status": status,
            "supersedes": self.supersedes,
            "drift": self.drift,
            "created_at": datetime.now(UTC),
        }

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> PcaVersion:
        """From a row of gold/models. Raises BadInput where its parameters were wiped."""
        if row["basis"] is None:
            raise BadInput(
                f"The parameters of {row['version']} were wiped: what it was fitted on had to go. Name a "
                f"later version."
            )
        angles = row["principal_angles"]
        return cls(
            version=row["version"],
            weights_id=row["weights_id"],
            through_chunk=row["through_chunk"],
            embeddings_version=row["embeddings_version"],
            photos=row["photos"],
            reason=row["reason"],
            supersedes=row["supersedes"],
            pca=Pca(
                mean=np.frombuffer(row["mean"]),
                scale=np.frombuffer(row["scale"]),
                basis=np.frombuffer(row["basis"]).reshape(row["dimensions"], row["components"]),
                scree=np.array(row["scree"]),
                variance=row["variance"],
            ),
            settings=json.loads(row["settings"]),
            metrics=dict(row["metrics"] or []),
            principal_angles=None if angles is None else np.array(angles),
            drift=row["drift"],
            reference=row["reference"] and Reference.from_json(row["reference"]),
        )


def pcas(models: DataFrame, *, weights_id: str) -> DataFrame:
    """The rows of a model's PCA versions."""
    return models.where((F.col("kind") == PCA) & (F.col("weights_id") == weights_id))


def champion(models: DataFrame, *, weights_id: str) -> PcaVersion | None:
    """The PCA version that readers of a model's features get; None before the first."""
    row = pcas(models, weights_id=weights_id).where(F.col("status") == CHAMPION).first()
    return PcaVersion.read(row.asDict()) if row else None


def version(models: DataFrame, name: str) -> PcaVersion:
    """The PCA version of that name. Raises BadInput (there is none; its parameters were wiped)."""
    row = models.where((F.col("kind") == PCA) & (F.col("version") == name)).first()
    if row is None:
        known = [r[0] for r in models.where(F.col("kind") == PCA).select("version").collect()]
        raise BadInput(
            f"There is no PCA version {name}; the lake has {', '.join(sorted(known)) or 'none'}."
        )
    return PcaVersion.read(row.asDict())


def previous(models: DataFrame, *, weights_id: str) -> str:
    """The version that a model's champion superseded. Raises BadInput where there is none."""
    held = champion(models, weights_id=weights_id)
    if held is None or held.supersedes is None:
        now = held.version if held else "no version yet"
        raise BadInput(f"There is nothing to roll back to: the champion is {now}, the first one.")
    return held.supersedes


def next_version(models: DataFrame, *, weights_id: str) -> str:
    """The name of a model's next PCA version: `pca-<start of weights_id>-<number>`."""
    return f"pca-{weights_id[:8]}-{pcas(models, weights_id=weights_id).count() + 1}"


def with_champion(models: DataFrame, new: DataFrame) -> DataFrame:
    """The rows of gold/models that change when `new` (one row) becomes the champion of its model and kind:
    that row, and the one that was."""
    same = new.select("weights_id", "kind", F.col("version").alias("new_version"))
    old = (
        models.where(F.col("status") == CHAMPION)
        .join(F.broadcast(same), on=["weights_id", "kind"])
        .where(F.col("version") != F.col("new_version"))
        .drop("new_version")
        .withColumn("status", F.lit(RETIRED))
    )
    return new.withColumn("status", F.lit(CHAMPION)).unionByName(old, allowMissingColumns=True)
