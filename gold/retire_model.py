"""Retiring a model: its rows leave silver and gold; what it was, and that it was, stays in gold/models."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import embedding_removal, model_versions
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkState
from lake.extractor_registry import RETIRED, RETIRING, extractors, mark
from lake.lake import Lake

LAYER = "retire"


def retire(lake: Lake, model: str) -> Mapping[str, int]:
    """Removes the rows of a model: how many from each table. Calling it again finishes what was cut short.

    `model` is its weights_id, the beginning of it, or an extractor's name where that has one model only.
    Raises BadInput (no such model, several; another model's chunk is half published), Busy.
    """
    weights_id = _weights_id(lake, model)
    embedding_removal.check_nothing_is_half_published(lake, but_of=weights_id)
    mark(lake, weights_id, RETIRING)
    fault_points.at("retire: marked")
    removed = dict(embedding_removal.depart(lake, _photos(lake, weights_id), but_of=weights_id))
    fault_points.at("retire: departed")
    own = f"weights_id = '{weights_id}'"
    [chunk] = lake.ledger.plan([Chunk(0, LAYER, ChunkState.PLANNED, weights_id=weights_id)])
    for table in (catalog.MOMENTS, catalog.QUARANTINE):
        rows = lake.read(table).where(own).count()
        if rows:
            lake.delete(table, own, chunk=chunk)
            removed[table.name] = rows
        fault_points.at(f"retire: {table.name}")
    chunks = [c for c in lake.ledger.chunks().values() if c.weights_id == weights_id]
    lake.ledger.retire([c for c in chunks if c.state is not ChunkState.RETIRED])
    fault_points.at("retire: chunks")
    mark(lake, weights_id, RETIRED)
    return removed


def _photos(lake: Lake, weights_id: str) -> DataFrame:
    """Every photo of which silver or gold holds a row of the model, as `departure.depart` takes them."""
    own = F.col("weights_id") == weights_id
    versions = model_versions.versions(lake.read(catalog.MODELS), weights_id=weights_id).select(
        "version"
    )
    projected = lake.read(catalog.FEATURES).withColumnRenamed("model_version", "version")
    return (
        lake.read(catalog.EMBEDDINGS)
        .where(own)
        .select("photo_id")
        .unionByName(
            projected.join(F.broadcast(versions), "version", "left_semi").select("photo_id")
        )
        .withColumn("weights_id", F.lit(weights_id))
    )


def _weights_id(lake: Lake, model: str) -> str:
    rows = extractors(lake).select("extractor", "weights_id").collect()
    found = {r[1] for r in rows if r[0] == model or (model and r[1].startswith(model))}
    known = ", ".join(sorted(f"{r[0]} {r[1][:12]}" for r in rows)) or "none"
    if not found:
        raise BadInput(f"The lake has no model {model}; it has {known}.")
    if len(found) > 1:
        raise BadInput(f"{model} names several models; give the number of one of {known}.")
    return str(found.pop())
