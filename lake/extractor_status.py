"""The extractors that a lake knows: their rows in gold/models, and how far each has come."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import NoChunk
from lake.enums import RETIRE, ModelKind, ModelStatus
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


def extractors(lake: Lake) -> DataFrame:
    """The rows of gold/models that describe extractors."""
    return lake.read(catalog.MODELS).where(F.col("kind") == ModelKind.EXTRACTOR)


def mark(lake: WritableLake, weights_id: str, status: ModelStatus) -> None:
    """Gives the row of an extractor that status. Its other versions, PCAs and classifiers, become retired in
    any case. Raises Busy."""
    rows = lake.read(catalog.MODELS).where(F.col("weights_id") == weights_id)
    is_extractor = F.col("kind") == ModelKind.EXTRACTOR
    changed = rows.withColumn("status", F.when(is_extractor, status).otherwise(ModelStatus.RETIRED))
    lake.upsert(catalog.MODELS, changed, keys=["version"], chunk=NoChunk(RETIRE))
