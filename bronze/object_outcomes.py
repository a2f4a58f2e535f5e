"""What is new among the landing objects, and what becomes of each: decided on the driver, without Spark.

Both compare a few keys with those of bronze/objects, which are read batch by batch: what is in memory grows
with the listing or the chunk, not with the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bronze.landing import Arrival
from lake import catalog
from lake.chunks import Chunk
from lake.enums import Outcome
from lake.readable_lake import Lake

UNREADABLE = "unreadable "
"""The prefix of the etag of an object that could not be read. The plain etag stays unknown, so that a later
run tries the version again."""

JUDGED = ("position", "object", "etag", "subject", "photo_id", "reason")
"""The columns of the objects of a chunk that their outcomes follow from."""


def unseen(
    arrivals: Sequence[Arrival], known: Iterable[pa.RecordBatch]
) -> tuple[list[Arrival], list[Arrival]]:
    """Return the arrivals whose version bronze/objects doesn't have, and apart those of them that an earlier
    run could not read.

    `known` are batches of bronze/objects with the columns `object` and `etag`.
    """
    listed = _versions(
        pa.array([a.key for a in arrivals], pa.string()),
        pa.array([a.landing.etag for a in arrivals], pa.string()),
    )
    is_known, was_unreadable = np.zeros(len(arrivals), bool), np.zeros(len(arrivals), bool)
    for batch in _gathered(known, rows=len(arrivals)):
        objects, etags = batch.column("object"), batch.column("etag")
        is_known[_places(_versions(objects, etags), listed)] = True
        failed = pc.starts_with(etags, UNREADABLE)
        plain = pc.utf8_slice_codeunits(etags.filter(failed), len(UNREADABLE))
        was_unreadable[_places(_versions(objects.filter(failed), plain), listed)] = True
    new = np.flatnonzero(~is_known & ~was_unreadable).tolist()
    tried = np.flatnonzero(~is_known & was_unreadable).tolist()
    return [arrivals[place] for place in new], [arrivals[place] for place in tried]


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


def _places(found: pa.Array, among: pa.Array) -> NDArray[np.int64]:
    """Return the places in `among` of those of the texts that are there."""
    return pc.index_in(found, value_set=among).drop_null().to_numpy(zero_copy_only=False)


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
    """Return the `object` and `etag` of every row of bronze/objects, in batches."""
    return lake.batches(catalog.OBJECTS, columns=["object", "etag"])


def known_photos(lake: Lake, before: Chunk) -> Iterable[pa.RecordBatch]:
    """Return the `photo_id` of every photo that the chunks before one have stored, in batches."""
    is_stored = pc.field("outcome") == Outcome.STORED.value
    return lake.batches(
        catalog.OBJECTS,
        columns=["photo_id"],
        where=is_stored & (pc.field("chunk") < before.number),
    )
