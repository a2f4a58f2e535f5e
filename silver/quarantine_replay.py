"""Replaying: quarantined photos go through the gates again, after a rule, a limit or the code changed.

A few photos that the decoder had refused are first decoded again in this process, by the settings and the
code of now. Those that it refuses for the same reason would end as they are: for them no Spark is
started and nothing is embedded. All others are replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import BadInput, hint
from conf.settings import ChunkSettings
from lake import catalog
from lake.chunks import batches
from lake.context import Context
from lake.extractor_status import extractors
from lake.publication import Publication
from lake.row_source import RowSource
from lake.writable_lake import WritableLake
from silver.embedding_rows import DECODE, open_refusals
from silver.known_models import known_model
from silver.silver_layer import SilverChunks, embed_again

FEW_PHOTOS = 200
"""The most photos that this process decodes: they take some seconds, and the start of Spark takes as many."""

FEW_BYTES = 128 << 20
"""The most bytes of bronze's chunks that this process reads to find a few photos in them."""

MOST_ROWS = 1_000_000
"""The most rows of bronze/photos of which this process looks up in which chunk a photo is: 70 MB of ids."""

NOTHING = "no photo is quarantined: there is nothing to replay."


def replay(context: Context, *, reason: str | None) -> None:
    """Replays all photos that the model's quarantine holds, or those that are there for one reason.

    A photo that passes moves to silver. A photo that is refused for another reason gets a row for it, and its
    old row ends. Chunks stay within the bounds of the settings. Raises BadInput where nothing has that
    reason, Blocked.
    """
    lake = context.lake
    known = known_model(extractors(lake), context.settings.model)
    weights_id = known["weights_id"] if known else ""  # a model that the lake lacks refused nothing
    Publication(lake, SilverChunks(lake, context.gate), context.did).finish(weights_id=weights_id)
    held = open_refusals(lake.source(catalog.QUARANTINE), weights_id=weights_id)
    reasons = held.counts("reason")
    if reason is not None:
        if reason not in reasons:
            otherwise = f"the reasons are {', '.join(sorted(reasons)) or 'none'}."
            nearest = hint(reason, reasons, otherwise=otherwise)
            raise BadInput(f"No quarantined photo has the reason {reason}; {nearest}")
        held = held.having("reason", [reason])
        reasons = {reason: reasons[reason]}
    if not reasons:
        context.did.notes.append(NOTHING)
        return
    again = _refused_again(context, held)
    _note(context, again)
    if len(again) < sum(reasons.values()):
        _replay_others(context, held, again)


def _refused_again(context: Context, held: RowSource) -> Mapping[str, str]:
    """Decodes photos that the decoder had refused. Returns the reason of each that it refuses for the same
    reason, by photo_id; none where there are many photos, or they lie in large chunks."""
    if not held.are_few:
        return {}
    rows = held.distinct("photo_id", "stage", "reason")
    before = {photo_id: reason for photo_id, stage, reason in rows if stage == DECODE}
    contents = _contents(context.lake, list(before))
    if not contents:
        return {}
    now = zip(contents, context.model.refusals(list(contents.values())), strict=True)
    return {photo_id: before[photo_id] for photo_id, reason in now if reason == before[photo_id]}


def _contents(lake: WritableLake, photo_ids: Sequence[str]) -> Mapping[str, bytes]:
    """The bytes of a few photos by their photo_id; nothing where there are many photos to read or to search
    through."""
    photos = lake.source(catalog.PHOTOS)
    rows = photos.most
    if not 0 < len(photo_ids) <= FEW_PHOTOS or rows is None or rows > MOST_ROWS:
        return {}
    is_one = pc.field("photo_id").isin(list(photo_ids))
    found = lake.batches(catalog.PHOTOS, columns=["chunk"], where=is_one)
    numbers = {number for batch in found for number in batch.column("chunk").to_pylist()}
    chunks = lake.ledger.chunks()
    if sum(chunks[number].bytes for number in numbers) > FEW_BYTES:
        return {}
    few = photos.having("chunk", numbers).having("photo_id", photo_ids)
    return {
        row["photo_id"]: row["content"]
        for batch in few.batches("photo_id", "content")
        for row in batch.to_pylist()
    }


def _note(context: Context, again: Mapping[str, str]) -> None:
    """Counts the photos that were refused for the same reason, and notes that nothing changed for them."""
    if not again:
        return
    context.did.add({"in": len(again), "kept": 0, "quarantined": len(again)})
    context.did.refuse(Counter(again.values()))
    context.did.notes.append(
        f"decoded again and refused for the same reason as before: {len(again):,} photos. They stay in "
        f"quarantine. What can change that: another limit under [photos], or another version of the decoder."
    )


def _replay_others(context: Context, held: RowSource, again: Mapping[str, str]) -> None:
    """Takes the quarantined photos through the gates again, but for those that are refused `again`."""
    lake, others = context.lake, held.frame()
    if again:
        refused = lake.values("photo_id", again).frame()
        others = others.join(F.broadcast(refused), on="photo_id", how="left_anti")
    groups = _groups(lake, others, context.settings.chunks)
    if not groups and not again:
        context.did.notes.append(NOTHING)
    for numbers in groups:
        embed_again(context, others, numbers)


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
