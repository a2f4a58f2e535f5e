"""What is new among the landing objects, and what becomes of each: decided on the driver, without Spark.

Both ask `lake.known_keys`: what is in memory grows with the listing or the chunk, not with the lake.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake import known_keys
from lake.enums import KeyKind, Outcome
from lake.known_keys import KnownKeys

JUDGED = ("position", "object", "etag", "subject", "photo_id", "reason", "label", "split", "path")
"""The columns of the objects of a chunk that their outcomes follow from, and what their paths say."""


@dataclass(frozen=True)
class Unseen:
    """What a listing has beyond what bronze/objects knows: objects that are `new`, and those that an earlier
    run could not read (`tried`). `told_otherwise` counts the known ones whose paths tell another label, or
    another split, than they did when they were taken in."""

    new: pa.Table
    tried: pa.Table
    told_otherwise: int


def unseen(listed: pa.Table, known: KnownKeys, told: Callable[[pa.Table], pa.Table]) -> Unseen:
    """Return the listed objects (`KEYED`) whose version the lake doesn't know, and how many of the others
    tell something that it doesn't know. `told` gives the label and the split of objects (`ListedObjects`)."""
    is_known, was_unreadable = np.zeros(listed.num_rows, bool), np.zeros(listed.num_rows, bool)
    told_otherwise = 0
    texts = known_keys.version_texts(
        *(listed[name].combine_chunks() for name in ("object", "etag"))
    )
    for found in known.find([KeyKind.VERSION, KeyKind.UNREADABLE], texts):
        places = found.places.drop_null()
        if found.kind is KeyKind.UNREADABLE:
            was_unreadable[places] = True
        elif len(places):
            is_known[places] = True
            before = found.told.filter(found.places.is_valid())
            told_otherwise += _told_otherwise(before, told(listed.take(places)))
    new, tried = ~is_known & ~was_unreadable, ~is_known & was_unreadable
    return Unseen(listed.filter(pa.array(new)), listed.filter(pa.array(tried)), told_otherwise)


def _told_otherwise(before: pa.Table, now: pa.Table) -> int:
    """Return how many objects tell something now that they didn't tell before."""
    differs = [
        pc.and_(pc.not_equal(before[name], now[name]), pc.not_equal(now[name], ""))
        for name in now.column_names
    ]
    return pc.sum(pc.or_kleene(*differs)).as_py() or 0


def photo_ids(arrived: pa.Table) -> pa.Array:
    """Return the ids of the photos of a chunk, each once."""
    return arrived["photo_id"].combine_chunks().drop_null().unique()


def outcomes(arrived: pa.Table, known: Collection[str]) -> pa.Table:
    """Return one row for each object version of a chunk: the columns of bronze/objects, and `position`.

    `arrived` has the columns `JUDGED`. Of several photos with the same `photo_id`, the first one by upload
    time and path is stored. None of them is stored where it is `known`: the chunks before have stored it.
    """
    arrived = arrived.select(JUDGED).sort_by("position")
    held = set(known)
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
