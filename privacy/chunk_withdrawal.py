"""The way out of a chunk that can't be finished: a part of it is published, and its staged rows are lost.

Its rows leave the tables that took them, and the chunk is given up, so that the next run does its work again
under a number of its own. Readers have seen nothing that was made from it, because only published chunks are
taken further.
"""

from __future__ import annotations

from pyspark.sql import functions as F

from bronze import bronze_layer
from bronze.landing import Landing
from conf.errors import BadInput
from gold import embedding_removal
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkPlan, ChunkState
from lake.context import Context
from lake.enums import BRONZE, REMOVAL, Outcome
from lake.publication import ChunkLayer, Publication, abandon
from lake.writable_lake import WritableLake
from privacy.finish_chunks import finish_half_published, layer_of


def drop(context: Context, number: int) -> None:
    """Withdraw what is published of a chunk whose staged rows are lost, and give the chunk up.

    After a crash, the same call finishes the work. Raises BadInput where the chunk is not staged, or whole,
    or where bronze's is dropped and there is no landing folder; Busy.
    """
    lake, chunk = context.lake, _unfinished(context, number)
    lost = frozenset(
        each.number
        for each in lake.ledger.unfinished()
        if not _publication(context, each).is_whole(each)
    )
    if number not in lost:
        raise BadInput(
            f"{chunk.layer} chunk {number} is staged, and all its files are there; {_otherwise(chunk)}."
        )
    finish_half_published(context, but=lost)
    if not _publication(context, chunk).give_up(chunk):
        _withdraw(context, chunk, layer_of(context, chunk), lost)


def _unfinished(context: Context, number: int) -> Chunk:
    """Return the staged chunk of that number. Raises BadInput where there is none."""
    found = {chunk.number: chunk for chunk in context.lake.ledger.unfinished()}
    if number not in found:
        known = ", ".join(map(str, sorted(found))) or "none"
        raise BadInput(f"Chunk {number} is not staged; those that are: {known}.")
    return found[number]


def _publication(context: Context, chunk: Chunk) -> Publication:
    return Publication(context.lake, layer_of(context, chunk), context.did)


def _otherwise(chunk: Chunk) -> str:
    """Return what to do with a chunk that is whole."""
    if chunk.state is ChunkState.BLOCKED:
        return f"release it with run.py replay --chunk {chunk.number} --quarantine"
    return f"finish it with {chunk.command}"


def _withdraw(context: Context, chunk: Chunk, layer: ChunkLayer, lost: frozenset[int]) -> None:
    """Remove the rows of a chunk from the tables of its layer, and give it up.

    The last table goes first: bronze's photos tell what is lost, also where a call before this one died.
    """
    lake, number, withdrawn = context.lake, chunk.number, []
    photos_lost = _photos_lost(context, chunk)
    for table in reversed(layer.tables):
        rows = lake.source(table, chunks=(number, number))
        if not (count := rows.count()):
            continue
        withdrawn.append(f"{count:,} rows of {table.name}")
        if table is catalog.EMBEDDINGS:
            embedding_removal.remove_embeddings(lake, {chunk.model: rows}, but=lost)
        else:
            [deletion] = lake.ledger.plan([ChunkPlan(layer=REMOVAL)])
            lake.delete(table, f"chunk = {number}", chunk=deletion)
        fault_points.at(f"replay: {table.name} withdrawn")
    if chunk.is_second_try:
        _forget_taken(lake, chunk)
    abandon(lake, [lake.ledger.chunks()[number]])
    fault_points.at("replay: chunk given up")
    context.did.add({"in": chunk.photos, "kept": 0})
    context.did.notes.append(
        f"{chunk.layer} chunk {number} is given up, and withdrawn are {', '.join(withdrawn) or 'no rows'}; "
        f"{chunk.command} makes it again."
    )
    if chunk.layer == BRONZE and not any(catalog.PHOTOS.name in each for each in withdrawn):
        context.did.notes.append(
            "Photos of it that a call before this one withdrew, and that the landing folder has no more, are "
            "lost; send them again."
        )
    if photos_lost:
        context.did.notes.append(
            f"{photos_lost:,} photos of it are lost: the landing folder {context.settings.paths.landing} has "
            f"them no more; send them again."
        )


def _forget_taken(lake: WritableLake, chunk: Chunk) -> None:
    """Remove the rejected objects whose rows a chunk of second tries took from bronze/rejected: the next run
    takes them in as new ones."""
    held = lake.read(catalog.REJECTED).select("object", "chunk")
    objects = lake.read(catalog.OBJECTS, chunks=chunk.sources)
    rejected = objects.where(F.col("outcome") == Outcome.REJECTED)
    taken = rejected.join(held, ["object", "chunk"], "left_anti")
    if not taken.isEmpty():
        [removal] = lake.ledger.plan([ChunkPlan(layer=REMOVAL)])
        lake.remove(catalog.OBJECTS, taken, on=["object", "etag"], chunk=removal)
        fault_points.at("replay: rejected objects forgotten")


def _photos_lost(context: Context, chunk: Chunk) -> int:
    """Return how many photos of a chunk can't be taken in again. Raises BadInput where the landing folder is
    missing, of which bronze's chunks are made."""
    if chunk.layer != BRONZE:
        return 0
    landing = Landing.of(context.settings)
    return bronze_layer.photos_that_left(context, landing, chunk.number)
