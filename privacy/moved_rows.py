"""Rows with pseudonyms, moved to a lake's new secret: tables of photos on the workers, small ones here.

Subjects, paths and the hashes of photos' bytes move by `Pseudonyms.moved`. The id of a photo is made anew of
the row of bronze/photos, as for a photo that arrives, so that the photo is known when it is sent again. An id
of which bronze has no such row, as of an erased photo, moves as the others do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lake import catalog
from lake.catalog import Table, schema
from lake.pseudonyms import KeyedHash, PhotoIds, PseudonymKind, Pseudonyms, halves
from lake.readable_lake import Lake
from lake.small_tables import with_column
from privacy import tombstones
from privacy.erasure.certificate_check import link_hash
from privacy.erasure.erasure_request import ErasureRequest

TABLES = (
    catalog.OBJECTS,
    catalog.REJECTED,
    catalog.EMBEDDINGS,
    catalog.QUARANTINE,
    catalog.FEATURES,
    catalog.HELD_OUT,
    catalog.PHOTOS,
)
"""The tables of photos in the order in which they move. The ids of all are found in bronze/photos, which is
therefore the last."""

KINDS = {
    "subject": PseudonymKind.SUBJECT,
    "object": PseudonymKind.PATH,
    "original": PseudonymKind.ORIGINAL,
}
"""The columns with pseudonyms, but ids of photos, and what they are of."""

STORED_PATH = re.compile(r"subject=([0-9a-f]{64})/([0-9a-f]{64})")
"""What bronze keeps of the path of a subject's object: the pseudonym, and the keyed hash of the path."""

MOVED = "moved_id"
"""The column that has a photo's new id beside its earlier one."""

OF = {
    tombstones.SUBJECT: (PseudonymKind.SUBJECT,),
    tombstones.PHOTO: (PseudonymKind.ORIGINAL,),
    tombstones.PHOTO_ID: (PseudonymKind.PHOTO,),
    tombstones.SUBJECTS_PHOTO: (PseudonymKind.SUBJECT, PseudonymKind.ORIGINAL),
}
"""What a tombstone is of, each half of it, by the column `of` of privacy/tombstones."""


@dataclass(frozen=True, repr=False)
class Moves:
    """The hashes that move pseudonyms, by their kind, and what makes ids of photos. Workers get it."""

    hashes: Mapping[PseudonymKind, KeyedHash]
    photo_ids: PhotoIds

    @classmethod
    def to(cls, pseudonyms: Pseudonyms) -> Moves:
        """Return the moves from the earlier secret of a lake to its newest."""
        return cls({kind: pseudonyms.moved(kind) for kind in PseudonymKind}, pseudonyms.photo_ids)

    def pseudonym(self, kind: PseudonymKind, value: str | None) -> str | None:
        """Return the pseudonym under the newest secret."""
        return None if value is None else self.hashes[kind](value.encode())

    def stored_path(self, path: str | None) -> str | None:
        """Return what bronze keeps of a path, under the newest secret: that of a subject's object has its
        pseudonyms in it."""
        known = STORED_PATH.fullmatch(path or "")
        if known is None:
            return path
        subject, key = map(
            self.pseudonym, (PseudonymKind.SUBJECT, PseudonymKind.PATH), known.groups()
        )
        return f"subject={subject}/{key}"

    def photo_id(self, row: Mapping[str, Any]) -> str | None:
        """Return the new id of a photo, by its row of bronze/photos."""
        original = self.pseudonym(PseudonymKind.ORIGINAL, row["original"])
        if original is None:
            return self.pseudonym(PseudonymKind.PHOTO, row["photo_id"])
        subject = self.pseudonym(PseudonymKind.SUBJECT, row["subject"])
        return self.photo_ids.of_original(original, subject=subject)


def moved_frame(lake: Lake, table: Table, moves: Moves) -> DataFrame:
    """Return all rows of a table of photos with their pseudonyms under the newest secret.

    bronze/photos must not have moved yet.
    """
    rows, columns = lake.read(table), [*table.column_names]
    if "photo_id" in columns and table is not catalog.PHOTOS:
        rows = rows.join(_ids(lake, moves), on="photo_id", how="left")
        columns.append(MOVED)

    def move(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield _moved(batch, moves)

    return rows.select(*columns).mapInArrow(move, table.schema)


def _ids(lake: Lake, moves: Moves) -> DataFrame:
    """Return the id of each photo of bronze/photos with its new one (MOVED)."""

    def move(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = batch.to_pylist()
            moved = {MOVED: [moves.photo_id(row) for row in rows]}
            yield pa.RecordBatch.from_pydict({"photo_id": batch.column("photo_id"), **moved})

    photos = lake.read(catalog.PHOTOS).select("photo_id", "subject", "original")
    return photos.mapInArrow(move, schema(f"photo_id string, {MOVED} string"))


def _moved(batch: pa.RecordBatch, moves: Moves) -> pa.RecordBatch:
    """Return a batch with moved pseudonyms: those of subjects are many times the same.

    The new ids of photos stand in the column MOVED, where there is one, or follow from rows of bronze/photos.
    """
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    if MOVED in columns:
        pairs = zip(columns.pop(MOVED).to_pylist(), columns["photo_id"].to_pylist(), strict=True)
        ids = [new or moves.pseudonym(PseudonymKind.PHOTO, earlier) for new, earlier in pairs]
        columns["photo_id"] = pa.array(ids, pa.string())
    elif "original" in columns:
        rows = batch.select(["photo_id", "subject", "original"]).to_pylist()
        columns["photo_id"] = pa.array(map(moves.photo_id, rows), pa.string())
    for name in KINDS.keys() & columns.keys():
        values = columns[name]
        new = {each: moves.pseudonym(KINDS[name], each) for each in pc.unique(values).to_pylist()}
        columns[name] = pa.array([new[each] for each in values.to_pylist()], pa.string())
    if "labelled_at" in columns:
        # The scene of a later test is a hash of an earlier pseudonym. Where there is none, readers count by
        # person and day of the label.
        is_later = columns["labelled_at"].is_valid()
        columns["scene"] = pc.if_else(is_later, pa.scalar(None, pa.int64()), columns["scene"])
    if "path" in columns:
        paths = columns["path"].to_pylist()
        columns["path"] = pa.array(map(moves.stored_path, paths), pa.string())
    return pa.RecordBatch.from_pydict(columns, pa.schema([batch.schema.field(n) for n in columns]))


def moved_tombstones(rows: pa.Table, pseudonyms: Pseudonyms) -> pa.Table:
    """Return rows of privacy/tombstones whose tombstones are those under the newest secret."""
    pairs = zip(rows["of"].to_pylist(), rows["tombstone"].to_pylist(), strict=True)
    moved = [moved_tombstone(pseudonyms, of, tombstone) for of, tombstone in pairs]
    return with_column(rows, "tombstone", moved)


def moved_tombstone(pseudonyms: Pseudonyms, of: str, tombstone: str | None) -> str | None:
    """Return a tombstone under the newest secret, by the one under the secret before it, and by what it is
    of: column `of` of privacy/tombstones. What this product doesn't write stays as it is."""
    parts = halves(tombstone or "")[: len(OF.get(of, ()))]
    if tombstone is None or "".join(parts) != tombstone:
        return tombstone
    return "".join(map(pseudonyms.moved_tombstone, OF[of], parts))


def moved_requests(
    rows: pa.Table,
    pseudonyms: Pseudonyms,
    ids: Callable[[Collection[str]], Mapping[str, str]],
    *,
    has_earlier_code: bool,
) -> pa.Table:
    """Return rows of privacy/erasures whose tombstones and ids of photos are those under the newest secret.

    A row that is authentic under the earlier secret is so under the newest. A row that another program wrote
    stays as it is, as evidence. `has_earlier_code` says that rows of earlier code, which bear no HMAC, are
    no such rows. `ids` gives the new ids of photos by the earlier ones.
    """
    assert pseudonyms.earlier is not None
    moved_ids = ids({each for row in rows["photo_ids"].to_pylist() for each in row or () if each})
    known = rows.to_pylist()
    own: list[tuple[int, ErasureRequest]] = []
    for place, request in enumerate(map(_request, known)):
        if request is None:
            continue
        if request.is_authentic(pseudonyms.earlier.certificates):
            own.append((place, request))
        elif has_earlier_code and request.is_of_earlier_code:
            known[place] |= _changes(_moved_request(request, pseudonyms, moved_ids))
    for place, request in _authenticated(own, pseudonyms, moved_ids):
        known[place] |= _changes(request)
    return pa.Table.from_pylist(known, rows.schema)


def _moved_request(
    request: ErasureRequest, pseudonyms: Pseudonyms, moved_ids: Mapping[str, str]
) -> ErasureRequest:
    """Return a request with its tombstone and ids of photos under the newest secret."""
    kind = PseudonymKind.PHOTO if request.of_photo else PseudonymKind.SUBJECT
    subject = request.subject and pseudonyms.moved_tombstone(kind, request.subject)
    photos = frozenset(moved_ids[each] for each in request.photo_ids)
    return replace(request, subject=subject, photo_ids=photos)


def _authenticated(
    own: Iterable[tuple[int, ErasureRequest]],
    pseudonyms: Pseudonyms,
    moved_ids: Mapping[str, str],
) -> Iterator[tuple[int, ErasureRequest]]:
    """Yield authentic rows, each behind its place, with an HMAC under the newest secret.

    A fault between two rows is acknowledged by a hash of their HMACs. Rows that acknowledge one come later,
    so the hash of their new HMACs is known by then.
    """
    links: dict[str, str] = {}
    before = now = ""
    for place, request in sorted(own, key=lambda each: each[1].entry):
        texts = list(request.acknowledged)
        for earlier, newest in links.items():
            texts = [text.replace(earlier, newest) for text in texts]
        moved = replace(
            _moved_request(request, pseudonyms, moved_ids), acknowledged=tuple(texts)
        ).authenticated(pseudonyms.certificates)
        links[link_hash(before, request)] = link_hash(now, moved)
        before, now = request.hmac or "", moved.hmac or ""
        yield place, moved


def _request(row: Mapping[str, Any]) -> ErasureRequest | None:
    """Return what a row of privacy/erasures says; None where it says nothing that a request can say."""
    try:
        return ErasureRequest.of(row)
    except (AttributeError, TypeError, ValueError):
        return None


def _changes(request: ErasureRequest) -> dict[str, Any]:
    """Return the columns of a request that a move changes."""
    return {
        "subject": request.subject,
        "photo_ids": sorted(request.photo_ids),
        "acknowledged": list(request.acknowledged),
        "hmac": request.hmac,
    }


def new_ids(lake: Lake, moves: Moves, ids: Collection[str]) -> dict[str, str]:
    """Return the new ids of photos, by the earlier ones. bronze/photos must not have moved yet."""
    held = lake.source(catalog.PHOTOS).among(lake.values("photo_id", sorted(ids)), "photo_id")
    names = ("photo_id", "subject", "original")
    rows = (dict(zip(names, row, strict=True)) for row in held.distinct(*names))
    known = {row["photo_id"]: moves.photo_id(row) for row in rows}
    return {
        each: known.get(each) or moves.hashes[PseudonymKind.PHOTO](each.encode()) for each in ids
    }
