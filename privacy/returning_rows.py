"""The rows of an earlier version of a table that may come back."""

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


def may_return(
    context: Context, table: Table, rows: DataFrame, withdrawn: Iterable[Chunk]
) -> DataFrame:
    """Return the rows of an earlier version whose chunk is published and not withdrawn, and whose source is
    still in the lake: no erased or expired photo, and no embedding of a retired model."""
    lake = context.lake
    withdrawn_numbers = {chunk.number for chunk in withdrawn}
    chunks = photo_removal.published_chunks(lake, table)
    numbers = [[chunk.number] for chunk in chunks if chunk.number not in withdrawn_numbers]
    published = lake.spark.createDataFrame(numbers, schema("chunk bigint"))
    rows = rows.join(F.broadcast(published), "chunk", "left_semi")
    if table is catalog.PHOTOS:
        # A photo that expired and was sent again is stored in another chunk: its earlier row stays away.
        same = ["photo_id", "chunk"]
        stored = lake.read(catalog.OBJECTS).where(F.col("outcome") == Outcome.STORED).select(same)
        barred = tombstones.holding(lake, now=context.now)
        return _not_erased(rows.join(stored, same, "left_semi"), context.pseudonyms, barred)
    if table is catalog.EMBEDDINGS:
        gone = (ModelStatus.RETIRED, ModelStatus.RETIRING)
        retired = [row["weights_id"] for row in extractors(lake) if row["status"] in gone]
        rows = rows.where(~F.col("weights_id").isin(retired))
        photos = lake.read(catalog.PHOTOS).select("photo_id")
        return rows.join(photos, "photo_id", "left_semi")
    versions = lake.rows(
        catalog.MODELS, lake.records(catalog.MODELS, columns=["version", "weights_id"])
    ).select(F.col("version").alias("model_version"), "weights_id")
    sources = lake.read(catalog.EMBEDDINGS).join(F.broadcast(versions), "weights_id")
    return rows.join(sources, list(KEYS[table]), "left_semi")


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
