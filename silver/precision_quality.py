"""What a precision other than float32 loses, judged on photos of the lake when a model is first used.

The same model embeds the same pixels in both precisions. The result stands among the `metrics` of the model's
row in gold/models, where rules of the suite bound it: a model that loses too much embeds no chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.errors import Blocked
from lake import catalog, parquet_files
from lake.arrow_tasks import arrow_tasks, slots
from lake.chunks import Chunk, NoChunk
from lake.context import Context
from lake.enums import BRONZE, SILVER, ModelKind, Precision
from lake.layer_interfaces import WorkerModel
from lake.ledger import Ledger
from lake.parquet_files import RowSpan
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.storage.folder import Folder
from silver import embedding_files
from silver.embedding_rows import NEEDED

PHOTOS = 200
"""The most photos that a precision is judged on: of the newest chunks of bronze."""

FEWEST = 20
"""The fewest. Of fewer, most photos would be among the nearest ones of each by chance."""

NEIGHBOURS = 5
"""The nearest photos of a photo of which it counts how many stay."""

COMPONENTS = 10
"""The most principal components whose variance is compared: half as many as there are photos at most."""

Embeddings = NDArray[np.float32]
"""float32[n, d], a row for each photo."""

JUDGED_PHOTOS = "judged_photos"
"""The metric that says on how many photos a precision was judged."""


def judge(context: Context, chunk: Chunk) -> None:
    """Judge the precision of the run's model, and record the result in gold/models.

    That of float32 is not judged, and no other where it was judged on more than half of the photos that could
    be taken now. `chunk` is the one that the model would embed. Raises Blocked where the model loses more
    than the suite of gold/models allows.
    """
    lake, identity = context.lake, context.model.identity
    if identity.precision is Precision.FLOAT32:
        return
    [row] = lake.records(catalog.MODELS, where=_is_of(identity.weights_id))
    chunks = _newest_chunks(lake.ledger)
    photos = min(PHOTOS, sum(each.photos for each in chunks))
    judged = dict(row["metrics"] or ()).get(JUDGED_PHOTOS, 0)
    if photos < max(FEWEST, 2 * judged):
        return
    spans = _first(embedding_files.spans(lake, [each.number for each in chunks]), PHOTOS)
    work = partial(_embedded_twice, files=lake.files, model=context.model.on_workers(lake.spark))
    pairs = arrow_tasks(lake.spark, embedding_files.shares(spans, slots(lake.spark)), work)
    exact, rough = (np.concatenate(each) for each in zip(*pairs, strict=True))
    if len(exact) < FEWEST:
        return
    row["metrics"] = compared(exact, rough)
    rows = RowSource.of(arrow_rows(catalog.MODELS, [row]), lambda: lake.spark)
    found = f"{row['version']} in {identity.precision} has {sentence(row['metrics'])}"
    try:
        context.gate(rows, chunk=chunk, table=catalog.MODELS, expected=1)
    except Blocked as error:
        raise Blocked(f"{error} {found}: use --precision float32 instead.") from None
    lake.put(catalog.MODELS, [row], keys=["version"], chunk=NoChunk(SILVER))
    context.did.notes.append(f"{found}.")


def compared(exact: Embeddings, rough: Embeddings) -> dict[str, float]:
    """Return the metrics of a precision, from the embeddings of the same photos in float32 and in it.

    `judged_photos` is their number; `cosine_mean` and `cosine_least` are of a photo's two embeddings;
    `neighbours_kept` is the share of the NEIGHBOURS nearest photos of each that stay nearest;
    `variance_kept` is the share of the variance of the exact embeddings that the principal components of the
    rough ones hold, divided by the share that their own hold.
    """
    is_some = exact.any(
        axis=1
    )  # an embedding of zeros has no direction, and silver's gate refuses it
    exact, rough = exact[is_some], rough[is_some]
    cosines = np.sum(_units(exact) * _units(rough), axis=1)
    nearest, nearest_roughly = map(_nearest, (exact, rough))
    kept = [len(set(a) & set(b)) for a, b in zip(nearest, nearest_roughly, strict=True)]
    count = min(COMPONENTS, len(exact) // 2)
    own, others = (_held(exact, _components(each, count)) for each in (exact, rough))
    return {
        JUDGED_PHOTOS: float(len(exact)),
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
        "neighbours_kept": float(np.mean(kept) / NEIGHBOURS),
        "variance_kept": others / own if own else 1.0,
    }


def sentence(metrics: dict[str, float]) -> str:
    """Return the metrics of a precision in words, without a full stop."""
    return (
        f"a cosine of {metrics['cosine_mean']:.4f} to float32 (least {metrics['cosine_least']:.4f}), "
        f"{metrics['neighbours_kept']:.1%} of the nearest photos and {metrics['variance_kept']:.1%} of the "
        f"variance kept, on {metrics[JUDGED_PHOTOS]:,.0f} photos"
    )


def _is_of(weights_id: str) -> pc.Expression:
    is_extractor = pc.field("kind") == ModelKind.EXTRACTOR.value
    return is_extractor & (pc.field("weights_id") == weights_id)


def _newest_chunks(ledger: Ledger) -> list[Chunk]:
    """Return the newest chunks of bronze that hold so many photos together, the newest first."""
    chunks = ledger.chunks().values()
    own = [each for each in chunks if each.layer == BRONZE and each.is_published and each.photos]
    own.sort(key=lambda each: each.number, reverse=True)
    before = np.cumsum([0, *(each.photos for each in own)])
    return [each for each, photos in zip(own, before, strict=False) if photos < PHOTOS]


def _first(spans: Sequence[RowSpan], rows: int) -> list[RowSpan]:
    """Return the first rows of some spans, as spans."""
    before = np.cumsum([0, *(span.rows for span in spans)]).tolist()
    return [
        replace(span, end=min(span.end, span.first + rows - number))
        for span, number in zip(spans, before, strict=False)
        if number < rows
    ]


def _embedded_twice(
    share: Sequence[RowSpan], *, files: Folder, model: WorkerModel
) -> tuple[Embeddings, Embeddings]:
    """Return the embeddings of a task's photos in float32 and in the model's own precision.

    The latter come first: a processor may lack the precision.
    """
    rough = _embeddings(files, share, model)
    return _embeddings(files, share, model.in_float32()), rough


def _embeddings(files: Folder, share: Sequence[RowSpan], model: WorkerModel) -> Embeddings:
    """Return the embeddings of the photos that a model's decoder doesn't refuse, in order."""
    batches = model.embed_batches(parquet_files.read(files, share, NEEDED))
    found = [batch.column("embedding").drop_null() for batch in batches]
    rows = [np.reshape(each.flatten(), (len(each), model.dimensions)) for each in found]
    return np.concatenate([np.empty((0, model.dimensions), np.float32), *rows])


def _units(embeddings: Embeddings) -> NDArray[np.float64]:
    exact = embeddings.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    units: NDArray[np.float64] = exact / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units


def _nearest(embeddings: Embeddings) -> NDArray[np.int64]:
    """Return the numbers of the nearest photos of each, int[n, NEIGHBOURS], by the cosine."""
    units = _units(embeddings)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]


def _components(embeddings: Embeddings, count: int) -> NDArray[np.float64]:
    """Return the first principal components of embeddings, float64[count, d]."""
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    components: NDArray[np.float64] = np.linalg.svd(centred, full_matrices=False)[2][:count]
    return components


def _held(embeddings: Embeddings, components: NDArray[np.float64]) -> float:
    """Return the sum of squares of the centred embeddings along some components."""
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    return float(np.sum((centred @ components.T) ** 2))
