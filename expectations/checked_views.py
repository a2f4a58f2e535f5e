"""The views of the tables that `check` alone judges: no gate stands before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from expectations.view import View
from expectations.view_columns import FLOAT64, Counts, with_columns
from expectations.whole_rows import ChunkHistories
from lake import catalog, finite_numbers
from lake.catalog import LAYER_OF, Table
from lake.chunks import STATES_OF, ChunkState
from lake.enums import BRONZE, GOLD, SILVER, TESTING, TRAINING, GateAction, Outcome
from lake.row_source import RowSource

BETWEEN = "\n"
"""Stands between the parts of a key, of which none has it."""


def _as_they_are(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    return batch


def _key(batch: pa.RecordBatch, *columns: str, where: pa.Array | None = None) -> pa.Array:
    """Return a text for the values of a few columns, null where one of them or the condition `where` is."""
    parts = [_text(batch.column(name)) for name in columns]
    key = pc.binary_join_element_wise(*parts, BETWEEN)
    return key if where is None else pc.if_else(where, key, pa.scalar(None, pa.string()))


def _text(values: pa.Array) -> pa.Array:
    """Return values as texts, times as their microseconds."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz)).cast(pa.int64())
    return values.cast(pa.string())


def _object_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to bronze/objects: `stored_photo`, the photo_id of an object that was stored, else null; `is_bare`,
    1 for such an object without a photo_id, else 0; and `contradicts`, 1 for an object in the landing folder
    of whose photo objects there tell several labels, else 0."""
    none = pa.nulls(batch.num_rows, pa.string())
    path = batch.column("path") if "path" in batch.schema.names else none  # earlier code has none
    is_stored = pc.fill_null(pc.equal(batch.column("outcome"), str(Outcome.STORED)), False)
    is_bare = pc.and_(is_stored, pc.is_null(batch.column("photo_id")))
    columns = {
        "stored_photo": _key(batch, "photo_id", where=is_stored),
        "is_bare": is_bare.cast(pa.int64()),
        "contradicts": pc.is_valid(path).cast(pa.int64()),
    }
    return with_columns(batch, columns)


def _known_key_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of bronze/known_keys with `key_bytes`, the size of the key, and `known`, the key in hex
    digits by what it is of, in its place."""
    keys = batch.column("key")
    digits = [None if key is None else key.hex() for key in keys.to_pylist()]
    texts = batch.drop_columns(["key"]).append_column("digits", pa.array(digits, pa.string()))
    columns = {
        "key_bytes": pc.binary_length(keys).cast(pa.int64()),
        "known": _key(texts, "of", "digits"),
    }
    return with_columns(texts.drop_columns(["digits"]), columns)


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


def _tested_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Return rows of gold/held_out with 0 as the fold of a photo that got its label after the training, as it
    was in none, and as its scene where earlier code gave it none; and `is_half_told`, 1 where only one of the
    columns of such a photo is there, else 0."""
    columns = {name: batch.column(name) for name in ("scene", "fold")}
    is_half_told = pa.nulls(batch.num_rows, pa.int64()).fill_null(0)
    if "labelled_at" in batch.schema.names:  # earlier code has neither of the two
        is_later = pc.is_valid(batch.column("labelled_at"))
        columns = {
            name: pc.if_else(is_later, pc.fill_null(values, 0), values)
            for name, values in columns.items()
        }
        is_half_told = pc.xor(is_later, pc.is_valid(batch.column("learned"))).cast(pa.int64())
    kept = batch.drop_columns(list(columns))
    return with_columns(kept, columns | {"is_half_told": is_half_told})


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
    """Add to privacy/tombstones: `made`, the key of a tombstone that one request made; and `shape`, the key
    of a tombstone by its kind, as those of one photo of a subject are two hashes long."""
    columns = {"made": _key(batch, "tombstone", "request"), "shape": _key(batch, "of", "tombstone")}
    return with_columns(batch, columns)


def _run_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of ops/runs with `bad_counts` in the place of their counts: how many of these are missing
    or below 0. It adds `part`, the key of a layer of a run."""
    bad = [
        sum(count is None or count < 0 for _, count in counts or ())
        for counts in batch.column("counts").to_pylist()
    ]
    columns = {"bad_counts": pa.array(bad, pa.int64()), "part": _key(batch, "run_id", "layer")}
    return with_columns(batch.drop_columns(["counts"]), columns)


TABLE_OF = {layer: table.name for table, layer in LAYER_OF.items()}
"""The tables that hold the photos of chunks, by their layer."""

NEEDED = {
    SILVER: ("weights_id",),
    GOLD: ("weights_id", "model_version", "source_from", "source_to"),
    TRAINING: ("weights_id",),
    TESTING: ("weights_id", "model_version"),
}
"""The columns of ops/chunks without which nothing can go on with a chunk of a layer."""

JUDGED_LATER = (ChunkState.JUDGED, ChunkState.BLOCKED, ChunkState.RELEASED)
"""The states that a chunk of bronze reaches after its publication."""


def _chunk_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of ops/chunks with these in the place of their versions.

    `bad_versions` counts those of a table that isn't in the catalogue, and those below 1. `is_unversioned` is
    1 for a chunk that readers see, with photos but without the version of their table, else 0. `lacking`
    counts the columns that are null though the layer needs them. `is_misplaced` is 1 for a state that the
    layer's chunks don't reach, else 0. `step` is the key of a chunk's state by its number.
    """
    rows = batch.to_pylist()
    names = {table.name for table in catalog.TABLES}
    values = {
        "bad_versions": [
            sum(name not in names or version is None or version < 1 for name, version in held)
            for held in (row["versions"] or () for row in rows)
        ],
        "is_unversioned": [int(_is_unversioned(row)) for row in rows],
        "lacking": [
            sum(row[name] is None for name in NEEDED.get(row["layer"], ()))
            + ((row["source_from"] is None) is not (row["source_to"] is None))
            for row in rows
        ],
        "is_misplaced": [int(_is_misplaced(row)) for row in rows],
    }
    columns = {name: pa.array(numbers, pa.int64()) for name, numbers in values.items()}
    step = _key(batch, "chunk", "entry")
    return with_columns(batch.drop_columns(["versions"]), columns | {"step": step})


def _is_unversioned(row: Mapping[str, Any]) -> bool:
    layer, state = row["layer"], row["state"]
    is_seen = state == ChunkState.PUBLISHED or (layer == BRONZE and state in JUDGED_LATER)
    if not (is_seen and layer in TABLE_OF and row["photos"]):
        return False
    return TABLE_OF[layer] not in dict(row["versions"] or ())


def _is_misplaced(row: Mapping[str, Any]) -> bool:
    layer, state = row["layer"], row["state"]
    return layer in STATES_OF and state in set(ChunkState) and state not in STATES_OF[layer]


def _quality_columns(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Add to ops/quality: `result`, the key of an expectation's result in one gate; and `disagrees`, 1 where
    `success` says another thing than `action`, else 0."""
    passed = pc.equal(batch.column("action"), str(GateAction.PASSED))
    disagrees = pc.fill_null(pc.xor(batch.column("success"), passed), False)
    columns = {
        "result": _key(batch, "run_id", "chunk", "suite", "expectation", "judged_at"),
        "disagrees": disagrees.cast(pa.int64()),
    }
    return with_columns(batch, columns)


UNREAD = (
    "photo_ids",
    "counts",
    "versions_before",
    "versions_after",
    "acknowledged",
)
"""The columns of privacy/erasures that hold lists, and no rule is about."""

Viewed = Callable[[RowSource], View]

_journal = partial(View, is_journal=True)

OF: Mapping[Table, Viewed] = {
    catalog.OBJECTS: lambda rows: View(rows, None, _object_columns),
    catalog.REJECTED: lambda rows: View(rows, None, _as_they_are),
    catalog.KNOWN_KEYS: lambda rows: View(rows, _known_key_columns, _as_they_are),
    catalog.QUARANTINE: lambda rows: View(rows, None, _refusal_columns),
    catalog.MOMENTS: lambda rows: View(rows, _moments_columns, _as_they_are),
    catalog.HELD_OUT: lambda rows: View(rows, None, _tested_columns),
    catalog.RUNS: lambda rows: _journal(
        rows, _run_columns, _as_they_are, unread=("metrics", "error")
    ),
    catalog.CHUNKS: lambda rows: _journal(
        rows, _chunk_columns, _as_they_are, whole=ChunkHistories()
    ),
    catalog.DRIFT: lambda rows: _journal(rows, _drift_columns, _as_they_are),
    catalog.QUALITY: lambda rows: _journal(rows, None, _quality_columns, unread=("observed",)),
    catalog.TOMBSTONES: lambda rows: View(rows, None, _tombstone_columns),
    catalog.ERASURES: lambda rows: View(rows, None, _request_columns, unread=UNREAD),
}
"""How the rows of each such table are seen by its suite."""
