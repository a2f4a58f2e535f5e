"""The rows of an earlier version of a table that may come back, and with which labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.catalog import Table, schema
from lake.chunks import Chunk
from lake.context import Context
from lake.enums import ModelStatus, Outcome
from lake.extractor_status import extractors
from lake.pseudonyms import Pseudonyms
from privacy import photo_removal, tombstones

KEYS: Mapping[Table, Sequence[str]] = {
    catalog.PHOTOS: ("photo_id",),
    catalog.EMBEDDINGS: ("photo_id", "weights_id"),
    catalog.FEATURES: ("photo_id", "model_version"),
}
"""The tables that can be restored, and the columns that identify a row of each."""

MADE = (catalog.EMBEDDINGS, catalog.QUARANTINE)
"""The tables that hold each photo which silver has tried."""

LABELS = ("label", "split")
"""The columns that are no difference between two versions: a label that was corrected since stays."""


def may_return(
    context: Context, table: Table, rows: DataFrame, withdrawn: Iterable[Chunk]
) -> DataFrame:
    """Return the rows of an earlier version whose chunk is published and not withdrawn, and whose source is
    still in the lake, with the labels that photos have now: no erased photo, and no embedding of a retired
    model."""
    lake = context.lake
    # Spark reads a table as it is when something is counted, and these rows may be gone by then.
    photos = lake.version_source(catalog.PHOTOS, lake.version(catalog.PHOTOS)).frame()
    withdrawn_numbers = {chunk.number for chunk in withdrawn}
    chunks = photo_removal.published_chunks(lake, table)
    numbers = [[chunk.number] for chunk in chunks if chunk.number not in withdrawn_numbers]
    published = lake.spark.createDataFrame(numbers, schema("chunk bigint"))
    rows = rows.join(F.broadcast(published), "chunk", "left_semi")
    if table is catalog.PHOTOS:
        stored = (
            lake.read(catalog.OBJECTS).where(F.col("outcome") == Outcome.STORED).select("photo_id")
        )
        barred = tombstones.holding(lake, now=context.now)
        # A photo that the lake has lost may be in tables that were made from it, with a corrected label.
        made = [lake.read(each).select("photo_id", "label") for each in MADE]
        known = made[0].union(made[1]).dropDuplicates(["photo_id"])
        rows = _labelled_as_now(rows, known, "label")
        rows = _labelled_as_now(rows, photos, *LABELS)
        return _not_erased(rows.join(stored, "photo_id", "left_semi"), context.pseudonyms, barred)
    if table is catalog.EMBEDDINGS:
        gone = (ModelStatus.RETIRED, ModelStatus.RETIRING)
        retired = [row["weights_id"] for row in extractors(lake) if row["status"] in gone]
        rows = rows.where(~F.col("weights_id").isin(retired))
        return _labelled_as_now(rows.join(photos, "photo_id", "left_semi"), photos, "label")
    versions = lake.rows(
        catalog.MODELS, lake.records(catalog.MODELS, columns=["version", "weights_id"])
    ).select(F.col("version").alias("model_version"), "weights_id")
    sources = lake.read(catalog.EMBEDDINGS).join(F.broadcast(versions), "weights_id")
    rows = rows.join(sources, list(KEYS[table]), "left_semi")
    return _labelled_as_now(rows, photos, "label")


def _labelled_as_now(rows: DataFrame, photos: DataFrame, *names: str) -> DataFrame:
    """Return rows with the label, and maybe the split, of those of the `photos` that the lake has now."""
    held = [name for name in names if name in photos.columns]  # earlier code wrote no split
    joined = rows.join(photos.select("photo_id", F.struct(*held).alias("now")), "photo_id", "left")
    known = {name: F.expr(f"if(now is null, {name}, now.{name})") for name in held}
    return joined.withColumns(known).drop("now")


def _not_erased(photos: DataFrame, pseudonyms: Pseudonyms, barred: frozenset[str]) -> DataFrame:
    """Return the photos that no tombstone in `barred` keeps out.

    A photo with a subject is kept out by the subject's tombstone and that of this photo of the subject, one
    without by the tombstone of its bytes; both are by the tombstone of their photo_id.
    """
    make, names = pseudonyms.tombstones, ("subject", "original", "photo_id")

    def is_barred(row: Mapping[str, str | None]) -> bool:
        subject, original, photo_id = (make((row[name] or "").encode()) for name in names)
        own = {subject, subject + original} if row["subject"] else {original}
        return not barred.isdisjoint({*own, photo_id})

    def erased(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = [row["photo_id"] for row in batch.to_pylist() if is_barred(row)]
            yield pa.RecordBatch.from_pydict({"photo_id": pa.array(ids, pa.string())})

    erased_ids = photos.select(*names).mapInArrow(erased, schema("photo_id string"))
    return photos.join(erased_ids, "photo_id", "left_anti")
