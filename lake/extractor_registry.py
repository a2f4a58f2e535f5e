"""The rows of gold/models about extractors, and how far each has come."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import Chunk, ChunkState
from lake.lake import Lake

CONVERTED, RETIRING, RETIRED = "converted", "retiring", "retired"
"""Of an extractor's row in gold/models. A model that is `retiring` is used by nobody, and to be finished."""


def extractors(lake: Lake) -> DataFrame:
    """The rows of gold/models about extractors."""
    return lake.read(catalog.MODELS).where("kind = 'extractor'")


def mark(lake: Lake, weights_id: str, status: str) -> None:
    """Gives the extractor's row that status. Its PCA versions are retired, whatever it is."""
    rows = lake.read(catalog.MODELS).where(F.col("weights_id") == weights_id)
    new = F.when(F.col("kind") == "extractor", status).otherwise(RETIRED)
    nobody = Chunk(0, "retire", ChunkState.PLANNED)
    lake.upsert(catalog.MODELS, rows.withColumn("status", new), keys=["version"], chunk=nobody)
