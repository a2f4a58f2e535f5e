"""What stands near a name: rows and landing objects under spellings that may be the same person's.

Under the lake's rule they are other names, so neither an audit nor an erasure of the name takes them in. A
certificate that nothing is held would mislead while they are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import FruitLakeError, NearName
from lake import catalog, delta_rs_reader
from lake.context import Context
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import StoredKind
from lake.storage.locate import folder
from lake.subject_names import NameRule, near_name
from lake.subject_paths import hidden_names, mentions, read
from privacy.name_spellings import spellings
from privacy.owned_rows import PHOTO_TABLES

WITH_PATHS = (catalog.PHOTOS, catalog.REJECTED, catalog.OBJECTS)
"""The tables that keep the paths of objects without a subject."""

STANDS = (
    "stand under names that differ from this one only in case, Unicode form, spaces, quotes, hyphens or "
    "encoding, or in paths that are not certain"
)
"""What an erasure and an audit say of what is near."""


@dataclass(frozen=True)
class NearNames:
    """How many `rows`, by table, and landing objects and folders (`landed`) stand near a name.

    `landed` is None where the landing folder could not be looked through. `has_unread` says that files of
    tables can't be read, so that `rows` may lack some.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    landed: int | None = 0
    has_unread: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.landed)

    def __str__(self) -> str:
        """Return the counts in words, without the name."""
        rows = [f"{count:,} rows of {table}" for table, count in sorted(self.rows.items())]
        landed = [f"{self.landed:,} landing objects and folders"] if self.landed else []
        return ", ".join([*rows, *landed]) or "nothing"


def refuse(context: Context, name: str) -> None:
    """Raise NearName where something stands near the name of a subject who is to be erased.

    The message names nobody. Raises as reading the landing folder does.
    """
    search = NearSearch(name, context.pseudonyms)
    landed = search.landed(context.settings.paths.landing)
    near = NearNames(search.rows(context.lake.files.root), landed)
    if near:
        raise NearName(
            f"Nothing was erased: {near} {STANDS}. Name uncertain folders subject=NAME, and erase each "
            f"spelling of the same person, copied from its folder, by a request of its own with --exact; if "
            f"the others are somebody else's, give --exact for this name alone."
        )


def told(root: str, landing: str, name: str, pseudonyms: Pseudonyms) -> NearNames:
    """Return what stands near a name in the lake under `root` and in its landing folder, for an audit."""
    search = NearSearch(name, pseudonyms)
    try:
        landed = search.landed(landing) if folder(landing).is_there() else None
    except (OSError, FruitLakeError):
        landed = None
    try:
        return NearNames(search.rows(root), landed)
    except (OSError, pa.ArrowException):
        return NearNames({}, landed, has_unread=True)


class NearSearch:
    """The search for what stands near one name."""

    def __init__(self, name: str, pseudonyms: Pseudonyms) -> None:
        self._name, self._pseudonyms = name, pseudonyms
        self._own = pseudonyms.subject(name)
        self._key = near_name(name)
        self._spellings = {*spellings(name)}

    def landed(self, root: str) -> int:
        """Return how many landing objects and folders are near. Spellings that are found there are looked up
        in the tables too."""
        return sum(
            self._is_near(f"{each.name}/" if each.kind is StoredKind.FOLDER else each.name)
            for each in folder(root).stored(folders=True)
        )

    def rows(self, root: str) -> dict[str, int]:
        """Return how many rows of the lake are near, by table; only counts above 0."""
        names = {self._pseudonyms.names.name(each) for each in self._spellings}
        near = {self._pseudonyms.subject(each) for each in names} - {self._own}
        found: Counter[str] = Counter()
        for table in (*PHOTO_TABLES, catalog.REJECTED):
            known = delta_rs_reader.delta_table(root, table)
            for batch in delta_rs_reader.batches(known, columns=["subject"]):
                found[table.name] += sum(map(near.__contains__, batch.column(0).to_pylist()))
        if self._pseudonyms.names.is_as_written:
            for table in WITH_PATHS:
                found[table.name] += sum(map(self._is_near, self._paths(root, table)))
        return {table: count for table, count in found.items() if count}

    def _paths(self, root: str, table: catalog.Table) -> Iterator[str]:
        """Yield the paths of a table's rows without a subject."""
        where = pc.field("subject").is_null() & pc.field("path").is_valid()
        known = delta_rs_reader.delta_table(root, table)
        for batch in delta_rs_reader.batches(known, columns=["path"], where=where, of=table):
            yield from batch.column(0).to_pylist()

    def _is_near(self, path: str) -> bool:
        """Return whether a path names, or may name, somebody near, and not the subject itself."""
        rule = self._pseudonyms.names
        names = {read(path, rule).subject} - {None} or hidden_names(path, rule)
        if any(self._pseudonyms.subject(each) == self._own for each in names if each):
            return False
        reading = read(path, NameRule(plain_keys=rule.plain_keys))
        if reading.is_uncertain:
            return mentions(path, self._name)
        if reading.subject is None or near_name(reading.subject) != self._key:
            return False
        self._spellings |= {each for each in names if each}
        return True
