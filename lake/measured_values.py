"""Values that were measured over the photos of one chunk, and how the journals lose them.

ops/drift and ops/quality keep them by chunk, and ops/runs the largest of a run. Of a chunk of one photo they
are that photo's own, so they are recorded of chunks of `FEWEST` photos or more alone, and they go from all
three journals when a photo leaves that the chunk held. Verdicts and counts stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog, fault_points, metric_names
from lake.chunks import Chunk
from lake.run_journal import without_values
from lake.small_tables import with_column
from lake.writable_lake import WritableLake

FEWEST = 5
"""The fewest photos of a chunk whose measured values are recorded.

Who knows all photos but one of a chunk can calculate that one's value from a mean. Offices of statistics
publish no cell of fewer than three to ten persons for this reason. What a smaller chunk measures is little
more than chance."""


def chunks_made_of(chunks: Iterable[Chunk], numbers: Collection[int]) -> set[int]:
    """Return the numbers of chunks, and of every chunk that was, or may have been, made from one of them.

    A chunk of replayed photos may hold any that came before it.
    """
    found = set(numbers)
    for chunk in sorted(chunks, key=lambda each: each.number):
        if chunk.source_from is None or chunk.source_to is None:
            is_made = chunk.is_replay and any(number < chunk.number for number in numbers)
        else:
            is_made = any(chunk.source_from <= number <= chunk.source_to for number in found)
        if is_made:
            found.add(chunk.number)
    return found


def forget(lake: WritableLake, numbers: Collection[int], *, layer: str) -> None:
    """Remove what was measured over chunks from the journals. `layer` is the name that the commits carry.

    The rows of ops/drift go, as they hold nothing else but numbers that ops/chunks has. Those of ops/quality
    and ops/runs lose the values. What is gone already makes no commit. Raises Busy.
    """
    if not numbers:
        return
    chunks = pa.array(sorted(numbers), pa.int64())
    runs = _runs_that_measured(lake, chunks)
    # ops/drift comes last: it and ops/quality tell which runs measured, and rows of the latter stay.
    lake.rewrite(catalog.RUNS, lambda rows: _unmeasured_runs(rows, runs), layer=layer)
    fault_points.at(f"{layer}: values of runs gone")
    lake.rewrite(catalog.QUALITY, lambda rows: _unobserved(rows, chunks), layer=layer)
    fault_points.at(f"{layer}: observed values gone")
    lake.rewrite(catalog.DRIFT, lambda rows: rows.filter(_not_of(rows, chunks)), layer=layer)
    fault_points.at(f"{layer}: drift gone")


def _runs_that_measured(lake: WritableLake, chunks: pa.Array) -> set[str]:
    """Return the ids of the runs that judged or measured any of the chunks."""
    found: set[str] = set()
    for table in (catalog.DRIFT, catalog.QUALITY):
        rows = lake.records(table, columns=["run_id"], where=pc.field("chunk").isin(chunks))
        found |= {row["run_id"] for row in rows}
    return found


def _not_of(rows: pa.Table, chunks: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(rows["chunk"], value_set=chunks))


def _unobserved(rows: pa.Table, chunks: pa.Array) -> pa.Table:
    """Return rows of ops/quality, in which those of the chunks have no observed value."""
    kept = pc.if_else(_not_of(rows, chunks), rows["observed"], pa.scalar(None, pa.string()))
    return with_column(rows, "observed", kept)


def _unmeasured_runs(rows: pa.Table, runs: Collection[str]) -> pa.Table:
    """Return rows of ops/runs, in which those of the runs have no drift, and no measured value in `error`."""
    metrics, errors = [], []
    for run_id, measured, error in zip(
        *(rows[name].to_pylist() for name in ("run_id", "metrics", "error")), strict=True
    ):
        if run_id in runs:
            is_drift = metric_names.DRIFT
            measured = measured and [m for m in measured if not m[0].startswith(is_drift)]
            error = error and without_values(error)
        metrics.append(measured)
        errors.append(error)
    return with_column(with_column(rows, "metrics", metrics), "error", errors)
