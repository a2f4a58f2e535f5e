"""gold/moments: the sufficient statistics of every embedding of a model, folded chunk by chunk.

They make the covariance exact, so a PCA costs what is new and not what the lake holds. They are taken about
a fixed shift near the mean: about zero, a nearly constant column would lose all its digits
(Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

FOLDED = "n bigint, sum binary, gram binary"
PARTIALS = 16
"""Matrices that reach the driver at most: 13 MB each at 1,280 values, 33 MB at 2,048."""

BLOCK = 1024
"""Embeddings that are folded with one matrix product."""

Matrix = NDArray[np.float64]

DIFFER = "embeddings of one model differ in length"


@dataclass(frozen=True)
class Moments:
    """Of n embeddings x about `shift` s: `sum` Σ(x−s) float64[d], `gram` Σ(x−s)(x−s)ᵀ float64[d, d]."""

    n: int
    shift: Matrix
    sum: Matrix
    gram: Matrix

    @classmethod
    def none(cls, shift: Matrix) -> Self:
        """Of no embedding."""
        d = len(shift)
        return cls(0, shift, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, embeddings: NDArray[np.floating[Any]], shift: Matrix) -> Self:
        """Of float[n, d]."""
        moved = embeddings.astype(np.float64) - shift
        return cls(len(moved), shift, moved.sum(axis=0), moved.T @ moved)

    def __add__(self, other: Self) -> Self:
        """Of both sets of embeddings. Raises ValueError where the shifts differ."""
        self._check(other)
        return type(self)(
            self.n + other.n, self.shift, self.sum + other.sum, self.gram + other.gram
        )

    def __sub__(self, other: Self) -> Self:
        """Of the embeddings that are left once those of `other` are taken out."""
        self._check(other)
        return type(self)(
            self.n - other.n, self.shift, self.sum - other.sum, self.gram - other.gram
        )

    def _check(self, other: Self) -> None:
        if not np.array_equal(self.shift, other.shift):
            raise ValueError("moments about two shifts can't be combined")

    @property
    def mean(self) -> Matrix:
        """float64[d]."""
        return self.shift + self.sum / self.n

    def covariance(self) -> Matrix:
        """float64[d, d], centred, over n − 1. Raises ValueError below two embeddings."""
        if self.n < 2:
            raise ValueError("a covariance takes two embeddings")
        centred = self.gram - np.outer(self.sum, self.sum) / self.n
        return (centred + centred.T) / (2 * (self.n - 1))

    def row(self, *, weights_id: str, through_chunk: int) -> dict[str, Any]:
        """The row of gold/moments."""
        return {
            "weights_id": weights_id,
            "n": self.n,
            "shift": self.shift.tobytes(),
            "sum": self.sum.tobytes(),
            "gram": self.gram.tobytes(),
            "through_chunk": through_chunk,
        }

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """From a row of gold/moments."""
        shift = np.frombuffer(row["shift"])
        return cls(row["n"], shift, *_arrays(row, d=len(shift)))


def _arrays(row: Mapping[str, Any], *, d: int) -> tuple[Matrix, Matrix]:
    return np.frombuffer(row["sum"]), np.frombuffer(row["gram"]).reshape(d, d)


def matrix(embeddings: pa.ListArray) -> NDArray[np.float32]:
    """An Arrow column of lists of one length as float32[n, d], without a copy.

    Raises ValueError where the lengths differ.
    """
    n = len(embeddings)
    values = embeddings.flatten().to_numpy(zero_copy_only=False)
    d = len(values) // n if n else 0
    if not np.array_equal(embeddings.value_lengths().to_numpy(), np.full(n, d)):
        raise ValueError(DIFFER)
    return np.asarray(values, np.float32).reshape(n, d)


def blocks(
    batches: Iterable[pa.RecordBatch], *, dimensions: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """The `embedding` column of record batches as float32[≤ BLOCK + a batch, d], none of them empty.

    Batches are small for the sake of photos; a d × d matrix is better added once for many of them.
    Raises ValueError where the lengths differ, or are not `dimensions`.
    """
    held: list[NDArray[np.float32]] = []
    for batch in batches:
        if batch.num_rows:
            held.append(matrix(batch.column("embedding")))
            dimensions = dimensions or held[-1].shape[1]
            if held[-1].shape[1] != dimensions:
                raise ValueError(DIFFER)
        if sum(map(len, held)) >= BLOCK:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def fold(embeddings: DataFrame, shift: Matrix) -> Moments:
    """Moments of every `embedding` of the frame, summed on the workers and combined in a tree.

    Raises Py4JJavaError, which says DIFFER, where one has another length than the shift.
    """

    def folded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = Moments.none(shift)
        for block in blocks(batches, dimensions=len(shift)):
            total += Moments.of(block, shift)
        if total.n:
            yield _partial(total)

    def combined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = _total((row for batch in batches for row in batch.to_pylist()), shift)
        if total.n:
            yield _partial(total)

    partials = embeddings.select("embedding").mapInArrow(folded, FOLDED)
    if partials.rdd.getNumPartitions() > PARTIALS:
        partials = partials.repartition(PARTIALS).mapInArrow(combined, FOLDED)
    return _total((row.asDict() for row in partials.toLocalIterator()), shift)


def mean(embeddings: DataFrame) -> Matrix:
    """float64[d]: the mean of every `embedding` of the frame, of which there must be one.

    A shift for `fold`: it need only be near, so no matrix is made for it.
    """

    def summed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for block in blocks(batches):
            total = block.astype(np.float64).sum(axis=0)
            yield pa.RecordBatch.from_pydict({"n": [len(block)], "sum": [total.tobytes()]})

    sums = embeddings.select("embedding").mapInArrow(summed, "n bigint, sum binary").collect()
    return np.sum([np.frombuffer(row["sum"]) for row in sums], axis=0) / sum(
        row["n"] for row in sums
    )


def _partial(moments: Moments) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"n": [moments.n], "sum": [moments.sum.tobytes()], "gram": [moments.gram.tobytes()]}
    )


def _total(rows: Iterator[Mapping[str, Any]], shift: Matrix) -> Moments:
    total = Moments.none(shift)
    for row in rows:
        total += Moments(row["n"], shift, *_arrays(row, d=len(shift)))
    return total
