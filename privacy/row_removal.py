"""Removal: photos leave every table, and what waits in staging; moments and chunks follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold import embedding_removal
from lake import catalog, fault_points
from lake.catalog import Table
from lake.chunks import Chunk, ChunkState
from lake.extractor_registry import extractors
from lake.lake import DEPARTURE, ERASE, Lake, counts
from privacy.erasure.subject_data import SubjectData

LAYERS: Mapping[Table, str] = {
    catalog.PHOTOS: "bronze",
    catalog.EMBEDDINGS: "silver",
    catalog.FEATURES: "gold",
}
"""By the table that holds a chunk's photos, the chunk's layer."""

STAGED = ("arrived", "embedded", "refused", "features", "held_out")
"""The parts of a staged chunk that name photos."""


def remove(lake: Lake, held: SubjectData) -> None:
    """Removes the rows of a subject, in an order that lets the same call go on wherever one died.

    No chunk may be half published. Raises BadInput where one is, Busy.
    """
    leave(lake, held.keys("photo_id"), layer=ERASE)
    for table, column in held.TABLES:
        take_out(lake, table, held.keys(column), on=[column], layer=ERASE)
    recount(lake, catalog.PHOTOS)
    fault_points.at("erase: chunks counted")


def leave(lake: Lake, photos: DataFrame, *, layer: str) -> None:
    """Photos (a frame with their `photo_id`) leave staging, silver and gold.

    `layer` names the commits. Raises as `remove`.
    """
    abandon(lake, photos)
    fault_points.at(f"{layer}: staged rows gone")
    embedding_removal.depart(lake, _pairs(lake, photos))
    fault_points.at(f"{layer}: departed")
    take_out(lake, catalog.QUARANTINE, photos, on=["photo_id"], layer=layer)


def abandon(lake: Lake, photos: DataFrame) -> None:
    """Staged chunks with rows of the photos are dropped: the next run does their work anew."""
    for chunk in _staged(lake, photos):
        lake.ledger.abandon(chunk)


def take_out(lake: Lake, table: Table, keys: DataFrame, *, on: Sequence[str], layer: str) -> None:
    """Rows with the keys of a frame leave a table, whose chunks are not counted anew."""
    held = lake.read(table).join(F.broadcast(keys.select(*on)), list(on), "left_semi")
    rows = counts(held, "chunk")
    if rows:
        [chunk] = lake.ledger.plan([Chunk(0, layer, ChunkState.PLANNED)])
        within = f"held.chunk between {min(rows)} and {max(rows)}"
        lake.remove(table, keys, on=on, within=within, chunk=chunk)
        fault_points.at(f"{layer}: {table.name} gone")


def recount(lake: Lake, table: Table) -> None:
    """Brings the photos of a table's chunks in ops/chunks to what the table (one of `LAYERS`) holds."""
    rows = counts(lake.read(table), "chunk")
    lake.ledger.recount({c.number: rows.get(c.number, 0) for c in chunks_of(lake, table)})


def chunks_of(lake: Lake, table: Table) -> list[Chunk]:
    """The published chunks of the layer whose photos a table (one of `LAYERS`) holds."""
    chunks = lake.ledger.chunks().values()
    return [chunk for chunk in chunks if chunk.layer == LAYERS[table] and chunk.is_published]


def _staged(lake: Lake, photos: DataFrame) -> list[Chunk]:
    """Chunks that wait with rows of the photos, or with models that were fitted on them."""
    return [
        chunk
        for chunk in lake.ledger.chunks().values()
        if chunk.is_unfinished and chunk.layer != DEPARTURE and _names(lake, chunk, photos)
    ]


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
