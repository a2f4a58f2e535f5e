"""Replaying: quarantined photos go through the gates again, after a rule, a limit or the code changed."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from conf.errors import BadInput, hint
from conf.settings import ChunkSettings
from lake import catalog
from lake.chunks import batches
from lake.gate_protocol import Gate
from lake.lake import Lake, counts
from lake.run_journal import LayerRun
from silver import embed
from silver.embeddings import BroadcastModel, open_refusals


def replay(
    lake: Lake,
    model: BroadcastModel,
    *,
    reason: str | None,
    bounds: ChunkSettings,
    gate: Gate,
    console: Console,
    did: LayerRun,
) -> None:
    """All that a model's quarantine holds, or what is there for one `reason`, in chunks within `bounds`.

    What passes moves to silver; what is refused for another reason gets a row for it, and the old one ends.
    Raises BadInput (nothing has that reason), Blocked.
    """
    embed.finish(lake, weights_id=model.weights_id, gate=gate, did=did)
    held = open_refusals(lake.read(catalog.QUARANTINE), weights_id=model.weights_id)
    if reason is not None:
        known = counts(held, "reason")
        if reason not in known:
            otherwise = f"the reasons are {', '.join(sorted(known)) or 'none'}."
            nearest = hint(reason, known, otherwise=otherwise)
            raise BadInput(f"No quarantined photo has the reason {reason}; {nearest}")
        held = held.where(F.col("reason") == reason)
    groups = _groups(lake, held, bounds)
    if not groups:
        did.notes.append("no photo is quarantined: there is nothing to replay.")
    for numbers in groups:
        embed.take_again(lake, model, held, numbers, gate=gate, console=console, did=did)


def _groups(lake: Lake, held: DataFrame, bounds: ChunkSettings) -> list[Sequence[int]]:
    """The bronze chunks of the photos, so many together as make a chunk."""
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
