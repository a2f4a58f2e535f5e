"""When a PCA is fitted anew, and from what: moments that are brought up to silver, or taken from it anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.linalg import subspace_angles

from conf.errors import Inconsistent
from conf.settings import RefitSettings, Settings
from gold import model_versions, pca
from gold.model_versions import PcaVersion
from gold.moments import DIFFER, Matrix, Moments, fold, mean
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkState
from lake.lake import Lake, newest, only

FIRST, GROWTH, DRIFT, REQUEST = "first", "growth", "drift", "request"
ERASURE, REMOVAL = "erasure", "removal"
"""Why a version was fitted; `removal`: rows left that the champion was fitted on, by whichever command."""


@dataclass(frozen=True)
class Due:
    """That a fit is due, why, and, for a drift, by what multiple of its bound."""

    reason: str
    drift: float | None = None


def due(
    lake: Lake, champion: PcaVersion | None, refit: RefitSettings, *, published: Sequence[Chunk]
) -> Due | None:
    """Whether a model's published silver chunks call for a new version; None where the champion does.

    Growth counts from the newest version on that was not wiped, so that one that was rolled back is not
    fitted again at once.
    """
    if champion is None:
        return Due(FIRST)
    held = sum(c.photos for c in published if c.number <= champion.through_chunk)
    if held < champion.photos:
        return Due(REMOVAL)
    fitted = model_versions.versions(lake.read(catalog.MODELS), weights_id=champion.weights_id)
    most = fitted.where(F.col("basis").isNotNull()).agg(F.max("photos")).collect()[0][0]
    if sum(c.photos for c in published) >= most * (1 + refit.growth):
        return Due(GROWTH)
    drift = _drift(lake, champion, refit)
    return Due(DRIFT, drift) if drift > 1 else None


def _drift(lake: Lake, champion: PcaVersion, refit: RefitSettings) -> float:
    """The last chunk's against the champion, as a multiple of its bound; 0 where none was measured."""
    rows = lake.read(catalog.DRIFT).where(F.col("model_version") == champion.version)
    row = newest(rows, by="measured_at")
    if row is None:
        return 0.0
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
    """A new version from moments up to silver's chunk `through`, told from the champion before it."""
    new = pca.fit(moments, **settings.pca.model_dump())
    metrics = {"explained_after": new.explains(moments)}
    if champion is not None:
        metrics["explained_before"] = champion.pca.explains(moments)
    return PcaVersion(
        version=next(
            model_versions.next_versions(lake.read(catalog.MODELS), weights_id=weights_id)
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

    As many as the smaller one has components.
    """
    return np.asarray(subspace_angles(a.basis / a.scale[:, None], b.basis / b.scale[:, None]))


def brought_up(lake: Lake, *, weights_id: str, through: int) -> Moments:
    """gold/moments brought up to a silver chunk, from its new rows only.

    Anew from silver where they may not be of its rows: where something else than an append or a compaction
    came to silver/embeddings since, as a RESTORE, or the count is another.
    """
    held = kept(lake, weights_id)
    if held is None or not is_of_silver(lake, held, weights_id=weights_id):
        return recomputed(lake, weights_id=weights_id, through=through)
    if held.through_chunk < through:
        new = embeddings(lake, weights_id, held.through_chunk + 1, through)
        with _of_one_length(weights_id):
            moments = held.moments + fold(new, held.moments.shift)
        keep(lake, moments, weights_id=weights_id, through=through)
        return moments
    return held.moments


def recomputed(lake: Lake, *, weights_id: str, through: int) -> Moments:
    """gold/moments anew from silver/embeddings, up to a silver chunk."""
    moments = from_nothing(lake, weights_id=weights_id, through=through)
    keep(lake, moments, weights_id=weights_id, through=through)
    return moments


def disagreement(lake: Lake, *, weights_id: str, through: int) -> float | None:
    """How far gold/moments are from those of its rows, taken anew and kept: the largest difference of the
    covariances, as a share of the total variance. None where the counts differ, or none were kept."""
    held = kept(lake, weights_id)
    through = held.through_chunk if held else through
    anew = recomputed(lake, weights_id=weights_id, through=through)
    if held is None or held.moments.n != anew.n or anew.n < 2:
        return None
    covariance = anew.covariance()
    difference = np.abs(held.moments.covariance() - covariance).max()
    total = np.trace(covariance)
    return float(difference / total) if total > 0 else 0.0


def from_nothing(lake: Lake, *, weights_id: str, through: int) -> Moments:
    """The moments of a model's embeddings up to a chunk, about the mean of its oldest chunk."""
    rows = embeddings(lake, weights_id, 0, through)
    oldest = rows.agg(F.min("chunk").alias("chunk"))
    with _of_one_length(weights_id):
        return fold(rows, mean(rows.join(F.broadcast(oldest), "chunk", "left_semi")))


@contextmanager
def _of_one_length(weights_id: str) -> Iterator[None]:
    """Raises Inconsistent where a worker, meanwhile, met an embedding of another length."""
    try:
        yield
    except (PythonException, Py4JJavaError) as error:
        if DIFFER not in str(error):
            raise
        raise Inconsistent(
            f"silver/embeddings holds embeddings of {weights_id[:12]} that differ in length: no PCA can be "
            f"fitted. run.py check --table silver/embeddings says how many; remove those rows."
        ) from None


def keep(lake: Lake, moments: Moments, *, weights_id: str, through: int) -> None:
    """Moments to gold/moments, pinned to the version of silver/embeddings that they were folded from.

    Raises Inconsistent where a value is not finite: they would stay so for good.
    """
    if not np.isfinite(moments.sum).all() or not np.isfinite(moments.gram).all():
        raise Inconsistent(
            f"silver/embeddings holds values of {weights_id[:12]} that are not finite: no PCA can be fitted. "
            f"run.py check --table silver/embeddings says how many; remove those rows."
        )
    row = {
        **moments.row(weights_id=weights_id, through_chunk=through),
        "table_version": lake.version(catalog.EMBEDDINGS),
    }
    by = Chunk(through, "gold", ChunkState.PLANNED)
    rows = lake.rows(catalog.MOMENTS, [row])
    lake.upsert(catalog.MOMENTS, rows, keys=["weights_id"], chunk=by)
    fault_points.at("gold: moments folded")


def embeddings(lake: Lake, weights_id: str, first: int, last: int) -> DataFrame:
    """A model's rows of silver/embeddings, of the chunks from one number to another (inclusive)."""
    rows = lake.read(catalog.EMBEDDINGS, chunks=(first, last))
    return rows.where(F.col("weights_id") == weights_id)


@dataclass(frozen=True)
class Kept:
    """A row of gold/moments."""

    moments: Moments
    through_chunk: int
    table_version: int


def kept(lake: Lake, weights_id: str) -> Kept | None:
    """A model's row of gold/moments, if it has one."""
    row = only(lake.read(catalog.MOMENTS).where(F.col("weights_id") == weights_id))
    if row is None:
        return None
    return Kept(Moments.read(row), row["through_chunk"], row["table_version"])


def is_of_silver(lake: Lake, kept: Kept, *, weights_id: str) -> bool:
    """Whether moments are those of silver's rows up to their chunk: see `brought_up`."""
    if not lake.only_added_to(catalog.EMBEDDINGS, since=kept.table_version):
        return False
    return embeddings(lake, weights_id, 0, kept.through_chunk).count() == kept.moments.n
