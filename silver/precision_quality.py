"""What a precision other than float32 loses, judged on photos of the lake when a model is first used.

The same model embeds the same photos in both precisions. The result stands among the `metrics` of the model's
row in gold/models, where rules of the suite bound it: a model whose embeddings point elsewhere embeds no
chunk. The other rules warn, as they tell of the photos too: where these are all alike, the nearest ones of a
photo are nearest by little, in any precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.errors import Blocked
from lake import catalog
from lake.arrow_tasks import arrow_tasks, slots
from lake.chunks import Chunk, ChunkState, NoChunk
from lake.context import Context
from lake.enums import BRONZE, SILVER, Precision
from lake.extractor_status import extractors
from lake.layer_interfaces import WorkerModel
from lake.ledger import Ledger
from lake.parquet_files import RowSpan
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.storage.folder import Folder
from silver import embedding_files
from silver.embedding_files import Wanted

PHOTOS = 200
"""The most photos that a precision is judged on: of the newest chunks of bronze."""

GROUPS = 8
"""The groups of rows from which these are taken, where there are more of them: in each one the photos came
one after another, and may be alike."""

FEWEST = 20
"""The fewest photos. Of fewer, most would be among the nearest ones of each by chance."""

NEIGHBOURS = 5
"""The nearest photos of a photo of which it counts how many stay."""

COMPONENTS = 10
"""The most principal components whose variance is compared: half as many as there are photos at most."""

TRIED, JUDGED = "tried_photos", "judged_photos"
"""The metrics that say how many photos were tried, and how many of them both precisions could embed."""

RULES = "precision-"
"""What the names of the rules about a precision begin with."""

Embeddings = NDArray[np.float32]
"""float32[n, d], a row for each photo."""


def judge(context: Context, chunk: Chunk) -> None:
    """Judge the precision of the run's model, and record the result in gold/models.

    That of float32 is not judged, and no other where it was tried on more than half of the photos that could
    be taken now. `chunk` is the one that the model would embed. Raises Blocked where the model loses more
    than the suite of gold/models allows.
    """
    lake, identity = context.lake, context.model.identity
    if identity.precision is Precision.FLOAT32:
        return
    [row] = (row for row in extractors(lake) if row["weights_id"] == identity.weights_id)
    chunks = _newest_chunks(lake.ledger)
    photos = min(PHOTOS, sum(each.photos for each in chunks))
    if photos < max(FEWEST, 2 * dict(row["metrics"] or ()).get(TRIED, 0)):
        return
    exact, rough = _embedded(context, [each.number for each in chunks])
    metrics = compared(exact, rough)
    row["metrics"] = {TRIED: float(photos), **metrics}
    if metrics:
        found = f"{row['version']} in {identity.precision} has {sentence(metrics)}"
        rows = RowSource.of(arrow_rows(catalog.MODELS, [row]), lambda: lake.spark)
        try:
            context.gate(rows, chunk=chunk, table=catalog.MODELS, expected=1)
        except Blocked as error:
            if RULES in str(error):
                # The measures are no part of the error, which the journal keeps: one is of a single photo.
                context.console.print(f"{found}.", soft_wrap=True)
                raise Blocked(f"{error} Or use --precision float32.") from None
            raise
        context.did.notes.append(f"{found}.")
    lake.put(catalog.MODELS, [row], keys=["version"], chunk=NoChunk(SILVER))


def compared(exact: Embeddings, rough: Embeddings) -> dict[str, float]:
    """Return the metrics of a precision, from the embeddings of the same photos in float32 and in it; none
    where fewer than FEWEST photos have one in float32.

    `judged_photos` is their number; `cosine_mean` and `cosine_least` are of a photo's two embeddings, -1
    where the rough one has a value that is no number; `neighbours_kept` is the share of the NEIGHBOURS
    nearest photos of each that stay nearest; `variance_kept` is the share of the variance of the exact
    embeddings that the principal components of the rough ones hold, divided by the share that their own hold.
    """
    # An embedding of zeros has no direction, and silver's gate refuses it.
    is_some = np.isfinite(exact).all(axis=1) & exact.any(axis=1)
    exact, rough = exact[is_some], rough[is_some]
    if len(exact) < FEWEST:
        return {}
    is_no_number = ~np.isfinite(rough).all(axis=1)
    rough[is_no_number] = 0
    cosines = np.sum(_units(exact) * _units(rough), axis=1)
    cosines[is_no_number] = -1
    nearest, nearest_roughly = map(_nearest, (exact, rough))
    kept = [len(set(a) & set(b)) for a, b in zip(nearest, nearest_roughly, strict=True)]
    count = min(COMPONENTS, len(exact) // 2)
    own, others = (_held(exact, _components(each, count)) for each in (exact, rough))
    return {
        JUDGED: float(len(exact)),
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
        "neighbours_kept": float(np.mean(kept) / NEIGHBOURS),
        "variance_kept": others / own if own else 1.0,
    }


def sentence(metrics: Mapping[str, float]) -> str:
    """Return the metrics of a precision in words, without a full stop."""
    return (
        f"a cosine of {metrics['cosine_mean']:.4f} to float32 (least {metrics['cosine_least']:.4f}), "
        f"{metrics['neighbours_kept']:.1%} of the nearest photos and {metrics['variance_kept']:.1%} of the "
        f"variance kept, on {metrics[JUDGED]:,.0f} photos"
    )


def _newest_chunks(ledger: Ledger) -> list[Chunk]:
    """Return the newest chunks of bronze that hold PHOTOS together and that no gate stopped, the newest
    first."""
    stopped = (ChunkState.BLOCKED, ChunkState.RELEASED)
    chunks = [each for each in ledger.chunks().values() if each.layer == BRONZE and each.photos]
    own = [each for each in chunks if each.is_published and each.state not in stopped]
    own.sort(key=lambda each: each.number, reverse=True)
    before = np.cumsum([0, *(each.photos for each in own)])
    return [each for each, photos in zip(own, before, strict=False) if photos < PHOTOS]


def _embedded(context: Context, chunks: Sequence[int]) -> tuple[Embeddings, Embeddings]:
    """Return the embeddings of photos of some chunks of bronze in float32 and in the model's precision: of
    those that are embedded in both."""
    lake, model = context.lake, context.model.on_workers(context.lake.spark)
    spans = _sample(embedding_files.spans(lake, chunks))
    wanted = Wanted(pa.array(chunks, pa.int64()))
    work = partial(_embedded_twice, files=lake.files, wanted=wanted, model=model)
    found = arrow_tasks(lake.spark, embedding_files.shares(spans, slots(lake.spark)), work)
    empty = np.empty((0, model.dimensions), np.float32)
    exact, rough = (np.concatenate([empty, *(pair[of] for pair in found)]) for of in (0, 1))
    return exact, rough


def _sample(spans: Sequence[RowSpan]) -> list[RowSpan]:
    """Return the first rows of up to GROUPS of some groups of rows, evenly among them: PHOTOS together where
    they have so many."""
    places = np.linspace(0, len(spans) - 1, min(GROUPS, len(spans))).round().astype(int)
    taken, left = [], PHOTOS
    for number, place in enumerate(places.tolist()):
        span = spans[place]
        # What a short group lacks, the ones after it give.
        rows = min(span.rows, -(-left // (len(places) - number)))
        taken.append(replace(span, end=span.first + rows))
        left -= rows
    return taken


def _embedded_twice(
    share: Sequence[RowSpan], *, files: Folder, wanted: Wanted, model: WorkerModel
) -> tuple[Embeddings, Embeddings]:
    """Return the embeddings of a task's photos in float32 and in the model's own precision, of those that are
    embedded both times: a busy machine may refuse a photo once.

    Those in the model's own precision come first, as a processor may lack it.
    """
    rough = _embeddings(wanted.read(files, share), model)
    with model.in_float32() as in_float32:
        exact = _embeddings(wanted.read(files, share), in_float32)
    both = [photo for photo in exact if photo in rough]
    in_order = [[each[photo] for photo in both] for each in (exact, rough)]
    pair = np.reshape(np.array(in_order, np.float32), (2, len(both), model.dimensions))
    return pair[0], pair[1]


def _embeddings(
    photos: Iterable[pa.RecordBatch], model: WorkerModel
) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings of the photos that a model's decoder doesn't refuse, by their `photo_id`."""
    found: dict[str, NDArray[np.float32]] = {}
    for batch in model.embed_batches(photos):
        embedded = batch.filter(pc.is_valid(batch.column("embedding")))
        values = embedded.column("embedding").flatten().to_numpy(zero_copy_only=False)
        rows = values.reshape(embedded.num_rows, model.dimensions)
        found |= dict(zip(embedded.column("photo_id").to_pylist(), rows, strict=True))
    return found


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
