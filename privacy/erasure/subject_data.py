"""What the lake holds of a subject: rows by table, and the model versions that had seen them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.catalog import Table, schema
from lake.column_values import FITTED_PREFIX, ModelKind
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake

NAMING = (
    catalog.OBJECTS,
    catalog.PHOTOS,
    catalog.EMBEDDINGS,
    catalog.QUARANTINE,
    catalog.FEATURES,
    catalog.HELD_OUT,
)
"""Tables with both a photo's id and its subject."""


@dataclass(frozen=True)
class SubjectData:
    """One subject's, and copies of the same bytes that came without a subject.

    The pseudonym and the ids reach Spark as frames, never as a literal of a plan.
    """

    lake: Lake
    pseudonym: str
    photo_ids: frozenset[str]

    TABLES: ClassVar[Sequence[tuple[Table, str]]] = (
        (catalog.PHOTOS, "photo_id"),
        (catalog.REJECTED, "subject"),
        (catalog.OBJECTS, "photo_id"),
        (catalog.OBJECTS, "subject"),
    )
    """Whose rows go by which column, once they have left silver and gold; bronze/objects last."""

    @classmethod
    def of(cls, lake: Lake, *, pseudonym: str, photo_ids: Iterable[str] = ()) -> SubjectData:
        """Of a subject as it is now, and of photos that are known to be the subject's."""
        who = _frame(lake, "subject", [pseudonym])
        own = [
            lake.read(table)
            .select("photo_id", "subject")
            .join(F.broadcast(who), "subject", "left_semi")
            for table in NAMING
        ]
        found = {row[0] for frame in own for row in frame.select("photo_id").distinct().collect()}
        photos = lake.read(catalog.PHOTOS).select("photo_id", "subject", "original")
        originals = photos.join(F.broadcast(who), "subject", "left_semi").select("original")
        copies = photos.where(F.col("subject").isNull()).join(
            F.broadcast(originals.distinct()), "original", "left_semi"
        )
        found |= {row[0] for row in copies.select("photo_id").collect()}
        return cls(lake, pseudonym, frozenset(found - {None}) | frozenset(photo_ids))

    def keys(self, column: str) -> DataFrame:
        """The keys of one kind: `photo_id` or `subject`."""
        values = [self.pseudonym] if column == "subject" else sorted(self.photo_ids)
        return _frame(self.lake, column, values)

    def rows_of(self, table: Table, column: str = "photo_id") -> DataFrame:
        """The rows of a table with one of the keys."""
        return self.lake.read(table).join(F.broadcast(self.keys(column)), column, "left_semi")

    def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        found: Counter[str] = Counter()
        for table in NAMING:
            found[table.name] = self.rows_of(table).count()
        for table, column in ((catalog.REJECTED, "subject"), (catalog.OBJECTS, "subject")):
            rows = self.rows_of(table, column)
            if table is catalog.OBJECTS:
                rows = rows.join(F.broadcast(self.keys("photo_id")), "photo_id", "left_anti")
            found[table.name] += rows.count()
        return {name: count for name, count in found.items() if count}

    def fitted(self) -> dict[str, int]:
        """By model version (`FITTED_PREFIX`), on how many of the photos it was fitted."""
        own = self.rows_of(catalog.EMBEDDINGS).groupBy("weights_id", "chunk").count().collect()
        fitted = F.col("kind").isin(ModelKind.PCA, ModelKind.CLASSIFIER)
        rows = self.lake.read(catalog.MODELS).where(fitted)
        found = {}
        for row in rows.select("version", "weights_id", "through_chunk").collect():
            seen = [
                each["count"]
                for each in own
                if each["weights_id"] == row["weights_id"] and each["chunk"] <= row["through_chunk"]
            ]
            if seen:
                found[f"{FITTED_PREFIX}{row['version']}"] = sum(seen)
        return found

    @cached_property
    def _content(self) -> DataFrame:
        rows = self.rows_of(catalog.PHOTOS)
        bounds = rows.agg(F.min("chunk"), F.max("chunk")).collect()[0]
        if bounds[0] is None:
            return rows.select("original", "content")
        near = self.lake.read(catalog.PHOTOS, chunks=(bounds[0], bounds[1]))
        return near.join(F.broadcast(self.keys("photo_id")), "photo_id", "left_semi").select(
            "original", "content"
        )

    def hashes(self, originals: KeyedHash) -> set[str]:
        """The keyed hashes of every photo's bytes: as they arrived, and as bronze keeps them."""

        def hashed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                kept = [originals(content) for content in batch.column("content").to_pylist()]
                yield pa.RecordBatch.from_pydict(
                    {"hash": [*batch.column("original").to_pylist(), *kept]}
                )

        rows = self._content.mapInArrow(hashed, schema("hash string")).collect()
        return {row["hash"] for row in rows if row["hash"]}


def _frame(lake: Lake, column: str, values: Sequence[str]) -> DataFrame:
    table = pa.table({column: pa.array(values, pa.string())})
    return lake.spark.createDataFrame(table, schema(f"{column} string"))
