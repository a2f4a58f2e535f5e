"""Restore: a table gets back the rows of an earlier version, except rows that may not return.

Only the rows that differ between the two versions are removed and added. Delta's own RESTORE would show
erased rows for a moment; this restore never does. Chunks that were published after the earlier version are
withdrawn, with everything that was made from them, and the next run makes them again. ops/chunks, the
moments, bronze/objects and the labels of silver and gold are updated to agree, and the next run corrects
labels again. After a crash, the same call finishes the work, because it finds what still differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.errors import BadInput, hint
from gold import embedding_removal, model_versions, moments_table
from lake import catalog, fault_points
from lake.catalog import Table
from lake.chunks import Chunk, ChunkPlan
from lake.context import Context
from lake.dataframe_queries import counts
from lake.enums import RESTORE, ModelKind, ModelStatus, Outcome
from lake.extractor_status import extractors
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.writable_lake import WritableLake
from privacy import photo_removal, relabelling
from privacy.finish_chunks import finish_half_published
from privacy.returning_rows import KEYS, may_return

ALTERNATIVES = {
    catalog.OBJECTS: "it follows bronze/photos: restore that",
    catalog.KNOWN_KEYS: "it follows bronze/objects, and is made anew where it lacks rows of it",
    catalog.QUARANTINE: "it follows silver/embeddings: restore that",
    catalog.MOMENTS: "run.py models --recompute computes them again from silver/embeddings",
    catalog.MODELS: "run.py models --promote VERSION or --rollback changes the version that readers get",
    catalog.HELD_OUT: "run.py train makes it again",
}
"""What to do instead, for the tables that are made from others. All further tables are journals."""

ROW_HASH = "row_hash"
"""The name of a column with a hash of all others, but for labels that follow those of bronze/photos."""


@dataclass(frozen=True)
class Restored:
    """What a restore did.

    `left` rows were removed, `returned` came back, `kept_out` may not. `withdrawn` chunks must be made again.
    """

    left: int
    returned: int
    kept_out: int
    withdrawn: int


@dataclass(frozen=True)
class Difference:
    """The rows in which a table and its earlier version differ.

    `leaving` are the rows of now alone, `returning` the rows of the earlier version alone. `size` is about
    how many bytes the returning rows take.
    """

    leaving: DataFrame
    returning: DataFrame
    size: int

    @classmethod
    def of(cls, lake: Lake, table: Table, version: int) -> Difference:
        """Compare a table with its version of that number. Files that both versions have are not read.

        Raises BadInput where there is no such version, or it can't be read any more.
        """
        then, now = lake.names_at(table, version), lake.names(table)
        sizes = lake.files.current(table.name)
        old, new = _rows_in(lake, table, then - now), _rows_in(lake, table, now - then)
        same = [*KEYS[table], ROW_HASH]
        return cls(
            new.join(old.select(same), same, "left_anti").drop(ROW_HASH),
            old.join(new.select(same), same, "left_anti").drop(ROW_HASH),
            sum(sizes[name] for name in then - now),
        )


def named(name: str) -> Table:
    """Return the table of that name. Raises BadInput where there is none, or it can't be restored."""
    tables = {table.name: table for table in catalog.TABLES}
    if name not in tables:
        nearest = hint(name, tables, otherwise=f"the tables are {', '.join(tables)}.")
        raise BadInput(f"There is no table {name}; {nearest}")
    if tables[name] not in KEYS:
        why = ALTERNATIVES.get(tables[name], "it is a journal, which records what happened")
        raise BadInput(f"{name} can't be restored by itself: {why}.")
    return tables[name]


def restore(context: Context, table: Table, version: int) -> Restored:
    """Give a table of `KEYS` back the rows of an earlier version, and return what was done.

    Raises BadInput (no such version, or it can't be read any more), Blocked (a half published chunk can't be
    finished), Busy.
    """
    lake = context.lake
    finish_half_published(context)
    difference = Difference.of(lake, table, version)
    withdrawn = [
        chunk
        for chunk in photo_removal.published_chunks(lake, table)
        if chunk.versions.get(table.name, 0) > version
    ]
    returning = may_return(context, table, difference.returning, withdrawn)
    left, returned = difference.leaving.count(), returning.count()
    kept_out = difference.returning.count() - returned
    if left or withdrawn:
        _remove(lake, table, difference.leaving, returning, withdrawn)
    if returned:
        [chunk] = lake.ledger.plan([ChunkPlan(layer=RESTORE, bytes=difference.size)])
        lake.append(table, returning, chunk=chunk, keep_origin=True)
        fault_points.at("restore: rows returned")
    _update_dependents(lake, table)
    relabelling.follow_photos(lake)
    relabelling.mark_contradicting(lake, now=context.now)
    fault_points.at("restore: followed")
    return Restored(left, returned, kept_out, len(withdrawn))


def _rows_in(lake: Lake, table: Table, files: Iterable[str]) -> DataFrame:
    """Return the rows of some of a table's files, with a hash of each row in `ROW_HASH`."""
    paths = [re.sub(r"([\\\[\]{}*?])", r"\\\1", lake.files.uri(name)) for name in files]
    rows = lake.spark.createDataFrame([], table.schema)
    if paths:
        reader = lake.spark.read.schema(table.schema)
        rows = reader.option("basePath", lake.files.uri(table.name)).parquet(*paths)
    columns = table.schema.fieldNames()
    own = [name for name in columns if table is catalog.PHOTOS or name != "label"]
    return rows.select(*columns, F.xxhash64(*own).alias(ROW_HASH))


def _remove(
    lake: WritableLake,
    table: Table,
    leaving: DataFrame,
    returning: DataFrame,
    withdrawn: Sequence[Chunk],
) -> None:
    """Remove the leaving rows and retire the withdrawn chunks.

    What was made from a leaving row is removed too, unless the same photo returns in another form.
    """
    key, rows = list(KEYS[table]), RowSource(lambda: leaving)
    if table is catalog.PHOTOS:
        gone_for_good = leaving.join(returning.select(key), key, "left_anti")
        photo_removal.remove_photos(lake, RowSource(lambda: gone_for_good), layer=RESTORE)
        photo_removal.remove_rows(lake, table, rows, on=key, layer=RESTORE)
        return
    if table is catalog.FEATURES:
        photo_removal.remove_rows(lake, table, rows, on=key, layer=RESTORE)
    else:
        photo_removal.abandon_staged(lake, rows)
        of_model = {each: rows.having("weights_id", [each]) for each in rows.counts("weights_id")}
        embedding_removal.remove_embeddings(lake, of_model)
        _delete_chunks(lake, catalog.QUARANTINE, withdrawn)
    lake.ledger.retire(withdrawn)
    fault_points.at("restore: chunks withdrawn")


def _delete_chunks(lake: WritableLake, table: Table, chunks: Iterable[Chunk]) -> None:
    """Delete the rows of whole chunks from a table."""
    numbers = sorted(chunk.number for chunk in chunks)
    if numbers and not lake.read(table).where(F.col("chunk").isin(numbers)).isEmpty():
        [deletion] = lake.ledger.plan([ChunkPlan(layer=RESTORE)])
        lake.delete(table, f"chunk in ({', '.join(map(str, numbers))})", chunk=deletion)
        fault_points.at(f"restore: {table.name} gone")


def _update_dependents(lake: WritableLake, table: Table) -> None:
    """Make everything that is derived from the table agree with it, also after an earlier call that died."""
    if table is catalog.PHOTOS:
        taken_in = lake.read(catalog.OBJECTS).where(
            F.col("outcome").isin(Outcome.STORED, Outcome.DUPLICATE)
        )
        photos = lake.read(catalog.PHOTOS).select("photo_id")
        lost = taken_in.join(photos, "photo_id", "left_anti")
        objects = RowSource(lambda: lost)
        photo_removal.remove_rows(lake, catalog.OBJECTS, objects, on=["photo_id"], layer=RESTORE)
        photo_removal.recount(lake, table)
        return
    if table is catalog.EMBEDDINGS:
        _reopen_refusals(lake)
        for row in extractors(lake):
            if row["status"] == ModelStatus.RETIRED:
                continue
            moments = moments_table.stored(lake, row["weights_id"])
            if moments is not None:
                moments_table.bring_up(
                    lake, weights_id=row["weights_id"], through=moments.through_chunk
                )
    _withdraw_incomplete_features(lake)
    for each in (catalog.EMBEDDINGS, catalog.FEATURES):
        photo_removal.recount(lake, each)


def _reopen_refusals(lake: WritableLake) -> None:
    """Reopen the last refusal of each photo whose replay was withdrawn: the photo has no embedding again."""
    same = list(KEYS[catalog.EMBEDDINGS])
    refused = lake.read(catalog.QUARANTINE)
    is_last = F.row_number().over(Window.partitionBy(same).orderBy(F.desc("quarantined_at"))) == 1
    replayed = (
        refused.join(lake.read(catalog.EMBEDDINGS).select(same), same, "left_anti")
        .withColumn("is_last", is_last)
        .where(F.col("is_last") & F.col("replayed_at").isNotNull())
    )
    if not replayed.isEmpty():
        [chunk] = lake.ledger.plan([ChunkPlan(layer=RESTORE)])
        reopened = replayed.withColumn("replayed_at", F.lit(None).cast("timestamp"))
        lake.upsert(catalog.QUARANTINE, reopened, keys=[*same, "chunk"], chunk=chunk)
        fault_points.at("restore: refusals reopened")


def _withdraw_incomplete_features(lake: WritableLake) -> None:
    """Withdraw the gold chunks of champions that lack features of an embedding which silver holds."""
    for row in lake.records(catalog.MODELS, columns=model_versions.NARROW):
        if (row["kind"], row["status"]) != (ModelKind.PCA, ModelStatus.CHAMPION):
            continue
        features = lake.read(catalog.FEATURES).where(F.col("model_version") == row["version"])
        embeddings = lake.read(catalog.EMBEDDINGS).where(F.col("weights_id") == row["weights_id"])
        lacking = embeddings.join(features.select("photo_id"), "photo_id", "left_anti")
        lacking_by_chunk = counts(lacking, "chunk")
        incomplete = [
            chunk
            for chunk in photo_removal.published_chunks(lake, catalog.FEATURES)
            if chunk.model_version == row["version"]
            and any(chunk.sources[0] <= number <= chunk.sources[1] for number in lacking_by_chunk)
        ]
        if incomplete:
            _delete_chunks(lake, catalog.FEATURES, incomplete)
            lake.ledger.retire(incomplete)
