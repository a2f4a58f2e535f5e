"""Departure: the one way by which rows leave silver/embeddings, and with them their part in gold.

The keys of what leaves are staged first, with what they add to the moments, under a chunk of their own:
planned → staged → published. From then on a run that dies anywhere is finished by the next writer, exactly
once. The keys reach the tables as a frame, by MERGE, so that none stands in a Delta log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import model_versions, refit
from gold.moments import Moments, fold
from lake import catalog, fault_points
from lake.catalog import Table, schema
from lake.chunks import Chunk, ChunkState, published
from lake.lake import DEPARTURE, Lake, counts

KEYS, FOLD = "keys", "fold"
"""What is staged: one row a photo, with the chunk `held_in` that silver has it in, if any; and one row of
what they add to the moments."""

MADE = {catalog.FEATURES: model_versions.PCA, catalog.HELD_OUT: model_versions.CLASSIFIER}
"""Tables with rows that were made from embeddings, and the kind of the version that made them."""

FOLDED = schema("before bigint, n bigint, sum binary, gram binary")
"""`before`: the version of silver that the moments were pinned to. `sum` and `gram` are null where the
moments are to be taken anew."""


def depart(lake: Lake, leaving: DataFrame, *, but_of: str | None = None) -> Mapping[str, int]:
    """Removes the rows of (`photo_id`, `weights_id`) pairs: how many from each table.

    Moments and the photos of silver's chunks follow. What an earlier call left staged is finished first.
    Raises BadInput where a chunk is half published, but of the model `but_of`; Busy.
    """
    check_nothing_is_half_published(lake, but_of=but_of)
    finish(lake)
    removed: Counter[str] = Counter()
    for weights_id in sorted(counts(leaving, "weights_id")):
        own = leaving.where(F.col("weights_id") == weights_id).select("photo_id").distinct()
        chunk = _staged(lake, own, weights_id=weights_id)
        if chunk is not None:
            removed.update(_publish(lake, chunk))
    return removed


def finish(lake: Lake) -> None:
    """Finishes what an earlier writer left staged, before anything else is written."""
    for chunk in list(lake.ledger.chunks().values()):
        if chunk.layer == DEPARTURE and chunk.is_unfinished:
            _publish(lake, chunk)


def check_nothing_is_half_published(lake: Lake, *, but_of: str | None = None) -> None:
    """Of such a chunk one table may have the rows and another not: no later number may go before them.

    Raises BadInput where there is one, but of the model `but_of`.
    """
    for chunk in lake.ledger.chunks().values():
        is_judged = chunk.is_unfinished and chunk.state is ChunkState.JUDGED
        if is_judged and (but_of is None or chunk.weights_id != but_of):
            raise BadInput(
                f"{chunk.layer} chunk {chunk.number} is half published: finish it first with "
                f"run.py --layer {chunk.layer}."
            )


def _staged(lake: Lake, photos: DataFrame, *, weights_id: str) -> Chunk | None:
    """What leaves of one model, fixed; None where neither silver nor gold holds any of it."""
    held = lake.read(catalog.EMBEDDINGS).where(F.col("weights_id") == weights_id)
    places = held.select("photo_id", F.col("chunk").alias("held_in"))
    keys = photos.join(places, on="photo_id", how="left").persist()
    try:
        embedded = keys.where("held_in is not null").count()
        made = [_made_from(lake, table, keys, weights_id=weights_id) for table in MADE]
        if not embedded and all(rows.isEmpty() for rows in made):
            return None
        wanted = Chunk(0, DEPARTURE, ChunkState.PLANNED, weights_id=weights_id, photos=embedded)
        [chunk] = lake.ledger.plan([wanted])
        lake.staging.write(chunk, KEYS, keys)
    finally:
        keys.unpersist()
    folded = _folded(lake, lake.staging.read(chunk, KEYS), weights_id=weights_id)
    if folded is not None:
        lake.staging.write(chunk, FOLD, lake.spark.createDataFrame([folded], FOLDED))
    return lake.ledger.reached(chunk, ChunkState.STAGED)


def _made_from(lake: Lake, table: Table, keys: DataFrame, *, weights_id: str) -> DataFrame:
    """The rows of gold/features or gold/held_out of those photos, of any version of the model."""
    versions = model_versions.versions(
        lake.read(catalog.MODELS), weights_id=weights_id, kind=MADE[table]
    )
    names = versions.select(F.col("version").alias("model_version"))
    return (
        lake.read(table)
        .join(F.broadcast(names), on="model_version", how="left_semi")
        .join(F.broadcast(keys.select("photo_id")), on="photo_id", how="left_semi")
    )


def _folded(lake: Lake, keys: DataFrame, *, weights_id: str) -> Row | None:
    """What the photos added to the moments (`FOLDED`), about the shift that these are kept about.

    To be taken anew where they are not of silver's rows, and where less is left than goes: that is cheaper,
    and a small difference of large sums would keep few digits. None where no moments are kept.
    """
    kept = refit.kept(lake, weights_id)
    if kept is None:
        return None
    anew = Row(before=kept.table_version, n=0, sum=None, gram=None)
    covered = keys.where(F.col("held_in") <= kept.through_chunk)
    first, last, n = covered.agg(F.min("held_in"), F.max("held_in"), F.count("held_in")).collect()[
        0
    ]
    is_of_silver = refit.is_of_silver(lake, kept, weights_id=weights_id)
    if not is_of_silver or 2 * n > kept.moments.n:
        return anew
    gone = Moments.none(kept.moments.shift)
    if n:
        rows = refit.embeddings(lake, weights_id, first, last)
        own = rows.join(F.broadcast(covered.select("photo_id")), "photo_id", "left_semi")
        gone = fold(own, kept.moments.shift)
    return Row(
        before=kept.table_version,
        n=gone.n,
        sum=bytearray(gone.sum.tobytes()),
        gram=bytearray(gone.gram.tobytes()),
    )


def _publish(lake: Lake, chunk: Chunk) -> Mapping[str, int]:
    """What is staged leaves the tables: embeddings, their part of the moments, features."""
    keys = lake.staging.read(chunk, KEYS)
    held_in = {
        number: count for number, count in counts(keys, "held_in").items() if number is not None
    }
    versions, removed = {}, {}
    if held_in:
        own = f"held.weights_id = '{chunk.model}'"
        place = f"held.chunk between {min(held_in)} and {max(held_in)}"
        versions[catalog.EMBEDDINGS.name] = lake.remove(
            catalog.EMBEDDINGS, keys, on=["photo_id"], within=f"{own} and {place}", chunk=chunk
        )
        removed[catalog.EMBEDDINGS.name] = sum(held_in.values())
        fault_points.at("departure: embeddings gone")
        _subtract(lake, chunk)
        fault_points.at("departure: moments follow")
    for table in MADE:
        rows = _made_from(lake, table, keys, weights_id=chunk.model)
        if by_version := counts(rows, "model_version"):
            names = ", ".join(f"'{name}'" for name in sorted(by_version))
            versions[table.name] = lake.remove(
                table, keys, on=["photo_id"], within=f"held.model_version in ({names})", chunk=chunk
            )
            removed[table.name] = sum(by_version.values())
            fault_points.at(f"departure: {table.name} gone")
    lake.ledger.settle(chunk, _left(lake, held_in, weights_id=chunk.model), versions=versions)
    lake.staging.remove(chunk)
    return removed


def _subtract(lake: Lake, chunk: Chunk) -> None:
    """Takes what went out of the moments, once: they are pinned to silver's new version after it."""
    kept = refit.kept(lake, chunk.model)
    if kept is None:
        return
    row = lake.staging.read(chunk, FOLD).first()
    assert row is not None
    if kept.table_version != row["before"]:
        return
    if row["sum"] is not None:
        gone = Moments.read({**row.asDict(), "shift": kept.moments.shift.tobytes()})
        refit.keep(lake, kept.moments - gone, weights_id=chunk.model, through=kept.through_chunk)
    elif refit.embeddings(lake, chunk.model, 0, kept.through_chunk).isEmpty():
        lake.delete(catalog.MOMENTS, f"weights_id = '{chunk.model}'", chunk=chunk)
    else:
        refit.recomputed(lake, weights_id=chunk.model, through=kept.through_chunk)


def _left(lake: Lake, held_in: Mapping[int, int], *, weights_id: str) -> Mapping[int, int]:
    """How many rows each of those silver chunks has left, and each of the model's gold chunks."""
    chunks = lake.ledger.chunks().values()
    gold = [c.number for c in published(chunks, layer="gold", weights_id=weights_id)]
    left: dict[int, int] = {}
    if held_in:
        rows = refit.embeddings(lake, weights_id, min(held_in), max(held_in))
        left |= dict.fromkeys(held_in, 0) | counts(rows, "chunk")
    if gold:
        rows = lake.read(catalog.FEATURES, chunks=(min(gold), max(gold)))
        left |= dict.fromkeys(gold, 0) | counts(rows, "chunk")
    return left
