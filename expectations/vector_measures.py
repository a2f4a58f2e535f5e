"""Measures of vectors, such as embeddings, for the views that suites judge: length, norm and distance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DoubleType, IntegerType, StructField, StructType


@dataclass(frozen=True)
class Centre:
    """The centre of a model's embeddings.

    `mean` is float64[d], and `spread` is the mean squared distance of the embeddings to it.
    """

    mean: NDArray[np.float64]
    spread: float


def measured(rows: DataFrame, vector: str, *, centres: Mapping[str, Centre]) -> DataFrame:
    """Return the rows with three measures of an array column in its place, by NumPy on the workers.

    `<vector>_length` is the number of values, null for null. `<vector>_norm` is the Euclidean norm, float64:
    null for null, NaN where a value is null or NaN. `<vector>_distance` is the squared distance to the
    centre of the row's weights_id, divided by the centre's spread. It is 1 without a centre, for a spread of
    0, and for a vector of another length.
    """
    narrow = rows.drop(vector).schema
    kept = narrow.fieldNames()
    schema = StructType(
        [
            *narrow,
            StructField(f"{vector}_length", IntegerType()),
            StructField(f"{vector}_norm", DoubleType()),
            StructField(f"{vector}_distance", DoubleType()),
        ]
    )

    def measure(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        arrow = to_arrow_schema(schema)
        for batch in batches:
            if not batch.num_rows:
                continue
            models = batch.column("weights_id") if "weights_id" in batch.schema.names else None
            columns = [batch.column(name) for name in kept]
            columns += _measures(batch.column(vector), models, centres)
            casted = [c.cast(field.type) for c, field in zip(columns, arrow, strict=True)]
            yield pa.RecordBatch.from_arrays(casted, schema=arrow)

    return rows.mapInArrow(measure, schema)


def _measures(
    vectors: pa.ListArray, models: pa.StringArray | None, centres: Mapping[str, Centre]
) -> list[pa.Array]:
    """Return the lengths, the norms and the distances of a batch's vectors.

    `models` is the weights_id of each vector, or None in a table without that column.
    """
    n = len(vectors)
    lengths = vectors.value_lengths()
    counts = lengths.fill_null(0).to_numpy()
    values = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    row = np.repeat(np.arange(n), counts)
    norms = np.sqrt(np.bincount(row, weights=values * values, minlength=n))
    distances = np.ones(n)
    for weights_id, centre in centres.items():
        if models is None or centre.spread <= 0:
            continue
        is_same_model = np.array(models.to_pylist()) == weights_id
        comparable = is_same_model & (counts == len(centre.mean))
        moved = values[comparable[row]].reshape(-1, len(centre.mean)) - centre.mean
        distances[comparable] = np.einsum("ij,ij->i", moved, moved) / centre.spread
    return [lengths, pa.array(norms, mask=lengths.is_null().to_numpy(False)), pa.array(distances)]
