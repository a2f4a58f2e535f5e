"""gold/models: every version of every model, with what it takes to use it and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.pca import Pca

CHAMPION, RETIRED = "champion", "retired"


@dataclass(frozen=True)
class PcaVersion:
    """A PCA and its lineage: fitted on `photos` embeddings, up to silver's `through_chunk`."""

    version: str
    weights_id: str
    through_chunk: int
    photos: int
    reason: str
    supersedes: str | None
    pca: Pca

    def row(self) -> dict[str, Any]:
        """The row of gold/models."""
        return {
            "version": self.version,
            "kind": "pca",
            "weights_id": self.weights_id,
            "through_chunk": self.through_chunk,
            "photos": self.photos,
            "dimensions": len(self.pca.mean),
            "components": self.pca.components,
            "explained_variance": self.pca.explained_variance,
            "scree": self.pca.scree.tolist(),
            "mean": self.pca.mean.tobytes(),
            "scale": self.pca.scale.tobytes(),
            "basis": self.pca.basis.tobytes(),
            "reason": self.reason,
            "status": CHAMPION,
            "supersedes": self.supersedes,
            "created_at": datetime.now(UTC),
        }

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> PcaVersion:
        """From a row of gold/models."""
        pca = Pca(
            mean=np.frombuffer(row["mean"]),
            scale=np.frombuffer(row["scale"]),
            basis=np.frombuffer(row["basis"]).reshape(row["dimensions"], row["components"]),
            scree=np.array(row["scree"]),
        )
        return cls(
            row["version"],
            row["weights_id"],
            row["through_chunk"],
            row["photos"],
            row["reason"],
            row["supersedes"],
            pca,
        )


def champion(models: DataFrame, *, weights_id: str) -> PcaVersion | None:
    """The PCA version that readers of a model's features get; None before the first."""
    rows = models.where(
        (F.col("kind") == "pca")
        & (F.col("status") == CHAMPION)
        & (F.col("weights_id") == weights_id)
    ).collect()
    return PcaVersion.read(rows[0].asDict()) if rows else None


def next_version(models: DataFrame, *, weights_id: str) -> str:
    """The name of a model's next PCA version: `pca-<start of weights_id>-<number>`."""
    held = models.where((F.col("kind") == "pca") & (F.col("weights_id") == weights_id)).count()
    return f"pca-{weights_id[:8]}-{held + 1}"


def promotion(new: DataFrame, models: DataFrame) -> DataFrame:
    """Rows of gold/models that make `new` (one row, `supersedes` filled) the champion in one commit."""
    old = models.join(
        new.select(F.col("supersedes").alias("version")), on="version", how="left_semi"
    ).withColumn("status", F.lit(RETIRED))
    return new.unionByName(old)


def reason_to_refit(champion: PcaVersion | None, *, embeddings: int, growth: float) -> str | None:
    """Why a new version is due (`first`, `growth`), or None: the champion projects the new rows."""
    if champion is None:
        return "first"
    if embeddings >= champion.photos * (1 + growth):
        return "growth"
    return None
