"""The search of what is no table for a subject or a photo: staged rows, and objects in the landing folder.

Neither has a history, so only questions about now are answered from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput, FruitLakeError
from lake import catalog, delta_rs_reader
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder, StoredKind, StoredObject
from lake.storage.locate import folder
from privacy import tombstones
from privacy.audit.key_rows import FileRows
from privacy.audit.staged_rows import StagedRows
from privacy.audit.table_findings import LANDED, STAGED, HoldingStatus, TableFinding
from privacy.erasure import landing_objects
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_matcher import SubjectMatcher
from privacy.owned_rows import OwnedKeys, hashes

HASHED = ("photo_id", "original", "content", "subject")
"""The columns from which copies of a photo are known."""

MAY_LACK_COPIES = "photos of the lake can't be read, so copies of them may be missing"
"""The note on a landing folder that was compared with fewer photos than the lake has."""


@dataclass(frozen=True)
class PlaceSearch:
    """The search of staged rows and of the landing folder.

    `own` is the pseudonym of the subject or the photo_id in question, and `owned` are the keys of its rows.
    `requests` are the ids of the requests that erased this very subject or photo.
    """

    files: Folder
    pseudonyms: Pseudonyms
    own: str
    owned: OwnedKeys
    requests: Collection[str]
    now: datetime

    def staged(self) -> TableFinding:
        """Return what lies staged: rows of chunks that are not published, or that a killed run left."""
        rows, unread = StagedRows(self.files).owned(self.owned)
        note = f"{unread:,} staged files can't be read" if unread else ""
        return TableFinding(
            table=STAGED,
            status=_status(len(rows), is_whole=not unread),
            rows=len(rows),
            photos=sorted({row["photo_id"] for row in rows if row.get("photo_id")}),
            note=note,
        )

    def landed(self, root: str) -> TableFinding:
        """Return which objects of the landing folder an erasure would remove: those under the subject's
        folders, and copies of photos."""
        try:
            if not folder(root).is_there():
                return TableFinding(
                    LANDED, HoldingStatus.UNKNOWN, note="there is no such folder here"
                )
            found_hashes, is_whole = self._hashes()
            found, unread = self._objects(root, self._matcher(found_hashes))
        except (OSError, FruitLakeError):
            return TableFinding(LANDED, HoldingStatus.UNKNOWN, note="it can't be looked through")
        notes = [f"{unread:,} objects or folders in it can't be read, and may be copies"]
        notes = (notes if unread else []) + ([] if is_whole else [MAY_LACK_COPIES])
        status = _status(found, is_whole=not notes)
        return TableFinding(LANDED, status, rows=found, note="; ".join(notes))

    def _objects(self, root: str, search: SubjectMatcher) -> tuple[int, int]:
        """Return how many landing objects an erasure would remove, and how many places can't be read."""
        try:
            known = KnownObjects.under(self.files.root, search)
        except (OSError, pa.ArrowException, BadInput):
            known = KnownObjects(frozenset(), frozenset())  # then every object is read
        unread: list[StoredObject] = []
        kinds = [e.kind for e in landing_objects.found(root, search, known, unread=unread)]
        closed = kinds.count(StoredKind.CLOSED)
        return len(kinds) - kinds.count(StoredKind.FOLDER) - closed, closed + len(unread)

    def _matcher(self, found: Iterable[tuple[str | None, str]]) -> SubjectMatcher:
        """Return the search that an erasure would make, with the tombstones that it would have by then."""
        of_photo = self.owned.pseudonym is None
        tombstone = self.pseudonyms.tombstone(self.own)
        rows = delta_rs_reader.rows(self.files.root, catalog.TOMBSTONES)
        known = tombstones.made_by(rows, self.requests, now=self.now)
        known |= tombstones.of_photos(self.pseudonyms, found, with_subjects=of_photo).keys()
        return SubjectMatcher(
            self.pseudonyms,
            tombstone,
            self.owned.photo_ids,
            known | {tombstone} if of_photo else known,
            of_photo=of_photo,
        )

    def _hashes(self) -> tuple[set[tuple[str | None, str]], bool]:
        """Return the hashes by which copies of the photos in question are known, as `hashes`, and whether all
        photos could be read for that. Where bytes can't be read, hashes of them as they arrived may still be
        there."""
        found: set[tuple[str | None, str]] = set()
        try:
            for batch in self._photos():
                found.update(hashes(batch, self.pseudonyms.originals))
        except (OSError, pa.ArrowException, BadInput):
            return found, False
        return found, FileRows(self.files).are_whole(catalog.PHOTOS)

    def _photos(self) -> Iterator[pa.RecordBatch]:
        """Yield the photos in question: first their hashes, then those that bronze has staged, and published
        ones with their bytes. Raises OSError, ArrowException or BadInput where bytes can't be read."""
        ids = pa.array(self.owned.values("photo_id"), pa.string())
        if not ids:
            return
        wanted = pc.field("photo_id").isin(ids)
        rows = FileRows(self.files)
        known = rows.distinct(catalog.PHOTOS, "photo_id", self.owned.photo_ids, "original", "chunk")
        yield _hashed([{"original": original} for original, _ in known])
        chunks = {chunk for _, chunk in known}
        staged = StagedRows(self.files).of_bronze(HASHED, lambda found: found.filter(wanted))
        yield _hashed(staged)
        if chunks:
            within = delta_rs_reader.of_chunks(min(chunks), max(chunks))
            table = delta_rs_reader.delta_table(self.files.root, catalog.PHOTOS)
            yield from delta_rs_reader.batches(table, columns=HASHED, where=within & wanted)


def _hashed(rows: Sequence[dict[str, object]]) -> pa.RecordBatch:
    """Return rows with the columns `HASHED`, of which some may be missing."""
    types = {"content": pa.binary()}
    columns = {
        name: pa.array([row.get(name) for row in rows], types.get(name, pa.string()))
        for name in HASHED
    }
    return pa.RecordBatch.from_pydict(columns)


def _status(count: int, *, is_whole: bool) -> HoldingStatus:
    """Return the status of a place in which so many rows or objects were found."""
    if count:
        return HoldingStatus.HELD
    return HoldingStatus.NOT_HELD if is_whole else HoldingStatus.UNKNOWN
