"""The views of the tables that `check` alone judges: no gate stands before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from expectations.view import View
from expectations.view_columns import FLOAT64, Counts, with_columns
from lake import catalog, finite_numbers
from lake.catalog import Table
from lake.enums import Outcome
from lake.row_source import RowSource

BETWEEN = "\n"
"""Stands between the parts of a key, of which none has it."""


def _as_they_are(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    return batch


def _key(batch: pa.RecordBatch, *columns: str, where: pa.Array | None = None) -> pa.Array:
    """Return a text for the values of a few columns, null where one of them or the condition `where` is."""
    parts = [batch.column(name).cast(pa.string()) for name in columns]
    key = pc.binary_join_element_wise(*parts, BETWEEN)
    return key if where is None else pc.if_else(where, key, pa.scalar(None, pa.string()))


def _object_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to bronze/objects: `stored_photo`, the photo_id of an object that was stored, else null; and
    `is_bare`, 1 for such an object without a photo_id, else 0."""
    is_stored = pc.fill_null(pc.equal(batch.column("outcome"), str(Outcome.STORED)), False)
    is_bare = pc.and_(is_stored, pc.is_null(batch.column("photo_id")))
    columns = {
        "stored_photo": _key(batch, "photo_id", where=is_stored),
        "is_bare": is_bare.cast(pa.int64()),
    }
    return with_columns(batch, columns)


def _refusal_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to silver/quarantine: `open_refusal`, the key of a refusal that was not replayed, else null."""
    is_open = pc.is_null(batch.column("replayed_at"))
    key = _key(batch, "photo_id", "weights_id", where=is_open)
    return with_columns(batch, {"open_refusal": key})


def _moments_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of gold/moments with numbers in the place of vectors and matrix.

    `not_finite` counts their values that are NaN or infinity. `sum_bytes` and `gram_bytes` are their sizes,
    and `sum_bytes_due` and `gram_bytes_due` those that follow from the shift's.
    """
    names = ("shift", "sum", "gram")
    rows = batch.select(list(names)).to_pylist()
    sizes = {name: pc.binary_length(batch.column(name)).cast(pa.int64()) for name in names}
    bad = [sum(finite_numbers.of_bytes(row[name]) for name in names) for row in rows]
    values = pc.divide(sizes["shift"], FLOAT64)
    columns = {
        "not_finite": pa.array(bad, pa.int64()),
        "sum_bytes": sizes["sum"],
        "sum_bytes_due": sizes["shift"],
        "gram_bytes": sizes["gram"],
        "gram_bytes_due": pc.multiply(pc.multiply(values, values), FLOAT64),
    }
    return with_columns(batch.drop_columns(list(names)), columns)


MEASURES = ("mean_shift", "reconstruction", "label_mix", "brightness")
"""The measures of ops/drift that are one number."""


def _drift_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of ops/drift with `unmeasured` and `negative` in the place of their measures: how many of
    these are missing or not finite, and how many are below 0."""
    unmeasured, negative = [], []
    for row in batch.select([*MEASURES, "components"]).to_pylist():
        measures = [*(row[name] for name in MEASURES), *(row["components"] or [None])]
        known: Sequence[float] = [value for value in measures if value is not None]
        unmeasured.append(len(measures) - len(known) + finite_numbers.of_numbers(known))
        negative.append(sum(value < 0 for value in known))
    columns = {
        "unmeasured": pa.array(unmeasured, pa.int64()),
        "negative": pa.array(negative, pa.int64()),
    }
    return with_columns(batch.drop_columns([*MEASURES, "components"]), columns)


def _request_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to privacy/erasures: `step`, the key of a request's state by its number."""
    return with_columns(batch, {"step": _key(batch, "request", "entry")})


def _tombstone_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to privacy/tombstones: `made`, the key of a tombstone that one request made."""
    return with_columns(batch, {"made": _key(batch, "tombstone", "request")})


UNREAD = (
    "photo_ids",
    "counts",
    "versions_before",
    "versions_after",
    "acknowledged",
)
"""The columns of privacy/erasures that hold lists, and no rule is about."""

Viewed = Callable[[RowSource], View]

OF: Mapping[Table, Viewed] = {
    catalog.OBJECTS: lambda rows: View(rows, None, _object_columns),
    catalog.REJECTED: lambda rows: View(rows, None, _as_they_are),
    catalog.QUARANTINE: lambda rows: View(rows, None, _refusal_columns),
    catalog.MOMENTS: lambda rows: View(rows, _moments_columns, _as_they_are),
    catalog.HELD_OUT: lambda rows: View(rows, None, _as_they_are),
    catalog.DRIFT: lambda rows: View(rows, _drift_columns, _as_they_are),
    catalog.TOMBSTONES: lambda rows: View(rows, None, _tombstone_columns),
    catalog.ERASURES: lambda rows: View(rows, None, _request_columns, unread=UNREAD),
}
"""How the rows of each such table are seen by its suite."""
