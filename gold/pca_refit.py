"""When a PCA is fitted anew, and the new version with its lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from conf.settings import RefitSettings, Settings
from gold import model_versions, pca
from gold.model_versions import PcaVersion
from gold.moments import Matrix, Moments
from lake import catalog
from lake.chunks import Chunk
from lake.readable_lake import Lake

FIRST, GROWTH, DRIFT, REQUEST = "first", "growth", "drift", "request"
ERASURE, REMOVAL = "erasure", "removal"
"""Why a version was fitted: column `reason` of gold/models. `removal`: rows left that the champion was fitted
on, by whichever command."""


@dataclass(frozen=True)
class Due:
    """A fit that is due, and its reason. `drift` is the multiple of its bound, where drift is the reason."""

    reason: str
    drift: float | None = None


def due(
    lake: Lake, champion: PcaVersion | None, refit: RefitSettings, *, published: Sequence[Chunk]
) -> Due | None:
    """The fit that a model's published silver chunks call for; None where the champion still does.

    Growth counts from the newest version that was not wiped, so that one that was rolled back is not fitted
    again at once.
    """
    if champion is None:
        return Due(FIRST)
    held = sum(c.photos for c in published if c.number <= champion.through_chunk)
    if held < champion.photos:
        return Due(REMOVAL)
    fitted = model_versions.versions(lake.records(catalog.MODELS), weights_id=champion.weights_id)
    most = max(row["photos"] for row in fitted if row["basis"] is not None)
    if sum(c.photos for c in published) >= most * (1 + refit.growth):
        return Due(GROWTH)
    drift = _drift(lake, champion, refit)
    return Due(DRIFT, drift) if drift > 1 else None


def _drift(lake: Lake, champion: PcaVersion, refit: RefitSettings) -> float:
    """The drift of the last chunk that could be compared with the champion, as a multiple of its bound; 0
    where none was measured. Of a chunk with values that aren't finite the drift isn't either."""
    measured = lake.records(catalog.DRIFT, where=pc.field("model_version") == champion.version)
    rows = [r for r in measured if np.isfinite([r["mean_shift"], r["reconstruction"]]).all()]
    if not rows:
        return 0.0
    row = max(rows, key=lambda row: row["measured_at"])
    return max(row["mean_shift"] / refit.mean_shift, row["reconstruction"] / refit.reconstruction)


def fitted(
    lake: Lake,
    moments: Moments,
    settings: Settings,
    *,
    weights_id: str,
    through: int,
    due: Due,
    champion: PcaVersion | None,
) -> PcaVersion:
    """A new version, fitted from moments up to silver's chunk `through` and compared with the champion before
    it."""
    new = pca.fit(moments, **settings.pca.model_dump())
    metrics = {"explained_after": new.explains(moments)}
    if champion is not None:
        metrics["explained_before"] = champion.pca.explains(moments)
    return PcaVersion(
        version=next(
            model_versions.next_versions(lake.records(catalog.MODELS), weights_id=weights_id)
        ),
        weights_id=weights_id,
        through_chunk=through,
        embeddings_version=lake.version(catalog.EMBEDDINGS),
        photos=moments.n,
        reason=due.reason,
        supersedes=champion.version if champion else None,
        pca=new,
        settings=settings.pca.model_dump(exclude_none=True),
        metrics=metrics,
        principal_angles=principal_angles(new, champion.pca) if champion else None,
        drift=due.drift,
    )


def principal_angles(a: pca.Pca, b: pca.Pca) -> Matrix:
    """The angles in radians between the subspaces of two PCAs, largest first (Björck & Golub 1973).

    There are as many as the smaller PCA has components.
    """
    # SciPy is imported where it is used: its import takes as long as a command that only reads.
    from scipy.linalg import subspace_angles

    return np.asarray(subspace_angles(a.basis / a.scale[:, None], b.basis / b.scale[:, None]))
