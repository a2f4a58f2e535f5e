"""The columns that views add to tables: facts about a row for rules, never a verdict.

Each is computed once, by Arrow and NumPy on record batches, for both engines of Great Expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake import finite_numbers
from lake.enums import ModelKind, ModelStatus
from lake.subject_names import NameRule
from lake.subject_paths import stored_subject

Counts = Mapping[tuple[Any, ...], int]
"""The number of rows for each combination of values in some columns."""

FLOAT64 = np.dtype(np.float64).itemsize
DAY = pa.scalar(1, pa.int32())
LABEL = ("label",)
CHAMPIONS_BY = ("weights_id", "kind", "status")


def with_columns(batch: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """Return the batch with further columns as its last ones."""
    for name, values in columns.items():
        batch = batch.append_column(name, values)
    return batch


def looked_up(keys: pa.Array, values: Mapping[Any, Any], kind: pa.DataType) -> pa.Array:
    """Return the value of each key as an array of a type, null for a key without one."""
    known = {key: values.get(key) for key in keys.unique().to_pylist()}
    places = pc.index_in(keys, pa.array(list(known), keys.type))
    return pa.array(list(known.values()), kind).take(places)


@dataclass(frozen=True)
class PhotoColumns:
    """Adds three columns to bronze/photos.

    `path_subject` is the pseudonym in the path, null without one, and `IN_CLEAR` where a part of the path
    looks like a subject's under the lake's rule `names`. `day_after_upload` is there because a phone's own
    date may be one day ahead of UTC. `label_excess` is as the function of that name does with the counts of
    labels in `history`. A table of earlier code lacks `split`, which is null then.
    """

    history: Mapping[str | None, int]
    names: NameRule

    def __call__(self, batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
        """Return the batch with these columns. `counts` are those of all rows by their label."""
        paths = batch.column("path")
        owners = {path: stored_subject(path, self.names) for path in paths.unique().to_pylist()}
        days = batch.column("uploaded_at").cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
        here = {label: counts[(label,)] for label in batch.column("label").unique().to_pylist()}
        excess = label_excess(here, self.history, rows=sum(counts.values()))
        none = pa.nulls(batch.num_rows, pa.string())
        return with_columns(
            batch,
            {
                **({} if "split" in batch.schema.names else {"split": none}),
                "path_subject": looked_up(paths, owners, pa.string()),
                "day_after_upload": pc.add(days.cast(pa.int32()), DAY).cast(pa.date32()),
                "label_excess": looked_up(batch.column("label"), excess, pa.float64()),
            },
        )


def label_excess(
    here: Mapping[str | None, int], before: Mapping[str | None, int], *, rows: int
) -> dict[str | None, float]:
    """Return, for each label, its part of the surplus rows, whose mean over rows is the share of these.

    `here` has the numbers of rows of some labels, out of so many `rows`. Rows are surplus where a label is
    more frequent than in the history. For a label with the share p here and q in the history, it is
    (p − q − 2σ) / p, and at least 0. σ is the standard error of p − q if both were drawn from one mix (the
    two-proportion z-test), because the shares of a few rows vary much by chance. Without a history it is 0.
    """
    if not before:
        return dict.fromkeys(here, 0.0)
    history_rows = sum(before.values())
    excess = {}
    for label, n in here.items():
        m = before.get(label, 0)
        p, q = n / rows, m / history_rows
        pooled = (n + m) / (rows + history_rows)
        error = sqrt(pooled * (1 - pooled) * (1 / rows + 1 / history_rows))
        excess[label] = max(0.0, (p - q - 2 * error) / p)
    return excess


@dataclass(frozen=True)
class EmbeddingColumns:
    """Adds to silver/embeddings what gold/models has for the weights_id: `model_dimensions` and
    `model_extractor`, here by weights_id."""

    dimensions: Mapping[str, int]
    extractors: Mapping[str, str]

    def __call__(self, batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
        """Return the batch with these columns."""
        models = batch.column("weights_id")
        return with_columns(
            batch,
            {
                "model_dimensions": looked_up(models, self.dimensions, pa.int32()),
                "model_extractor": looked_up(models, self.extractors, pa.string()),
            },
        )


@dataclass(frozen=True)
class FeatureColumns:
    """Adds to gold/features: `model_components`, the number of components of the PCA version, here by
    version; the chunk's drift, a column for each of its measures; and `unmeasured`, how many of these are
    not finite."""

    components: Mapping[str, int]
    drift: Mapping[str, float | None]

    def __call__(self, batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
        """Return the batch with these columns."""
        components = looked_up(batch.column("model_version"), self.components, pa.int32())
        n = batch.num_rows
        unmeasured = sum(v is None or not isfinite(v) for v in self.drift.values())
        return with_columns(
            batch,
            {"model_components": components}
            | {name: pa.repeat(pa.scalar(v, pa.float64()), n) for name, v in self.drift.items()}
            | {"unmeasured": pa.repeat(pa.scalar(unmeasured, pa.int64()), n)},
        )


def model_measures(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of gold/models with measures in the place of matrices, parameters, confusion table and
    metrics.

    It adds for every row:
    `parameter_bytes`, the bytes of mean, scale and basis, and `parameter_bytes_due`, their right number;
    `scree_gap`, the distance of `explained_variance` from its components' part of the scree;
    `not_finite`, the number of its numbers that are NaN or infinity.

    It adds for classifiers (see gold/cross_validation.py), where other rows have null:
    `accuracy` and `majority`, the accuracy and its baseline, null where they aren't numbers;
    `accuracy_gap`, the distance of the accuracy from that of the confusion table;
    `kinds`, the number of tested labels;
    `cells`, the number of cells of the confusion table, and `cells_due`, their right number, both null for a
    retired classifier, whose table may be wiped;
    `classifier_bytes`, the bytes of its parameters.

    It adds for extractors whose precision was judged (see silver/precision_quality.py), where other rows have
    null: `cosine_mean`, `cosine_least`, `neighbours_kept` and `variance_kept`.
    """
    wide = ["mean", "scale", "basis", "scree", "parameters", "confusion", "metrics"]
    sizes = {
        name: pc.binary_length(batch.column(name)).to_pylist()
        for name in ("mean", "scale", "basis", "parameters")
    }
    small = [name for name in batch.schema.names if name not in sizes]
    rows = batch.select(small).to_pylist(maps_as_pydicts="strict")
    blobs = batch.select(list(sizes)).to_pylist()
    for place, row in enumerate(rows):
        row |= {f"{name}_bytes": lengths[place] for name, lengths in sizes.items()}
    measures = [
        _fit_measures(row)
        | _classifier_measures(row)
        | _precision_measures(row)
        | {"not_finite": finite_numbers.of_model(row | blob)}
        for row, blob in zip(rows, blobs, strict=True)
    ]
    columns = pa.Table.from_pylist(measures, MODEL_MEASURES).combine_chunks()
    return with_columns(
        batch.drop_columns(wide),
        {name: _whole(columns.column(name)) for name in MODEL_MEASURES.names},
    )


PRECISION_MEASURES = ("cosine_mean", "cosine_least", "neighbours_kept", "variance_kept")
"""The metrics of an extractor's precision."""

MODEL_MEASURES = pa.schema(
    {
        "parameter_bytes": pa.int64(),
        "parameter_bytes_due": pa.int64(),
        "scree_gap": pa.float64(),
        "not_finite": pa.int64(),
        "accuracy": pa.float64(),
        "majority": pa.float64(),
        "accuracy_gap": pa.float64(),
        "kinds": pa.int32(),
        "cells": pa.int32(),
        "cells_due": pa.int32(),
        "classifier_bytes": pa.int32(),
        **dict.fromkeys(PRECISION_MEASURES, pa.float64()),
    }
)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _fit_measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures of a row's matrices and scree; null where what they need is null."""
    stored = [row[f"{name}_bytes"] for name in ("mean", "scale", "basis")]
    d, k, explained, scree = (
        row[name] for name in ("dimensions", "components", "explained_variance", "scree")
    )
    has_size = d is not None and k is not None
    has_scree = None not in (k, explained, scree) and None not in scree[:k]
    return {
        "parameter_bytes": None if None in stored else sum(stored),
        "parameter_bytes_due": FLOAT64 * d * (2 + k) if has_size else None,
        "scree_gap": abs(explained - sum(scree[:k])) if has_scree else None,
    }


def _classifier_measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures of a row's test and parameters; null where what they need is null."""
    is_classifier = row["kind"] == ModelKind.CLASSIFIER
    is_usable = is_classifier and row["status"] not in (None, ModelStatus.RETIRED)
    confusion, metrics = row["confusion"], row["metrics"] or {}
    kinds = len(row["labels"] or ())
    accuracy, majority = (_number(metrics.get(name)) for name in ("accuracy", "baseline"))
    total = sum(confusion or ())
    right = sum(confusion[:: kinds + 1]) if confusion else 0
    return {
        "accuracy": accuracy,
        "majority": majority,
        "accuracy_gap": None if accuracy is None or not total else abs(accuracy - right / total),
        "kinds": kinds if is_classifier else None,
        "cells": len(confusion or ()) if is_usable else None,
        "cells_due": kinds * kinds if is_usable else None,
        "classifier_bytes": row["parameters_bytes"],
    }


def _precision_measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measures of an extractor's precision; null where it was not judged, or is none."""
    is_extractor = row["kind"] == ModelKind.EXTRACTOR
    judged = (row["metrics"] or {}) if is_extractor else {}
    return {name: _number(judged.get(name)) for name in PRECISION_MEASURES}


def _number(value: float | None) -> float | None:
    """Return the value, or None for NaN."""
    return None if value is None or value != value else value


def champions(batch: pa.RecordBatch, counts: Counts) -> pa.RecordBatch:
    """Return rows of gold/models with `champions`, the number of champions of that weights_id and kind.

    `counts` are those of all rows by the columns of CHAMPIONS_BY.
    """
    pairs = zip(
        batch.column("weights_id").to_pylist(), batch.column("kind").to_pylist(), strict=True
    )
    numbers = [counts.get((*pair, str(ModelStatus.CHAMPION)), 0) for pair in pairs]
    return batch.append_column("champions", pa.array(numbers, pa.int64()))
