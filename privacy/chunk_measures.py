"""What gates and drift measured on chunks: values that go with the photos that they were measured on.

Of a chunk of one photo a mean is that photo's value, and of two chunks that differ by one photo it follows.
So whatever removes photos removes the values of their chunks, however many photos are left. Verdicts and
counts stay: which expectation failed, on how many of how many rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog
from lake.chunks import NoChunk
from lake.enums import GOLD
from lake.metric_names import DRIFT
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.writable_lake import WritableLake

MEASURED = (
    catalog.PHOTOS,
    catalog.EMBEDDINGS,
    catalog.QUARANTINE,
    catalog.FEATURES,
    catalog.HELD_OUT,
)
"""The tables with photos that gates judge, or whose chunks are compared with a model. All have `photo_id`."""


def chunks_of(lake: Lake, photos: RowSource) -> set[int]:
    """Return the numbers of the published chunks that hold rows of photos, which have the column
    `photo_id`."""
    return {
        number
        for table in MEASURED
        for number in lake.source(table).among(photos, "photo_id").counts("chunk")
    }


def forget(lake: WritableLake, chunks: Iterable[int], *, layer: str) -> None:
    """Remove what was measured on chunks from ops/quality, ops/runs and ops/drift.

    `layer` is the name that the commits carry. Call it while the rows are there that tell of the chunks: a
    crash between the two leaves them, and the same call does it again. Raises Busy.
    """
    is_of_chunks = pc.field("chunk").isin(pa.array(sorted(chunks), pa.int64()))
    forgotten = NoChunk(layer)
    observed = lake.records(catalog.QUALITY, where=is_of_chunks & pc.field("observed").is_valid())
    _put(
        lake,
        catalog.QUALITY,
        [{**row, "observed": None} for row in observed],
        keys=["suite", "expectation", "chunk", "judged_at"],
        chunk=forgotten,
    )
    drifts = lake.records(catalog.DRIFT, where=is_of_chunks)
    measured_by = pa.array(sorted({row["run_id"] for row in drifts}), pa.string())
    is_measured = pc.field("run_id").isin(measured_by) & (pc.field("layer") == GOLD)
    runs = lake.records(catalog.RUNS, where=is_measured)
    _put(
        lake,
        catalog.RUNS,
        [row | {"metrics": _without_drift(row["metrics"])} for row in runs],
        keys=["run_id", "layer", "started_at"],
        chunk=forgotten,
    )
    # The rows of ops/drift go last, because they tell which runs measured the chunks.
    if drifts:
        lake.remove(catalog.DRIFT, lake.rows(catalog.DRIFT, drifts), on=["chunk"], chunk=forgotten)


def _put(
    lake: WritableLake,
    table: catalog.Table,
    rows: Sequence[dict[str, Any]],
    *,
    keys: Sequence[str],
    chunk: NoChunk,
) -> None:
    if rows:
        lake.put(table, rows, keys=keys, chunk=chunk)


def _without_drift(metrics: Iterable[tuple[str, float]] | None) -> dict[str, float]:
    """Return a run's metrics without those of drift."""
    return {name: value for name, value in metrics or () if not name.startswith(DRIFT)}
