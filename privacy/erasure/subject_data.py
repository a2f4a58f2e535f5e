"""The data that the lake holds of a subject: rows by table, and model versions that saw them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog
from lake.catalog import Table, schema
from lake.pseudonyms import KeyedHash, Pseudonyms
from lake.readable_lake import Lake
from lake.row_source import RowSource
from privacy import model_lineage
from privacy.model_lineage import PhotoLineage
from privacy.owned_rows import BRONZE_KEYS, PHOTO_TABLES, OwnedKeys, hashes


@dataclass(frozen=True)
class SubjectData:
    """The photos and rows of one subject, with copies of the same bytes that came without a subject.

    `owned` are their keys; where one photo is asked for, those of that photo and of such copies. Where Spark
    reads, the pseudonym and the ids reach it as frames, never as literals in a plan.
    """

    lake: Lake
    owned: OwnedKeys

    @classmethod
    def of(
        cls, lake: Lake, pseudonyms: Pseudonyms, *, pseudonym: str, photo_ids: Iterable[str] = ()
    ) -> SubjectData:
        """Find the photos of a subject, as `OwnedKeys.of_subject`, in the lake as it is now."""
        rows = LakeRows(lake)
        owned = OwnedKeys.of_subject(rows, pseudonyms, pseudonym=pseudonym, photo_ids=photo_ids)
        return cls(lake, owned)

    @classmethod
    def of_photo(cls, lake: Lake, photo_id: str, *, photo_ids: Iterable[str] = ()) -> SubjectData:
        """Find one photo, as `OwnedKeys.of_photo`, in the lake as it is now."""
        return cls(lake, OwnedKeys.of_photo(LakeRows(lake), photo_id, photo_ids=photo_ids))

    @property
    def photo_ids(self) -> frozenset[str]:
        """The ids of the photos."""
        return self.owned.photo_ids

    @property
    def bronze_keys(self) -> Sequence[tuple[Table, str]]:
        """The tables of bronze in the order in which they lose the subject's rows, each with its key column.

        Silver and gold come before them.
        """
        return [(table, column) for table, column in BRONZE_KEYS if self.owned.values(column)]

    def keys(self, column: str) -> RowSource:
        """Return the subject's keys as rows with one column, `photo_id`, `subject` or `object`."""
        return self.lake.values(column, self.owned.values(column))

    def rows_of(self, table: Table, column: str = "photo_id") -> RowSource:
        """Return the rows of a table that have one of the subject's keys in `column` (see `keys`)."""
        return self.lake.source(table).among(self.keys(column), column)

    def rows(self) -> dict[str, int]:
        """Return how many rows of the subject each table holds, by the table's name; only counts above 0."""
        total = {table.name: self.rows_of(table).count() for table in PHOTO_TABLES}
        if self.owned.pseudonym is None:
            return {name: count for name, count in total.items() if count}
        total[catalog.REJECTED.name] = self.rows_of(catalog.REJECTED, "subject").count()
        for table in (catalog.REJECTED, catalog.OBJECTS) if self.owned.objects else ():
            total[table.name] += self.rows_of(table, "object").count()
        seen = self.rows_of(catalog.OBJECTS, "subject").counts("photo_id")
        others = (n for photo_id, n in seen.items() if photo_id not in self.photo_ids)
        total[catalog.OBJECTS.name] += sum(others)
        return {name: count for name, count in total.items() if count}

    def fitted(self) -> dict[str, int]:
        """Return on how many of the photos each model version was or may have been fitted, by its name behind
        a prefix, as `ModelLineage.fitted_on`.

        Nothing can be told of somebody of whom the lake holds no row: the result is empty.
        """
        if not self.photo_ids and not self.rows():
            return {}
        return model_lineage.fitted_on(self.lake, self._photo_lineages())

    def _photo_lineages(self) -> list[PhotoLineage]:
        """Return the lineage of each photo of which bronze/photos or silver/embeddings holds a row.

        The time is the first of its chunk, so that photos of one chunk are alike.
        """
        arrived = self.rows_of(catalog.PHOTOS).distinct("photo_id", "chunk", "ingested_at")
        first_of: dict[int, datetime] = {}
        for _, chunk, at in arrived:
            if at is not None:  # Spark gives a time of this machine's zone, and Arrow one of UTC
                first_of[chunk] = min(first_of.get(chunk, at.astimezone(UTC)), at.astimezone(UTC))
        arrived_in = {photo_id: chunk for photo_id, chunk, _ in arrived}
        embedded, refused = map(self._silver_chunks, (catalog.EMBEDDINGS, catalog.QUARANTINE))
        return [
            PhotoLineage(
                arrived_in.get(photo_id),
                first_of.get(arrived_in.get(photo_id, 0)),
                frozenset(embedded.get(photo_id, ())),
                frozenset(refused.get(photo_id, ())),
            )
            for photo_id in arrived_in.keys() | embedded.keys()
        ]

    def _silver_chunks(self, table: Table) -> dict[str, set[tuple[str, int]]]:
        """Return the weights_id and the chunk of each row that a table of silver has of a photo, by photo."""
        found: dict[str, set[tuple[str, int]]] = {}
        rows = self.rows_of(table).distinct("photo_id", "weights_id", "chunk")
        for photo_id, weights_id, chunk in rows:
            found.setdefault(photo_id, set()).add((weights_id, chunk))
        return found

    def hashes(self, originals: KeyedHash) -> set[tuple[str | None, str]]:
        """Return two keyed hashes of every photo: of its bytes as they arrived, and as bronze keeps them,
        each behind the pseudonym of the photo's subject, if any.

        Spark reads the bytes, however few photos they are of, and only the chunks that hold them.
        """
        held_in = self.rows_of(catalog.PHOTOS).counts("chunk")
        if not held_in:
            return set()

        columns = pa.schema([("subject", pa.string()), ("hash", pa.string())])

        def hashed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                found = [
                    {"subject": owner, "hash": each} for owner, each in hashes(batch, originals)
                ]
                yield pa.RecordBatch.from_pylist(found, columns)

        chunks = self.lake.source(catalog.PHOTOS, chunks=(min(held_in), max(held_in)))
        photos = chunks.among(self.keys("photo_id"), "photo_id").frame()
        content = photos.select("original", "content", "subject")
        rows = content.mapInArrow(hashed, schema("subject string, hash string")).collect()
        return {(row["subject"], row["hash"]) for row in rows}


@dataclass(frozen=True)
class LakeRows:
    """The rows of a lake as it is now, as `privacy.owned_rows.KeyRows`."""

    lake: Lake

    def distinct(
        self, table: Table, column: str, values: Collection[str], *names: str
    ) -> set[tuple[Any, ...]]:
        """Return combinations of values, as `KeyRows.distinct`."""
        keys = self.lake.values(column, values)
        return self.lake.source(table).among(keys, column).distinct(*names)

    def of_nobody(self, table: Table, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield values of rows without a subject, as `KeyRows.of_nobody`."""
        where = pc.field("subject").is_null()
        for batch in self.lake.batches(table, columns=names, where=where):
            yield from zip(*(each.to_pylist() for each in batch.columns), strict=True)
