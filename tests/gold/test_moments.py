"""Moments on Spark's workers."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest

from gold.moments import DIFFER, PARTIALS, Moments, fold, matrix, mean
from lake.arrow_scan import Scan
from lake.row_source import RowSource


@pytest.mark.parametrize("partitions", [1, 3, PARTIALS + 4])
def test_folding_on_workers_equals_moments_of_all(spark, partitions):
    x, table = embeddings()
    rows = RowSource(lambda: spark.createDataFrame(table).repartition(partitions))
    assert not rows.are_few
    assert_moments_of(x, rows)


def test_few_embeddings_are_folded_in_this_process():
    x, table = embeddings()
    rows = RowSource(None, Scan(lambda: pyarrow.dataset.dataset(table), most=lambda: len(x)))
    assert rows.are_few
    assert_moments_of(x, rows)


def embeddings():
    """500 embeddings, and a table that holds them."""
    x = np.random.default_rng(0).normal(5, 2, (500, 12)).astype(np.float32)
    return x, pa.table({"embedding": pa.array(list(x), pa.list_(pa.float32()))})


def assert_moments_of(x, rows):
    """Check that folding the rows about their mean gives the moments of x."""
    shift = mean(rows)
    np.testing.assert_allclose(shift, x.astype(np.float64).mean(axis=0), rtol=1e-12)
    folded, here = fold(rows, shift), Moments.of(x, shift)
    assert folded.n == 500
    np.testing.assert_allclose(folded.gram, here.gram, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(folded.sum, here.sum, atol=1e-9)


def test_embeddings_of_two_lengths_are_not_taken_for_one():
    mixed = pa.array([[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]], pa.list_(pa.float32()))
    with pytest.raises(ValueError, match="differ in length"):
        matrix(mixed)


@pytest.mark.parametrize("length", [1, 5, 24])
def test_embeddings_of_another_length_than_the_shift_are_not_folded(length):
    """Not even those of one value, which NumPy would subtract from every component."""
    values = pa.array([[1.0] * length] * 3, pa.list_(pa.float32()))
    rows = RowSource.of(pa.table({"embedding": values}), spark=None)
    with pytest.raises(ValueError, match=DIFFER):
        fold(rows, np.zeros(12))
