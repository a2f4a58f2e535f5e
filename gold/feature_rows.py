"""The rows of gold/features: embeddings that are projected with a PCA version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from gold.moments import matrix
from gold.pca import Pca
from lake.catalog import schema

KEPT = ("photo_id", "subject", "label", "brightness")
"""The columns of silver/embeddings that the features keep."""

STAGED = schema(
    """photo_id string, subject string, label string, brightness double, features array<float>,
    residual double, model_version string"""
)
"""The columns of staged features, one row a photo. `residual` is the reconstruction error of its
embedding."""


def features(
    embeddings: DataFrame, pca: Pca, *, version: str, count: Callable[[int], None]
) -> DataFrame:
    """Return one row (`STAGED`) for each photo and PCA version: `features` is float32[pca.components].

    The drift needs `brightness` and `residual`, which gold/features doesn't have. `embeddings` are rows of
    silver/embeddings with the version's weights_id, and their order is not kept. Workers call `count` with
    the number of rows that they have done.
    """
    broadcast = embeddings.sparkSession.sparkContext.broadcast(pca)
    arrow = to_arrow_schema(STAGED)

    def project(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        local = broadcast.value
        for batch in batches:
            if not batch.num_rows:
                continue
            projected, residuals = local.project_with_residuals(matrix(batch.column("embedding")))
            n, k = projected.shape
            offsets = pa.array(range(0, (n + 1) * k, k), pa.int32())
            values = pa.ListArray.from_arrays(offsets, pa.array(projected.ravel()))
            columns = [batch.column(name) for name in KEPT]
            columns += [values.cast(arrow.field("features").type), pa.array(residuals)]
            columns += [pa.array([version] * n, pa.string())]
            count(n)
            yield pa.RecordBatch.from_arrays(columns, schema=arrow)

    return embeddings.select(*KEPT, "embedding").mapInArrow(project, STAGED)
