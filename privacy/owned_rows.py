"""What counts as a person's, or as one photo's: the one definition that audits and erasures share.

A person's are the photos with the person's pseudonym in any table, those of a lake of format 4 that name the
person in their paths alone, and copies of the same bytes that came without a subject. One photo's are the
photo and such copies. The same bytes under another subject are that subject's photo.

How rows are read is left to `KeyRows`: an erasure reads the tables of today, with Spark where they are large,
and an audit reads the files of any version without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog
from lake.catalog import Table
from lake.pseudonyms import KeyedHash, Pseudonyms
from lake.subject_paths import hidden_names

PHOTO_TABLES = (
    catalog.OBJECTS,
    catalog.PHOTOS,
    catalog.EMBEDDINGS,
    catalog.QUARANTINE,
    catalog.FEATURES,
    catalog.HELD_OUT,
)
"""The tables that have both columns `photo_id` and `subject`."""

BRONZE_KEYS = (
    (catalog.PHOTOS, "photo_id"),
    (catalog.OBJECTS, "object"),
    (catalog.REJECTED, "object"),
    (catalog.REJECTED, "subject"),
    (catalog.OBJECTS, "photo_id"),
    (catalog.OBJECTS, "subject"),
)
"""The tables of bronze and the columns by which a row of them is somebody's, in the order in which an erasure
removes rows: what is needed to find rows of another table goes after these."""


class KeyRows(Protocol):
    """The rows of the tables with photos, of which columns with keys are read."""

    def distinct(
        self, table: Table, column: str, values: Collection[str], *names: str
    ) -> set[tuple[Any, ...]]:
        """Return the combinations of values in the columns `names` of the rows that have one of some values
        in a column."""
        ...

    def of_nobody(self, table: Table, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the values in the columns `names` of the rows without a subject."""
        ...


@dataclass(frozen=True, repr=False)
class OwnedKeys:
    """The keys of the rows that are somebody's, or one photo's: then `pseudonym` is None.

    `objects` are keyed hashes of further objects, which are the subject's by their paths alone: a lake of
    format 4 rejected them as objects without a subject.
    """

    pseudonym: str | None
    photo_ids: frozenset[str]
    objects: frozenset[str] = frozenset()

    @classmethod
    def of_subject(
        cls,
        rows: KeyRows,
        pseudonyms: Pseudonyms,
        *,
        pseudonym: str,
        photo_ids: Iterable[str] = (),
    ) -> OwnedKeys:
        """Find what is a subject's, who has a pseudonym.

        `photo_ids` are further photos that are known to be the subject's, though the rows may no longer tell.
        """
        hidden = _named_in_paths(rows, pseudonyms, pseudonym, catalog.PHOTOS, "photo_id")
        objects = _named_in_paths(rows, pseudonyms, pseudonym, catalog.REJECTED, "object")
        found = set(hidden)
        for table in PHOTO_TABLES:
            found |= {each for (each,) in rows.distinct(table, "subject", [pseudonym], "photo_id")}
        own = rows.distinct(catalog.PHOTOS, "subject", [pseudonym], "original")
        found |= _copies(rows, {each for (each,) in own} | _originals(rows, hidden))
        known = frozenset(each for each in found if each is not None)
        return cls(pseudonym, known | frozenset(photo_ids), frozenset(objects))

    @classmethod
    def of_photo(cls, rows: KeyRows, photo_id: str, *, photo_ids: Iterable[str] = ()) -> OwnedKeys:
        """Find one photo and its copies without a subject.

        `photo_ids` are further photos that a request for it knows of.
        """
        found = frozenset([photo_id, *photo_ids])
        return cls(None, found | _copies(rows, _originals(rows, found)))

    def values(self, column: str) -> Sequence[str]:
        """Return the keys in a column, `photo_id`, `subject` or `object`, in their order."""
        values: Mapping[str, Iterable[str]] = {
            "photo_id": self.photo_ids,
            "subject": [self.pseudonym] if self.pseudonym else [],
            "object": self.objects,
        }
        return sorted(values[column])

    def among(self, rows: pa.Table, columns: Iterable[str]) -> pa.Table:
        """Return the rows that have one of these keys in some columns, of which they may lack a few."""
        is_owned = pc.scalar(False)
        for column in columns:
            values = self.values(column)
            if values and column in rows.column_names:
                is_owned |= pc.field(column).isin(pa.array(values, pa.string()))
        return rows.filter(is_owned)


def key_columns(table: Table) -> Sequence[str]:
    """Return the columns of a table by any of which a row is somebody's.

    An erasure needs no column `subject` where there are photos: it looks up the ids of the subject's photos.
    Files that no version has may hold ids that are in none.
    """
    columns = {column for each, column in BRONZE_KEYS if each is table}
    return sorted(columns | {"photo_id", "subject"})


def hashes(photos: pa.RecordBatch, originals: KeyedHash) -> set[tuple[str | None, str]]:
    """Return the keyed hashes by which copies of photos are known, of their bytes as they arrived and as
    bronze keeps them, each behind the pseudonym of the photo's subject, if any.

    `photos` have the columns `original`, `content` and `subject`.
    """
    rows = [photos.column(name).to_pylist() for name in ("original", "content", "subject")]
    return {
        (owner, hashed)
        for original, content, owner in zip(*rows, strict=True)
        for hashed in (original, None if content is None else originals(content))
        if hashed
    }


def _originals(rows: KeyRows, photo_ids: Collection[str]) -> set[str]:
    """Return the keyed hashes of the bytes of photos, as they arrived."""
    found = rows.distinct(catalog.PHOTOS, "photo_id", photo_ids, "original")
    return {each for (each,) in found if each}


def _copies(rows: KeyRows, originals: Iterable[str | None]) -> set[str]:
    """Return the ids of the photos without a subject whose bytes have one of these hashes."""
    known = [each for each in originals if each]
    found = rows.distinct(catalog.PHOTOS, "original", known, "photo_id", "subject")
    return {photo_id for photo_id, owner in found if owner is None}


def _named_in_paths(
    rows: KeyRows, pseudonyms: Pseudonyms, pseudonym: str, table: Table, column: str
) -> set[str]:
    """Return a column of the rows without a subject whose paths name the subject of a pseudonym.

    Only lakes of format 4 hold such rows, in bronze/photos and bronze/rejected: they took them for rows
    without a subject.
    """
    if not pseudonyms.names.is_as_written:
        return set()
    return {
        key
        for key, path in rows.of_nobody(table, column, "path")
        if any(
            pseudonyms.subject(name) == pseudonym for name in hidden_names(path, pseudonyms.names)
        )
    }
