"""The data that the lake holds of a subject: rows by table, and model versions that were fitted on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.catalog import Table, schema
from lake.enums import FITTED_PREFIX, ModelKind
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake

PHOTO_TABLES = (
    catalog.OBJECTS,
    catalog.PHOTOS,
    catalog.EMBEDDINGS,
    catalog.QUARANTINE,
    catalog.FEATURES,
    catalog.HELD_OUT,
)
"""The tables that have both columns `photo_id` and `subject`."""


@dataclass(frozen=True)
class SubjectData:
    """The photos and rows of one subject, with copies of the same bytes that came without a subject.

    The pseudonym and the ids reach Spark as frames, never as literals in a plan.
    """

    lake: Lake
    pseudonym: str
    photo_ids: frozenset[str]

    BRONZE_ORDER: ClassVar[Sequence[tuple[Table, str]]] = (
        (catalog.PHOTOS, "photo_id"),
        (catalog.REJECTED, "subject"),
        (catalog.OBJECTS, "photo_id"),
        (catalog.OBJECTS, "subject"),
    )
    """The tables of bronze in the order in which they lose the subject's rows, and the key column for each.
    Silver and gold come before them; bronze/objects is last."""

    @classmethod
    def of(cls, lake: Lake, *, pseudonym: str, photo_ids: Iterable[str] = ()) -> SubjectData:
        """Find the photos of a subject in the lake as it is now.

        `photo_ids` are further photos that are known to be the subject's, though the lake may no longer tell.
        """
        subject = _frame(lake, "subject", [pseudonym])
        found: set[str | None] = set()
        for table in PHOTO_TABLES:
            rows = lake.read(table).select("photo_id", "subject")
            ids = rows.join(F.broadcast(subject), "subject", "left_semi").select("photo_id")
            found |= {row[0] for row in ids.distinct().collect()}
        photos = lake.read(catalog.PHOTOS).select("photo_id", "subject", "original")
        originals = photos.join(F.broadcast(subject), "subject", "left_semi").select("original")
        copies = photos.where(F.col("subject").isNull()).join(
            F.broadcast(originals.distinct()), "original", "left_semi"
        )
        found |= {row[0] for row in copies.select("photo_id").collect()}
        known = frozenset(photo_id for photo_id in found if photo_id is not None)
        return cls(lake, pseudonym, known | frozenset(photo_ids))

    def keys(self, column: str) -> DataFrame:
        """Return the subject's keys as a frame with one column, `photo_id` or `subject`."""
        values = [self.pseudonym] if column == "subject" else sorted(self.photo_ids)
        return _frame(self.lake, column, values)

    def rows_of(self, table: Table, column: str = "photo_id") -> DataFrame:
        """Return the rows of a table that have one of the subject's keys in `column` (see `keys`)."""
        return self.lake.read(table).join(F.broadcast(self.keys(column)), column, "left_semi")

    def rows(self) -> dict[str, int]:
        """Return how many rows of the subject each table holds, by the table's name; only counts above 0."""
        total: Counter[str] = Counter()
        for table in PHOTO_TABLES:
            total[table.name] = self.rows_of(table).count()
        for table, column in ((catalog.REJECTED, "subject"), (catalog.OBJECTS, "subject")):
            rows = self.rows_of(table, column)
            if table is catalog.OBJECTS:
                rows = rows.join(F.broadcast(self.keys("photo_id")), "photo_id", "left_anti")
            total[table.name] += rows.count()
        return {name: count for name, count in total.items() if count}

    def fitted(self) -> dict[str, int]:
        """Return on how many of the photos each model version was fitted, by `FITTED_PREFIX` and its name."""
        embedded = self.rows_of(catalog.EMBEDDINGS).groupBy("weights_id", "chunk").count().collect()
        rows = self.lake.records(
            catalog.MODELS,
            columns=["version", "weights_id", "through_chunk"],
            where=pc.field("kind") != ModelKind.EXTRACTOR.value,
        )
        fitted = {}
        for row in rows:
            seen = [
                each["count"]
                for each in embedded
                if each["weights_id"] == row["weights_id"] and each["chunk"] <= row["through_chunk"]
            ]
            if seen:
                fitted[f"{FITTED_PREFIX}{row['version']}"] = sum(seen)
        return fitted

    @cached_property
    def _content(self) -> DataFrame:
        """The photos' `original` hashes and `content`. Only the chunks that hold them are read."""
        rows = self.rows_of(catalog.PHOTOS)
        bounds = rows.agg(F.min("chunk"), F.max("chunk")).collect()[0]
        if bounds[0] is None:
            return rows.select("original", "content")
        chunks = self.lake.read(catalog.PHOTOS, chunks=(bounds[0], bounds[1]))
        return chunks.join(F.broadcast(self.keys("photo_id")), "photo_id", "left_semi").select(
            "original", "content"
        )

    def hashes(self, originals: KeyedHash) -> set[str]:
        """Return two keyed hashes of every photo: of its bytes as they arrived, and as bronze keeps them."""

        def hashed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                as_kept = [originals(content) for content in batch.column("content").to_pylist()]
                yield pa.RecordBatch.from_pydict(
                    {"hash": [*batch.column("original").to_pylist(), *as_kept]}
                )

        rows = self._content.mapInArrow(hashed, schema("hash string")).collect()
        return {row["hash"] for row in rows if row["hash"]}


def _frame(lake: Lake, column: str, values: Sequence[str]) -> DataFrame:
    """Return a frame with one column of strings."""
    table = pa.table({column: pa.array(values, pa.string())})
    return lake.spark.createDataFrame(table, schema(f"{column} string"))
