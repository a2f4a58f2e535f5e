"""Measures of vectors, such as embeddings, for the views that suites judge: length, norm and distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Centre:
    """The centre of a model's embeddings.

    `mean` is float64[d], and `spread` is the mean squared distance of the embeddings to it.
    """

    mean: NDArray[np.float64]
    spread: float


@dataclass(frozen=True)
class VectorMeasures:
    """Puts three measures in the place of a column of vectors, by NumPy on a record batch.

    `<vector>_length` is the number of values, null for null. `<vector>_norm` is the Euclidean norm, float64:
    null for null, NaN where a value is null or NaN. `<vector>_distance` is the squared distance to the
    centre of the row's weights_id, divided by the centre's spread. It is 1 without a centre, for a spread of
    0, and for a vector of another length. Where vectors `are_hashed`, `<vector>_hash` is a text that two
    vectors have in common where they are the same bit for bit, null for null.
    """

    vector: str
    centres: Mapping[str, Centre] = field(default_factory=dict)
    are_hashed: bool = False

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the measures as its last columns and without the vectors."""
        models = batch.column("weights_id") if "weights_id" in batch.schema.names else None
        measures = _measures(batch.column(self.vector), models, self.centres)
        narrow = batch.drop_columns([self.vector])
        for name, values in zip(("length", "norm", "distance"), measures, strict=True):
            narrow = narrow.append_column(f"{self.vector}_{name}", values)
        if self.are_hashed:
            hashes = _hashes(batch.column(self.vector))
            narrow = narrow.append_column(f"{self.vector}_hash", hashes)
        return narrow


def _hashes(vectors: pa.ListArray) -> pa.StringArray:
    """Return a hash of the bytes of each vector's values, null for null."""
    counts = vectors.value_lengths().fill_null(0).to_numpy()
    values = vectors.flatten().to_numpy(zero_copy_only=False)
    ends = np.cumsum(counts)
    found = [
        blake2b(values[end - n : end].tobytes(), digest_size=16).hexdigest()
        for n, end in zip(counts.tolist(), ends.tolist(), strict=True)
    ]
    return pa.array(found, pa.string(), mask=vectors.is_null().to_numpy(False))


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
