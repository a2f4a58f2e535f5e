"""Tombstones: the subjects and photos that an erasure keeps out, until a tombstone is lifted or expires.

The tombstone of a subject is a keyed hash of the pseudonym. A photo has two kinds of tombstones: keyed hashes
of the keyed hash of its bytes keep the bytes out where they arrive without a subject, and keyed hashes of its
photo_id keep them out where the same subject sends them. A subject's erasure makes the first kind only,
because the subject's own tombstone keeps out all that the subject sends. Tombstones have a key of their own,
so neither a pseudonym nor a hash can be computed from one: a tombstone identifies a person only when that
person sends photos again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from lake import catalog
from lake.chunks import NoChunk
from lake.enums import ERASE
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake

SUBJECT, PHOTO = "subject", "photo"
"""The kinds of things that a tombstone keeps out: column `of` of privacy/tombstones."""

REASON = "erasure"


def holding(lake: Lake, *, now: datetime | None = None) -> frozenset[str]:
    """Return the tombstones that are neither lifted nor expired at the time `now` (default: the current
    time)."""
    time = now or datetime.now(UTC)
    rows = lake.records(catalog.TOMBSTONES)
    return frozenset(row["tombstone"] for row in rows if not _has_lapsed(row, time))


def made_by(
    rows: Iterable[Mapping[str, Any]], requests: Collection[str], *, now: datetime
) -> frozenset[str]:
    """Return those tombstones of some rows that certain requests made and that hold at the time `now`."""
    return frozenset(
        row["tombstone"] for row in rows if row["request"] in requests and not _has_lapsed(row, now)
    )


def lapsed(lake: Lake, *, now: datetime) -> list[dict[str, Any]]:
    """Return the rows of the tombstones that are lifted or expired at the time `now`."""
    return [row for row in lake.records(catalog.TOMBSTONES) if _has_lapsed(row, now)]


def drop_lapsed(lake: WritableLake, *, now: datetime) -> None:
    """Remove the tombstones that are lifted or expired at the time `now`. Raises Busy."""
    rows = lake.rows(catalog.TOMBSTONES, lapsed(lake, now=now))
    lake.remove(catalog.TOMBSTONES, rows, on=["tombstone"], chunk=NoChunk(ERASE))


def _has_lapsed(row: Mapping[str, Any], now: datetime) -> bool:
    has_expired = row["expires_at"] is not None and row["expires_at"] <= now
    return row["lifted_at"] is not None or has_expired


def make(
    lake: WritableLake,
    request: str,
    *,
    subjects: Iterable[str],
    photos: Iterable[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Make the tombstones of `subjects` and `photos`. They hold until `expires_at`; None means for good.

    A tombstone that holds already stays as it is. One that was lifted or has expired holds again. Raises
    Busy.
    """
    holding_now = holding(lake, now=now)
    kinds = dict.fromkeys(photos, PHOTO) | dict.fromkeys(subjects, SUBJECT)
    rows = [
        {
            "tombstone": tombstone,
            "of": kind,
            "request": request,
            "reason": REASON,
            "made_at": now,
            "expires_at": expires_at,
        }
        for tombstone, kind in sorted(kinds.items())
        if tombstone not in holding_now
    ]
    if rows:
        lake.put(catalog.TOMBSTONES, rows, keys=["tombstone"], chunk=NoChunk(ERASE))


def lift(lake: WritableLake, subject: str, *, now: datetime) -> bool:
    """End the tombstone of a subject, and return whether it held. Raises Busy.

    The tombstones of the photos' bytes stay: they keep out copies that arrive without a subject.
    """
    if subject not in holding(lake, now=now):
        return False
    [row] = lake.records(catalog.TOMBSTONES, where=pc.field("tombstone") == subject)
    lifted = {**row, "lifted_at": now}
    lake.put(catalog.TOMBSTONES, [lifted], keys=["tombstone"], chunk=NoChunk(ERASE))
    return True


def lift_photo(lake: WritableLake, photo: str, *, now: datetime) -> bool:
    """End the tombstone `photo` of a photo_id and those that the same request made; return whether it held.

    So the photo may come again from its subject, and without a subject. Raises Busy.
    """
    rows = lake.records(catalog.TOMBSTONES)
    held = [row for row in rows if row["of"] == PHOTO and not _has_lapsed(row, now)]
    requests = {row["request"] for row in held if row["tombstone"] == photo}
    lifted = [{**row, "lifted_at": now} for row in held if row["request"] in requests]
    if lifted:
        lake.put(catalog.TOMBSTONES, lifted, keys=["tombstone"], chunk=NoChunk(ERASE))
    return bool(lifted)
