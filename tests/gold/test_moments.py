"""Moments on Spark's workers."""

import numpy as np
import pyarrow as pa
import pytest

from gold.moments import PARTIALS, Moments, fold, matrix, mean


@pytest.mark.parametrize("partitions", [1, 3, PARTIALS + 4])
def test_folding_on_workers_equals_folding_here(spark, partitions):
    x = np.random.default_rng(0).normal(5, 2, (500, 12)).astype(np.float32)
    table = pa.table({"embedding": pa.array(list(x), pa.list_(pa.float32()))})
    frame = spark.createDataFrame(table).repartition(partitions)
    shift = mean(frame)
    np.testing.assert_allclose(shift, x.astype(np.float64).mean(axis=0), rtol=1e-12)
    folded, here = fold(frame, shift), Moments.of(x, shift)
    assert folded.n == 500
    np.testing.assert_allclose(folded.gram, here.gram, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(folded.sum, here.sum, atol=1e-9)


def test_embeddings_of_two_lengths_are_not_taken_for_one():
    mixed = pa.array([[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]], pa.list_(pa.float32()))
    with pytest.raises(ValueError, match="differ in length"):
        matrix(mixed)
