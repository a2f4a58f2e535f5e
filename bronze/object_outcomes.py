"""What is new among the landing objects, and what becomes of each: decided on the driver, without Spark.

Both ask `lake.known_keys`: what is in memory grows with the listing or the chunk, not with the lake.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bronze.landing import Arrival
from lake import known_keys
from lake.enums import KeyKind, Outcome
from lake.key_index import Found
from lake.known_keys import KnownKeys

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


def unseen(arrivals: Sequence[Arrival], known: KnownKeys) -> Unseen:
    """Return the arrivals whose version the lake doesn't know, and what those tell that it knows."""
    listed = known_keys.version_texts(
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
    for found in known.find([KeyKind.VERSION, KeyKind.UNREADABLE], listed):
        if found.kind is KeyKind.UNREADABLE:
            was_unreadable[found.places.drop_null()] = True
        else:
            is_known[found.places.drop_null()] = True
            told_otherwise += _told_otherwise(found, told)
    new = np.flatnonzero(~is_known & ~was_unreadable).tolist()
    tried = np.flatnonzero(~is_known & was_unreadable).tolist()
    return Unseen([arrivals[at] for at in new], [arrivals[at] for at in tried], told_otherwise)


def _told_otherwise(found: Found, told: pa.Table) -> int:
    """Return how many known versions tell something now that the lake doesn't know."""
    now = told.take(found.places)
    differs = [
        pc.and_(pc.not_equal(found.told[name], now[name]), pc.not_equal(now[name], ""))
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
