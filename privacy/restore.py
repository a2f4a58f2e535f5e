"""Restore: a table as it was at an earlier version, but for what may not come back.

Rows come and go by what differs between the two versions, so that nothing that was erased is ever seen, as
it would be after Delta's own RESTORE. What was published after that version is withdrawn with all that was
made from it, and the next run makes it again. Chunks, moments and bronze/objects follow. Where a call dies,
the same one goes on: what still differs is found again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.errors import BadInput, hint
from gold import embedding_removal, moments_table
from lake import catalog, fault_points
from lake.catalog import Table, schema
from lake.chunks import Chunk, ChunkPlan
from lake.column_values import RESTORE, ModelKind, ModelStatus, Outcome
from lake.context import Context
from lake.extractor_registry import extractors
from lake.frames import counts
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake
from privacy import row_removal, tombstones
from privacy.unfinished_chunks import finish_half_published

KEYS: Mapping[Table, Sequence[str]] = {
    catalog.PHOTOS: ("photo_id",),
    catalog.EMBEDDINGS: ("photo_id", "weights_id"),
    catalog.FEATURES: ("photo_id", "model_version"),
}
"""The tables that can be taken back, and what tells a row of theirs."""

OTHERWISE = {
    catalog.OBJECTS: "it follows bronze/photos: restore that",
    catalog.QUARANTINE: "it follows silver/embeddings: restore that",
    catalog.MOMENTS: "run.py models --recompute takes them anew from silver/embeddings",
    catalog.MODELS: "run.py models --promote VERSION or --rollback changes what readers get",
    catalog.HELD_OUT: "run.py train makes it anew",
}
"""What to do instead, of tables that are made from others. The rest are journals of what happened."""

PRINT = "print"
"""A column with a hash of all others."""


@dataclass(frozen=True)
class Restored:
    """What a restore did: rows that left and that came back, those that may not, and how many chunks are to
    be made again."""

    left: int
    returned: int
    kept_out: int
    withdrawn: int


@dataclass(frozen=True)
class Difference:
    """Between a table now and at a version: whole rows that leave, and those that would return; `size` is
    about what these take, in bytes."""

    leaving: DataFrame
    returning: DataFrame
    size: int

    @classmethod
    def of(cls, lake: Lake, table: Table, version: int) -> Difference:
        """Only files that one of the two versions has alone are read. Raises BadInput (no such version, or
        it can't be read any more)."""
        then = lake.names(lake.read_version(table, version))
        now = lake.names(lake.read_version(table, lake.version(table)))
        sizes = lake.files.current(table.name)
        old, new = _rows_in(lake, table, then - now), _rows_in(lake, table, now - then)
        same = [*KEYS[table], PRINT]
        return cls(
            new.join(old.select(same), same, "left_anti").drop(PRINT),
            old.join(new.select(same), same, "left_anti").drop(PRINT),
            sum(sizes[name] for name in then - now),
        )


def named(name: str) -> Table:
    """The table of that name, where it can be taken back. Raises BadInput."""
    known = {table.name: table for table in catalog.TABLES}
    if name not in known:
        nearest = hint(name, known, otherwise=f"the tables are {', '.join(known)}.")
        raise BadInput(f"There is no table {name}; {nearest}")
    if known[name] not in KEYS:
        why = OTHERWISE.get(known[name], "it is a journal, and tells what happened")
        raise BadInput(f"{name} can't be restored by itself: {why}.")
    return known[name]


def restore(context: Context, table: Table, version: int) -> Restored:
    """Takes one of the tables of `KEYS` back. Raises BadInput (no such version, or it can't be read any
    more), Blocked (a chunk that is half published can't be finished), Busy."""
    lake = context.lake
    finish_half_published(context)
    differs = Difference.of(lake, table, version)
    withdrawn = [
        chunk
        for chunk in row_removal.chunks_of(lake, table)
        if chunk.versions.get(table.name, 0) > version
    ]
    returning = _allowed(context, table, differs.returning, but_for=withdrawn)
    left, returned = differs.leaving.count(), returning.count()
    kept_out = differs.returning.count() - returned
    if left or withdrawn:
        _leave(lake, table, differs.leaving, returning, withdrawn)
    if returned:
        wanted = ChunkPlan(layer=RESTORE, bytes=differs.size)
        [chunk] = lake.ledger.plan([wanted])
        lake.append(table, returning, chunk=chunk, keep_origin=True)
        fault_points.at("restore: rows returned")
    _follow(lake, table)
    fault_points.at("restore: followed")
    return Restored(left, returned, kept_out, len(withdrawn))


def _rows_in(lake: Lake, table: Table, files: Iterable[str]) -> DataFrame:
    """The rows of some of a table's files, with a hash of each."""
    paths = [re.sub(r"([\\\[\]{}*?])", r"\\\1", lake.files.uri(name)) for name in files]
    rows = lake.spark.createDataFrame([], table.schema)
    if paths:
        reader = lake.spark.read.schema(table.schema)
        rows = reader.option("basePath", lake.files.uri(table.name)).parquet(*paths)
    columns = table.schema.fieldNames()
    return rows.select(*columns, F.xxhash64(*columns).alias(PRINT))


# What may come back


def _allowed(
    context: Context, table: Table, rows: DataFrame, *, but_for: Iterable[Chunk]
) -> DataFrame:
    """Those of the rows whose chunk is published, and that still have what they were made from."""
    lake = context.lake
    withdrawn = {chunk.number for chunk in but_for}
    chunks = row_removal.chunks_of(lake, table)
    numbers = [[chunk.number] for chunk in chunks if chunk.number not in withdrawn]
    published = lake.spark.createDataFrame(numbers, schema("chunk bigint"))
    rows = rows.join(F.broadcast(published), "chunk", "left_semi")
    if table is catalog.PHOTOS:
        stored = (
            lake.read(catalog.OBJECTS).where(F.col("outcome") == Outcome.STORED).select("photo_id")
        )
        barred = tombstones.holding(lake, now=context.now)
        return _not_erased(rows.join(stored, "photo_id", "left_semi"), context.pseudonyms, barred)
    if table is catalog.EMBEDDINGS:
        gone = (
            extractors(lake)
            .where(F.col("status").isin(ModelStatus.RETIRED, ModelStatus.RETIRING))
            .select("weights_id")
        )
        rows = rows.join(F.broadcast(gone), "weights_id", "left_anti")
        photos = lake.read(catalog.PHOTOS).select("photo_id")
        return rows.join(photos, "photo_id", "left_semi")
    versions = lake.read(catalog.MODELS).select(
        F.col("version").alias("model_version"), "weights_id"
    )
    made_from = lake.read(catalog.EMBEDDINGS).join(F.broadcast(versions), "weights_id")
    return rows.join(made_from, list(KEYS[table]), "left_semi")


def _not_erased(photos: DataFrame, keys: Pseudonyms, barred: frozenset[str]) -> DataFrame:
    """Photos of no erased subject, nor of erased bytes that came without one."""
    tombstone = keys.tombstones

    def erased(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            ids = [
                row["photo_id"]
                for row in rows
                if tombstone((row["subject"] or row["original"] or "").encode()) in barred
            ]
            yield pa.RecordBatch.from_pydict({"photo_id": pa.array(ids, pa.string())})

    found = photos.select("photo_id", "subject", "original").mapInArrow(
        erased, schema("photo_id string")
    )
    return photos.join(found, "photo_id", "left_anti")


# What leaves


def _leave(
    lake: WritableLake,
    table: Table,
    leaving: DataFrame,
    returning: DataFrame,
    withdrawn: Sequence[Chunk],
) -> None:
    """Rows leave, with what was made from those that come back in no form."""
    key = list(KEYS[table])
    if table is catalog.PHOTOS:
        gone = leaving.join(returning.select(key), key, "left_anti")
        row_removal.leave(lake, gone, layer=RESTORE)
        row_removal.take_out(lake, table, leaving, on=key, layer=RESTORE)
        return
    if table is catalog.FEATURES:
        row_removal.take_out(lake, table, leaving, on=key, layer=RESTORE)
    else:
        row_removal.abandon_staged(lake, leaving)
        embedding_removal.remove_embeddings(lake, leaving.select(key))
        _delete_chunks(lake, catalog.QUARANTINE, withdrawn)
    lake.ledger.retire(withdrawn)
    fault_points.at("restore: chunks withdrawn")


def _delete_chunks(lake: WritableLake, table: Table, chunks: Iterable[Chunk]) -> None:
    """The rows of whole chunks leave a table."""
    numbers = sorted(chunk.number for chunk in chunks)
    if numbers and not lake.read(table).where(F.col("chunk").isin(numbers)).isEmpty():
        [own] = lake.ledger.plan([ChunkPlan(layer=RESTORE)])
        lake.delete(table, f"chunk in ({', '.join(map(str, numbers))})", chunk=own)
        fault_points.at(f"restore: {table.name} gone")


# What follows


def _follow(lake: WritableLake, table: Table) -> None:
    """What is derived from the table agrees with it, whatever a call before left."""
    if table is catalog.PHOTOS:
        seen = lake.read(catalog.OBJECTS).where(
            F.col("outcome").isin(Outcome.STORED, Outcome.DUPLICATE)
        )
        lost = seen.join(lake.read(catalog.PHOTOS).select("photo_id"), "photo_id", "left_anti")
        row_removal.take_out(lake, catalog.OBJECTS, lost, on=["photo_id"], layer=RESTORE)
        row_removal.recount(lake, table)
        return
    if table is catalog.EMBEDDINGS:
        _reopen(lake)
        for row in extractors(lake).where(F.col("status") != ModelStatus.RETIRED).collect():
            held = moments_table.stored(lake, row["weights_id"])
            if held is not None:
                moments_table.bring_up(
                    lake, weights_id=row["weights_id"], through=held.through_chunk
                )
    _project_again(lake)
    for each in (catalog.EMBEDDINGS, catalog.FEATURES):
        row_removal.recount(lake, each)


def _reopen(lake: WritableLake) -> None:
    """The last refusal of a photo holds again, where the replay that ended it was withdrawn."""
    same = list(KEYS[catalog.EMBEDDINGS])
    refused = lake.read(catalog.QUARANTINE)
    is_last = F.row_number().over(Window.partitionBy(same).orderBy(F.desc("quarantined_at"))) == 1
    ended = (
        refused.join(lake.read(catalog.EMBEDDINGS).select(same), same, "left_anti")
        .withColumn("is_last", is_last)
        .where(F.col("is_last") & F.col("replayed_at").isNotNull())
    )
    if not ended.isEmpty():
        [chunk] = lake.ledger.plan([ChunkPlan(layer=RESTORE)])
        again = ended.withColumn("replayed_at", F.lit(None).cast("timestamp"))
        lake.upsert(catalog.QUARANTINE, again, keys=[*same, "chunk"], chunk=chunk)
        fault_points.at("restore: refusals reopened")


def _project_again(lake: WritableLake) -> None:
    """Gold chunks of a champion that lack features of embeddings which are there are withdrawn."""
    champions = lake.read(catalog.MODELS).where(
        (F.col("kind") == ModelKind.PCA) & (F.col("status") == ModelStatus.CHAMPION)
    )
    for row in champions.select("version", "weights_id").collect():
        own = lake.read(catalog.FEATURES).where(F.col("model_version") == row["version"])
        held = lake.read(catalog.EMBEDDINGS).where(F.col("weights_id") == row["weights_id"])
        lacking = counts(held.join(own.select("photo_id"), "photo_id", "left_anti"), "chunk")
        partly = [
            chunk
            for chunk in row_removal.chunks_of(lake, catalog.FEATURES)
            if chunk.model_version == row["version"]
            and any(chunk.sources[0] <= number <= chunk.sources[1] for number in lacking)
        ]
        if partly:
            _delete_chunks(lake, catalog.FEATURES, partly)
            lake.ledger.retire(partly)
