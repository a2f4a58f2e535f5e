"""Replaying: quarantined photos go through the gates again, after a rule, a limit or the code changed."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import BadInput, hint
from conf.settings import ChunkSettings
from lake import catalog
from lake.chunks import batches
from lake.context import Context
from lake.dataframe_queries import counts
from lake.publication import Publication
from lake.writable_lake import WritableLake
from silver.embedding_rows import open_refusals
from silver.silver_layer import SilverChunks, embed_again


def replay(context: Context, *, reason: str | None) -> None:
    """Replays all photos that the model's quarantine holds, or those that are there for one reason.

    A photo that passes moves to silver. A photo that is refused for another reason gets a row for it, and its
    old row ends. Chunks stay within the bounds of the settings. Raises BadInput where nothing has that
    reason, Blocked.
    """
    lake, weights_id = context.lake, context.model.weights_id
    Publication(lake, SilverChunks(lake, context.gate), context.did).finish(weights_id=weights_id)
    held = open_refusals(lake.read(catalog.QUARANTINE), weights_id=weights_id)
    if reason is not None:
        known = counts(held, "reason")
        if reason not in known:
            otherwise = f"the reasons are {', '.join(sorted(known)) or 'none'}."
            nearest = hint(reason, known, otherwise=otherwise)
            raise BadInput(f"No quarantined photo has the reason {reason}; {nearest}")
        held = held.where(F.col("reason") == reason)
    groups = _groups(lake, held, context.settings.chunks)
    if not groups:
        context.did.notes.append("no photo is quarantined: there is nothing to replay.")
    for numbers in groups:
        embed_again(context, held, numbers)


def _groups(lake: WritableLake, held: DataFrame, bounds: ChunkSettings) -> list[Sequence[int]]:
    """The numbers of the bronze chunks that hold the photos, in groups that make a chunk each."""
    photos = lake.read(catalog.PHOTOS).select("photo_id", "chunk", "size_bytes")
    again = photos.join(F.broadcast(held.select("photo_id")), on="photo_id", how="left_semi")
    sizes = again.groupBy("chunk").agg(F.count(F.lit(1)), F.sum("size_bytes"))
    groups = batches(
        sizes.orderBy("chunk").collect(),
        size=lambda row: (row[1], row[2]),
        max_photos=bounds.max_photos,
        max_bytes=bounds.max_bytes,
    )
    return [[row["chunk"] for row in group] for group in groups]
