"""The removal of photos from staging, silver and gold, and of rows from bronze; the chunks' counts follow,
and what was measured on the chunks goes."""

from __future__ import annotations

from collections.abc import Sequence

from bronze.bronze_layer import ARRIVED, CLEANED
from gold import embedding_removal
from gold.gold_layer import FEATURES
from gold.testing_chunks import HELD_OUT
from lake import catalog, fault_points, measured_values
from lake.catalog import LAYER_OF, Table
from lake.chunks import Chunk, ChunkPlan
from lake.enums import REMOVAL
from lake.extractor_status import extractors
from lake.publication import abandon
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.writable_lake import WritableLake
from privacy.owned_rows import PHOTO_TABLES
from silver.staged_embeddings import EMBEDDED, REFUSED, WITHOUT

STAGED_PARTS = (ARRIVED, CLEANED, EMBEDDED, WITHOUT, REFUSED, FEATURES, HELD_OUT)
"""The parts of staged chunks that have a column `photo_id`."""


def remove_photos(lake: WritableLake, photos: RowSource, *, layer: str) -> None:
    """Remove photos from staging, silver and gold. `photos` have the column `photo_id`.

    `layer` is the name that the commits carry. No chunk may be half published. Raises BadInput where one is,
    and Busy.
    """
    staged = staged_with(lake, photos)
    measured_values.forget(lake, _chunks_that_held(lake, photos, staged), layer=layer)
    abandon(lake, staged)
    fault_points.at(f"{layer}: staged rows gone")
    embedding_removal.remove_embeddings(lake, dict.fromkeys(_models(lake), photos))
    fault_points.at(f"{layer}: departed")
    remove_rows(lake, catalog.QUARANTINE, photos, on=["photo_id"], layer=layer)


def remove_rows(
    lake: WritableLake, table: Table, keys: RowSource, *, on: Sequence[str], layer: str
) -> None:
    """Remove the rows of a table whose columns `on` equal those of a row of `keys`.

    `layer` is the name that the commit carries. The counts in ops/chunks are not updated. Raises Busy.
    """
    by_chunk = lake.source(table).among(keys, *on).counts("chunk")
    if by_chunk:
        [chunk] = lake.ledger.plan([ChunkPlan(layer=layer)])
        within = f"held.chunk between {min(by_chunk)} and {max(by_chunk)}"
        lake.remove(table, keys.frame(), on=on, within=within, chunk=chunk)
        fault_points.at(f"{layer}: {table.name} gone")


def recount(lake: WritableLake, table: Table) -> None:
    """Set the number of photos of each chunk in ops/chunks to the rows that the table holds of it.

    The table is one of `LAYER_OF`. Raises Busy.
    """
    rows = lake.source(table).counts("chunk")
    lake.ledger.recount({c.number: rows.get(c.number, 0) for c in published_chunks(lake, table)})


def published_chunks(lake: Lake, table: Table) -> list[Chunk]:
    """Return the published chunks of the layer that writes a table (one of `LAYER_OF`)."""
    chunks = lake.ledger.chunks().values()
    return [chunk for chunk in chunks if chunk.layer == LAYER_OF[table] and chunk.is_published]


def abandon_staged(lake: WritableLake, photos: RowSource) -> None:
    """Abandon the staged chunks that hold rows of the photos. The next run does their work again."""
    abandon(lake, staged_with(lake, photos))


def _chunks_that_held(lake: Lake, photos: RowSource, staged: Sequence[Chunk]) -> set[int]:
    """Return the numbers of all chunks that hold or held any of the photos, by rows and by lineage."""
    held = {chunk.number for chunk in staged}
    for table in PHOTO_TABLES:
        held |= lake.source(table).among(photos, "photo_id").counts("chunk").keys()
    return measured_values.chunks_made_of(lake.ledger.chunks().values(), held) if held else held


def staged_with(lake: Lake, photos: RowSource) -> list[Chunk]:
    """Return the staged chunks that hold rows of the photos."""
    return [
        chunk
        for chunk in lake.ledger.unfinished()
        if chunk.layer != REMOVAL and _holds_any(lake, chunk, photos)
    ]


def _holds_any(lake: Lake, chunk: Chunk, photos: RowSource) -> bool:
    """Return whether a staged chunk holds a row of any of the photos."""
    parts = [part for part in STAGED_PARTS if lake.staging.has(chunk, part)]
    staged = [lake.staging.source(chunk, part) for part in parts]
    return any(rows.among(photos, "photo_id").count() for rows in staged)


def _models(lake: Lake) -> set[str]:
    """Return the weights_id of each model of which silver or gold may hold rows."""
    known = {row["weights_id"] for row in extractors(lake)}
    return known | lake.source(catalog.EMBEDDINGS).counts("weights_id").keys()
