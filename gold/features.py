"""gold/features: embeddings projected with a PCA version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from gold.models import PcaVersion
from gold.moments import matrix
from lake.catalog import schema

PROJECTED = schema(
    """photo_id string, subject string, label string, features array<float>, model_version string"""
)


def features(
    embeddings: DataFrame, model: PcaVersion, *, count: Callable[[int], None]
) -> DataFrame:
    """One row a (photo, PCA version): `features` is float32[model.pca.components].

    Source: silver/embeddings of the model's weights_id. Order is not kept. Workers tell `count` how many
    rows they have done.
    """
    context = embeddings.sparkSession.sparkContext
    broadcast = context.broadcast(model)
    arrow = to_arrow_schema(PROJECTED)

    def project(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = broadcast.value
        for batch in batches:
            if not batch.num_rows:
                continue
            projected = held.pca.project(matrix(batch.column("embedding")))
            n, k = projected.shape
            offsets = pa.array(range(0, (n + 1) * k, k), pa.int32())
            values = pa.ListArray.from_arrays(offsets, pa.array(projected.ravel()))
            columns = [batch.column(name) for name in ("photo_id", "subject", "label")]
            columns += [values.cast(arrow.field("features").type)]
            columns += [pa.array([held.version] * n, pa.string())]
            count(n)
            yield pa.RecordBatch.from_arrays(columns, schema=arrow)

    return embeddings.select("photo_id", "subject", "label", "embedding").mapInArrow(
        project, PROJECTED
    )
