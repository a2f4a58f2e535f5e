"""gold/moments: the sufficient statistics of all embeddings of a model, updated chunk by chunk.

They give the exact covariance, so the cost of a PCA depends on the new embeddings and not on all of the
lake. They are taken about a shift near the mean. About zero, a nearly constant column would lose all its
digits (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance"). The shift stays while
embeddings are added, and moves when some are subtracted, because it may have been made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lake.row_source import RowSource

FOLDED = "n bigint, sum binary, gram binary"
PARTIALS = 16
"""The most matrices that reach the driver: one takes 13 MB at 1,280 values and 33 MB at 2,048."""

BLOCK = 1024
"""How many embeddings are added with one matrix product."""

Matrix = NDArray[np.float64]

DIFFER = "embeddings of one model differ in length"
NOT_FINITE = "values of embeddings are not finite"


@dataclass(frozen=True)
class Moments:
    """Moments of n embeddings x about the point `shift` s, float64[d].

    `sum` is Σ(x−s), float64[d], and `gram` is Σ(x−s)(x−s)ᵀ, float64[d, d].
    """

    n: int
    shift: Matrix
    sum: Matrix
    gram: Matrix

    @classmethod
    def none(cls, shift: Matrix) -> Self:
        """Return the moments of an empty set of embeddings."""
        d = len(shift)
        return cls(0, shift, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, embeddings: NDArray[np.floating[Any]], shift: Matrix) -> Self:
        """Return the moments of embeddings float[n, d]."""
        moved = embeddings.astype(np.float64) - shift
        return cls(len(moved), shift, moved.sum(axis=0), moved.T @ moved)

    def __add__(self, other: Self) -> Self:
        """Return the moments of both sets of embeddings. Raises ValueError where the shifts differ."""
        self._check(other)
        return type(self)(
            self.n + other.n, self.shift, self.sum + other.sum, self.gram + other.gram
        )

    def __sub__(self, other: Self) -> Self:
        """Return the moments without the embeddings of `other`. Raises ValueError where the shifts differ."""
        self._check(other)
        return type(self)(
            self.n - other.n, self.shift, self.sum - other.sum, self.gram - other.gram
        )

    def about(self, shift: Matrix) -> Self:
        """Return the moments of the same embeddings about another shift, float64[d]: no embedding is read.

        With δ = s − shift, Σ(x−shift) = sum + nδ, and the products are gram + sum δᵀ + δ sumᵀ + n δδᵀ.
        """
        moved = self.shift - shift
        cross = np.outer(moved, self.sum)
        gram = self.gram + (cross + cross.T) + self.n * np.outer(moved, moved)
        return type(self)(self.n, shift, self.sum + self.n * moved, gram)

    def recentred(self) -> Self:
        """Return the moments about the mean of their embeddings, rounded to float32.

        Such a shift depends on no embedding that was subtracted, while the one before may be the mean of a
        few of those, or one of them itself. The mean is calculated by the shift before: rounding leaves none
        of its last bits. Moments of no embedding get the shift zero.
        """
        if not self.n:
            return self.none(np.zeros_like(self.shift))
        return self.about(self.mean.astype(np.float32).astype(np.float64))

    def _check(self, other: Self) -> None:
        if not np.array_equal(self.shift, other.shift):
            raise ValueError("moments about two shifts can't be added or subtracted")

    @property
    def mean(self) -> Matrix:
        """The mean of the embeddings, float64[d]."""
        return self.shift + self.sum / self.n

    def covariance(self) -> Matrix:
        """Return the covariance float64[d, d], with the divisor n − 1.

        Raises ValueError for fewer than two embeddings.
        """
        if self.n < 2:
            raise ValueError(f"a covariance takes two embeddings or more, not {self.n}")
        centred = self.gram - np.outer(self.sum, self.sum) / self.n
        return (centred + centred.T) / (2 * (self.n - 1))

    def row(self, *, weights_id: str, through_chunk: int) -> dict[str, Any]:
        """Return the row of gold/moments for this model.

        `through_chunk` is the number of the last chunk whose embeddings are in the moments.
        """
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
        """Return the moments in a row of gold/moments."""
        shift = np.frombuffer(row["shift"])
        return cls(row["n"], shift, *_arrays(row, d=len(shift)))


def _arrays(row: Mapping[str, Any], *, d: int) -> tuple[Matrix, Matrix]:
    """Return (sum, gram) of a row that holds them as bytes."""
    return np.frombuffer(row["sum"]), np.frombuffer(row["gram"]).reshape(d, d)


def matrix(embeddings: pa.ListArray) -> NDArray[np.float32]:
    """Return an Arrow column of lists of one length as float32[n, d], without a copy.

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
    """Yield the `embedding` column of record batches in larger blocks, float32[n, d], none of them empty.

    A block has BLOCK rows or more, but for the last one. Spark's batches are small because photos are large,
    and it is faster to add one d × d matrix for many rows. Raises ValueError where the lengths of embeddings
    differ, or are not `dimensions`.
    """
    collected: list[NDArray[np.float32]] = []
    for batch in batches:
        if batch.num_rows:
            collected.append(matrix(batch.column("embedding")))
            dimensions = dimensions or collected[-1].shape[1]
            if collected[-1].shape[1] != dimensions:
                raise ValueError(DIFFER)
        if sum(map(len, collected)) >= BLOCK:
            yield np.concatenate(collected)
            collected = []
    if collected:
        yield np.concatenate(collected)


def fold(embeddings: RowSource, shift: Matrix) -> Moments:
    """Return the moments of every `embedding` of the rows about a shift, float64[d].

    Those of many are summed on the workers and combined in a tree. Raises ValueError, PythonException or
    Py4JJavaError, whose message contains DIFFER, where an embedding has another length than the shift.
    """

    def folded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = Moments.none(shift)
        for block in blocks(batches, dimensions=len(shift)):
            total += Moments.of(block, shift)
        if total.n:
            yield _partial(total)

    def combined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = _total(batches, shift)
        if total.n:
            yield _partial(total)

    if embeddings.are_few:
        return _total(folded(embeddings.batches("embedding")), shift)
    partials = embeddings.on_workers(["embedding"], folded, FOLDED)
    if partials.rdd.getNumPartitions() > PARTIALS:
        partials = partials.repartition(PARTIALS).mapInArrow(combined, FOLDED)
    return _total(partials.toArrow().to_batches(), shift)


def mean(embeddings: RowSource) -> Matrix:
    """Return the mean of every `embedding` of the rows, float64[d]; there must be one. Raises as `fold`.

    It serves as the shift of `fold`. This pass only adds vectors and makes no d × d matrix.
    """

    def summed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for block in blocks(batches):
            total = block.astype(np.float64).sum(axis=0)
            yield pa.RecordBatch.from_pydict({"n": [len(block)], "sum": [total.tobytes()]})

    if embeddings.are_few:
        sums = pa.Table.from_batches(summed(embeddings.batches("embedding")))
    else:
        sums = embeddings.on_workers(["embedding"], summed, "n bigint, sum binary").toArrow()
    total = np.sum([np.frombuffer(each) for each in sums["sum"].to_pylist()], axis=0)
    return total / pc.sum(sums["n"]).as_py()


def _partial(moments: Moments) -> pa.RecordBatch:
    """Return the moments without their shift as a record batch of one row, with the columns of FOLDED."""
    return pa.RecordBatch.from_pydict(
        {"n": [moments.n], "sum": [moments.sum.tobytes()], "gram": [moments.gram.tobytes()]}
    )


def _total(batches: Iterable[pa.RecordBatch], shift: Matrix) -> Moments:
    """Return the sum of the moments about one shift in record batches with the columns of FOLDED."""
    total = Moments.none(shift)
    for row in (row for batch in batches for row in batch.to_pylist()):
        total += Moments(row["n"], shift, *_arrays(row, d=len(shift)))
    return total
