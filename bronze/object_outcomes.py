"""What is new among the landing objects, and what becomes of each: decided on the driver, without Spark.

Both compare a few keys with those of bronze/objects, which are read batch by batch: what is in memory grows
with the listing or the chunk, not with the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bronze.landing import Arrival
from lake import catalog
from lake.chunks import Chunk
from lake.enums import Outcome
from lake.readable_lake import Lake

VERSION = ("object", "etag", "outcome", "label", "split")
"""The columns of bronze/objects that name an object version, what became of it, and what it told."""

UNREADABLE = "unreadable "
"""The prefix of the etag of an object that could not be read. The plain etag stays unknown, so that a later
run tries the version again."""

JUDGED = ("position", "object", "etag", "subject", "photo_id", "reason", "label", "split", "path")
"""The columns of the objects of a chunk that their outcomes follow from, and what their paths say."""


@dataclass(frozen=True)
class Unseen:
    """What a listing has beyond what bronze/objects knows: arrivals that are `new`, and those that an earlier
    run could not read (`tried`). `told_otherwise` counts the known ones whose paths tell another label, or
    another split, than they did when they were taken in."""

    new: Sequence[Arrival]
    tried: Sequence[Arrival]
    told_otherwise: int


def unseen(arrivals: Sequence[Arrival], known: Iterable[pa.RecordBatch]) -> Unseen:
    """Return the arrivals whose version bronze/objects doesn't have, and what those tell that it has.

    `known` are batches of bronze/objects with the columns `VERSION`.
    """
    listed = _versions(
        pa.array([a.key for a in arrivals], pa.string()),
        pa.array([a.landing.etag for a in arrivals], pa.string()),
    )
    told = pa.table(
        {
            "label": pa.array([a.label or "" for a in arrivals], pa.string()),
            "split": pa.array([a.split or "" for a in arrivals], pa.string()),
        }
    )
    is_known, was_unreadable = np.zeros(len(arrivals), bool), np.zeros(len(arrivals), bool)
    told_otherwise = 0
    for batch in _gathered(known, rows=len(arrivals)):
        objects, etags = batch.column("object"), batch.column("etag")
        places = _places(_versions(objects, etags), listed)
        is_known[places.drop_null()] = True
        told_otherwise += _told_otherwise(batch, told, places)
        failed = pc.starts_with(etags, UNREADABLE)
        plain = pc.utf8_slice_codeunits(etags.filter(failed), len(UNREADABLE))
        was_unreadable[_places(_versions(objects.filter(failed), plain), listed).drop_null()] = True
    new = np.flatnonzero(~is_known & ~was_unreadable).tolist()
    tried = np.flatnonzero(~is_known & was_unreadable).tolist()
    return Unseen([arrivals[at] for at in new], [arrivals[at] for at in tried], told_otherwise)


def _told_otherwise(known: pa.Table, told: pa.Table, places: pa.ChunkedArray) -> int:
    """Return how many known versions tell something now that the lake doesn't know. `places` are theirs in
    the listing, null for those that are not there. Rows of earlier code don't know what was told: of these
    only duplicates count, as a photo has the label of the object that was stored."""
    now = told.take(places)
    is_unknown = pc.and_(
        pc.equal(known["outcome"], str(Outcome.DUPLICATE)), pc.is_null(known["label"])
    )
    differs = []
    for name in now.column_names:
        held = pc.if_else(is_unknown, "", known[name].cast(pa.string()))
        differs.append(pc.and_(pc.not_equal(held, now[name]), pc.not_equal(now[name], "")))
    return pc.sum(pc.or_kleene(*differs)).as_py() or 0


def _gathered(batches: Iterable[pa.RecordBatch], *, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of batches in tables of so many `rows` or more, but for the last one.

    To look up a batch in the listing costs as much as the listing is long, however small the batch.
    """
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        waiting.append(batch)
        held += batch.num_rows
        if held >= rows:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting, held = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _versions(objects: pa.Array, etags: pa.Array) -> pa.Array:
    """Return one text for each object version. The hash of the object has no space."""
    return pc.binary_join_element_wise(objects, etags, " ")


def _places(found: pa.Array, among: pa.Array) -> pa.ChunkedArray:
    """Return the place of each text in `among`, null for those that are not there."""
    return pc.index_in(found, value_set=among)


def outcomes(arrived: pa.Table, known: Iterable[pa.RecordBatch]) -> pa.Table:
    """Return one row for each object version of a chunk: the columns of bronze/objects, and `position`.

    `arrived` has the columns `JUDGED`. Of several photos with the same `photo_id`, the first one by upload
    time and path is stored. None of them is stored where the lake has that photo already: `known` are batches
    of `photo_id`s that the chunks before have stored.
    """
    arrived = arrived.select(JUDGED).sort_by("position")
    ids = arrived["photo_id"].combine_chunks().drop_null()
    held: set[str] = set()
    for batch in known:
        column = batch.column("photo_id")
        held.update(column.filter(pc.is_in(column, value_set=ids)).to_pylist())
    found = [
        _outcome(photo_id, reason, held)
        for photo_id, reason in zip(
            arrived["photo_id"].to_pylist(), arrived["reason"].to_pylist(), strict=True
        )
    ]
    seen = pa.array([datetime.now(UTC)] * len(found), pa.timestamp("us", "UTC"))
    return (
        arrived.drop_columns("reason")
        .append_column("outcome", pa.array(found, pa.string()))
        .append_column("seen_at", seen)
    )


def _outcome(photo_id: str | None, reason: str | None, held: set[str]) -> Outcome:
    """Return what becomes of one object. A photo that is stored is among those that are `held` from then
    on."""
    if reason is not None:
        return Outcome.TOMBSTONED if reason == Outcome.TOMBSTONED else Outcome.REJECTED
    assert photo_id is not None
    if photo_id in held:
        return Outcome.DUPLICATE
    held.add(photo_id)
    return Outcome.STORED


def known_versions(lake: Lake) -> Iterable[pa.RecordBatch]:
    """Return the columns `VERSION` of every row of bronze/objects, in batches."""
    return lake.batches(catalog.OBJECTS, columns=VERSION)


def known_photos(lake: Lake, before: Chunk) -> Iterable[pa.RecordBatch]:
    """Return the `photo_id` of every photo that the chunks before one have stored, in batches."""
    is_stored = pc.field("outcome") == Outcome.STORED.value
    return lake.batches(
        catalog.OBJECTS,
        columns=["photo_id"],
        where=is_stored & (pc.field("chunk") < before.number),
    )
