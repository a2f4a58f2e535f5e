"""Tombstones: whom and what an erasure keeps out, until one is lifted or expires.

The tombstone of a subject is a keyed hash of the pseudonym; that of a photo is a keyed hash of the keyed hash
of its bytes. Both are under a key of their own, so that neither the pseudonym nor the hash can be had from
them: nobody can be found by a tombstone who does not come again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import NoChunk
from lake.column_values import ERASE
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake

SUBJECT, PHOTO = "subject", "photo"
"""What a tombstone keeps out: column `of` of privacy/tombstones."""

REASON = "erasure"


def holding(lake: Lake, *, now: datetime | None = None) -> frozenset[str]:
    """The tombstones that hold at a time (default: now), neither lifted nor expired."""
    rows = lake.read(catalog.TOMBSTONES).where(~_has_lapsed(now or datetime.now(UTC)))
    return frozenset(row[0] for row in rows.select("tombstone").collect())


def lapsed(lake: Lake, *, now: datetime) -> DataFrame:
    """The rows of the tombstones that hold no more at a time."""
    return lake.read(catalog.TOMBSTONES).where(_has_lapsed(now))


def drop_lapsed(lake: WritableLake, *, now: datetime) -> None:
    """Removes the tombstones that hold no more at a time. Raises Busy."""
    rows = lapsed(lake, now=now)
    lake.remove(catalog.TOMBSTONES, rows, on=["tombstone"], chunk=NoChunk(ERASE))


def _has_lapsed(now: datetime) -> Column:
    has_expired = F.coalesce(F.col("expires_at") <= F.lit(now), F.lit(False))
    return F.col("lifted_at").isNotNull() | has_expired


def make(
    lake: WritableLake,
    request: str,
    *,
    subject: str,
    photos: Iterable[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Makes tombstones of a subject and of photos' bytes, for good or until they expire.

    One that holds already stays as it is; one that was lifted or has expired holds again. Raises Busy.
    """
    held = holding(lake, now=now)
    wanted = dict.fromkeys(photos, PHOTO) | {subject: SUBJECT}
    rows = [
        {
            "tombstone": tombstone,
            "of": of,
            "request": request,
            "reason": REASON,
            "made_at": now,
            "expires_at": expires_at,
        }
        for tombstone, of in sorted(wanted.items())
        if tombstone not in held
    ]
    if rows:
        frame = lake.rows(catalog.TOMBSTONES, rows)
        lake.upsert(catalog.TOMBSTONES, frame, keys=["tombstone"], chunk=NoChunk(ERASE))


def lift(lake: WritableLake, subject: str, *, now: datetime) -> bool:
    """Ends the tombstone of a subject, and returns whether one held. Raises Busy.

    The tombstones of the photos' bytes stay: they keep out copies without a subject.
    """
    if subject not in holding(lake, now=now):
        return False
    row = lake.read(catalog.TOMBSTONES).where(F.col("tombstone") == subject)
    lifted = row.withColumn("lifted_at", F.lit(now))
    lake.upsert(catalog.TOMBSTONES, lifted, keys=["tombstone"], chunk=NoChunk(ERASE))
    return True
