"""A removal whose staged keys are lost after a part of it was committed, finished without them.

Rows leave silver/embeddings first. What was made from them is then what has no embedding any more, and the
moments are those of other rows than silver has.
"""

from __future__ import annotations

from collections.abc import Mapping

from gold import model_versions, moments_table
from lake import catalog
from lake.catalog import Table
from lake.chunks import ChunkPlan, published
from lake.enums import GOLD, REMOVAL, SILVER, ModelKind
from lake.row_source import RowSource
from lake.writable_lake import WritableLake


def finish(lake: WritableLake, *, weights_id: str, made: Mapping[Table, ModelKind]) -> None:
    """Remove what was made from embeddings that silver has no more, and take the moments anew.

    `made` are the tables with such rows, and the kind of the versions that made them. The counts of chunks
    follow. A second call finds nothing to do. Raises Inconsistent, Busy.
    """
    [chunk] = lake.ledger.plan([ChunkPlan(layer=REMOVAL, weights_id=weights_id)])
    held = lake.source(catalog.EMBEDDINGS).having("weights_id", [weights_id])
    models = lake.records(catalog.MODELS, columns=model_versions.NARROW)
    for table, kind in made.items():
        versions = model_versions.versions(models, weights_id=weights_id, kind=kind)
        if names := [row["version"] for row in versions]:
            rows = lake.source(table).having("model_version", names)
            orphans = _without(lake, rows, held)
            if orphans.count():
                quoted = ", ".join(f"'{name}'" for name in names)
                within = f"held.model_version in ({quoted})"
                lake.remove(table, orphans.frame(), on=["photo_id"], within=within, chunk=chunk)
    stored = moments_table.stored(lake, weights_id)
    if stored and not moments_table.match_silver(lake, stored, weights_id=weights_id):
        through = stored.through_chunk
        moments_table.take_anew(lake, weights_id=weights_id, through=through, chunk=chunk)
    _recount(lake, held, weights_id=weights_id)


def _without(lake: WritableLake, rows: RowSource, held: RowSource) -> RowSource:
    """Return the photos (`photo_id`) of rows that have no embedding among those that are held."""
    if rows.are_few and held.are_few:
        gone = rows.distinct("photo_id") - held.distinct("photo_id")
        return lake.values("photo_id", sorted(photo_id for (photo_id,) in gone))
    photos = rows.frame().select("photo_id").distinct()
    frame = photos.join(held.frame().select("photo_id"), "photo_id", "left_anti")
    return RowSource(lambda: frame)


def _recount(lake: WritableLake, held: RowSource, *, weights_id: str) -> None:
    """Record how many photos each chunk of the model has left."""
    chunks = lake.ledger.chunks().values()
    left: dict[int, int] = {}
    for layer, rows in ((SILVER, held), (GOLD, lake.source(catalog.FEATURES))):
        counts = rows.counts("chunk")
        for chunk in published(chunks, layer=layer, weights_id=weights_id):
            left[chunk.number] = counts.get(chunk.number, 0)
    lake.ledger.recount(left)
