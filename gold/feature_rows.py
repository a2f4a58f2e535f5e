"""The rows of gold/features: embeddings that are projected with a PCA version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import to_arrow_schema

from gold.moments import NOT_FINITE, matrix
from gold.pca import Pca
from lake.catalog import schema
from lake.row_source import RowSource

KEPT = ("photo_id", "subject", "label", "brightness")
"""The columns of silver/embeddings that the features keep."""

TAKEN = (*KEPT, "embedding")
"""The columns of silver/embeddings that a projection reads."""

STAGED = schema(
    """photo_id string, subject string, label string, brightness double, features array<float>,
    residual double, model_version string"""
)
"""The columns of staged features, one row a photo. `residual` is the reconstruction error of its
embedding."""

MEASURES = ("brightness", "residual")
"""The columns of STAGED that only the drift needs."""


def without_measures(staged: RowSource) -> RowSource:
    """Return staged features without the columns that gold/features doesn't have."""
    assert staged.scan is not None
    columns = {name: pc.field(name) for name in STAGED.names if name not in MEASURES}
    scan = replace(staged.scan, columns=columns)
    return RowSource(lambda: staged.frame().drop(*MEASURES), scan)


def features(
    embeddings: RowSource, pca: Pca, *, version: str, count: Callable[[int], None]
) -> RowSource:
    """Return one row (`STAGED`) for each photo and PCA version: `features` is float32[pca.components].

    The drift needs `brightness` and `residual`, which gold/features doesn't have. `embeddings` are rows of
    silver/embeddings with the version's weights_id, and their order is not kept. Few of them are projected at
    once, in this process. Whoever projects calls `count` with the number of rows that are done. Raises as
    `moments.fold`, here or where the rows are read, and with NOT_FINITE in the message where an embedding has
    a value that is not finite.
    """
    if embeddings.are_few:
        batches = _projected(embeddings.batches(*TAKEN), pca, version=version, count=count)
        rows = pa.Table.from_batches(batches, to_arrow_schema(STAGED))
        return RowSource.of(rows, lambda: embeddings.frame().sparkSession)
    broadcast = embeddings.frame().sparkSession.sparkContext.broadcast(pca)

    def project(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _projected(batches, broadcast.value, version=version, count=count)

    return RowSource(lambda: embeddings.on_workers(TAKEN, project, STAGED))


def _projected(
    batches: Iterable[pa.RecordBatch], pca: Pca, *, version: str, count: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    arrow = to_arrow_schema(STAGED)
    for batch in batches:
        if not batch.num_rows:
            continue
        embedded = matrix(batch.column("embedding"))
        if not np.isfinite(embedded).all():
            raise ValueError(NOT_FINITE)
        features, residuals = pca.project_with_residuals(embedded)
        n, k = features.shape
        offsets = pa.array(range(0, (n + 1) * k, k), pa.int32())
        values = pa.ListArray.from_arrays(offsets, pa.array(features.ravel()))
        columns = [batch.column(name) for name in KEPT]
        columns += [values.cast(arrow.field("features").type), pa.array(residuals)]
        columns += [pa.array([version] * n, pa.string())]
        count(n)
        yield pa.RecordBatch.from_arrays(columns, schema=arrow)
