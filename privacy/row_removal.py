"""Photos leave every table and what waits in staging; moments and the counts of chunks follow."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.ingest import ARRIVED
from gold import embedding_removal, training
from gold.project import FEATURES
from lake import catalog, fault_points
from lake.catalog import LAYER_OF, Table
from lake.chunks import Chunk, ChunkPlan
from lake.column_values import REMOVAL
from lake.extractor_registry import extractors
from lake.frames import counts
from lake.publication import abandon
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake
from silver.embed import EMBEDDED, REFUSED

STAGED = (ARRIVED, EMBEDDED, REFUSED, FEATURES, training.HELD_OUT)
"""The parts of staged chunks that name photos."""


def leave(lake: WritableLake, photos: DataFrame, *, layer: str) -> None:
    """Removes photos (a frame with their `photo_id`) from staging, silver and gold.

    `layer` names the commits. No chunk may be half published. Raises BadInput where one is; Busy.
    """
    abandon_staged(lake, photos)
    fault_points.at(f"{layer}: staged rows gone")
    embedding_removal.remove_embeddings(lake, _pairs(lake, photos))
    fault_points.at(f"{layer}: departed")
    take_out(lake, catalog.QUARANTINE, photos, on=["photo_id"], layer=layer)


def abandon_staged(lake: WritableLake, photos: DataFrame) -> None:
    """Gives up the staged chunks with rows of the photos: the next run does their work anew."""
    chunks = [
        chunk
        for chunk in lake.ledger.unfinished()
        if chunk.layer != REMOVAL and _names(lake, chunk, photos)
    ]
    abandon(lake, chunks)


def take_out(
    lake: WritableLake, table: Table, keys: DataFrame, *, on: Sequence[str], layer: str
) -> None:
    """Removes the rows with the keys of a frame from a table whose chunks are not counted anew."""
    held = lake.read(table).join(F.broadcast(keys.select(*on)), list(on), "left_semi")
    rows = counts(held, "chunk")
    if rows:
        [chunk] = lake.ledger.plan([ChunkPlan(layer=layer)])
        within = f"held.chunk between {min(rows)} and {max(rows)}"
        lake.remove(table, keys, on=on, within=within, chunk=chunk)
        fault_points.at(f"{layer}: {table.name} gone")


def recount(lake: WritableLake, table: Table) -> None:
    """Brings the photos of a table's chunks in ops/chunks to what the table (one of `LAYER_OF`) holds."""
    rows = counts(lake.read(table), "chunk")
    lake.ledger.recount({c.number: rows.get(c.number, 0) for c in chunks_of(lake, table)})


def chunks_of(lake: Lake, table: Table) -> list[Chunk]:
    """The published chunks of the layer whose photos a table (one of `LAYER_OF`) holds."""
    chunks = lake.ledger.chunks().values()
    return [chunk for chunk in chunks if chunk.layer == LAYER_OF[table] and chunk.is_published]


def _names(lake: Lake, chunk: Chunk, photos: DataFrame) -> bool:
    """Whether a staged chunk holds any of the photos."""
    keys = F.broadcast(photos.select("photo_id"))
    parts = [part for part in STAGED if lake.staging.has(chunk, part)]
    rows = [lake.staging.read(chunk, part).select("photo_id") for part in parts]
    return any(not each.join(keys, "photo_id", "left_semi").isEmpty() for each in rows)


def _pairs(lake: Lake, photos: DataFrame) -> DataFrame:
    """Every (`photo_id`, `weights_id`) that silver or gold may hold."""
    known = (
        extractors(lake)
        .select("weights_id")
        .unionByName(lake.read(catalog.EMBEDDINGS).select("weights_id"))
    )
    return photos.select("photo_id").crossJoin(F.broadcast(known.distinct()))
