"""Tombstones: whom and what an erasure keeps out, until one is lifted or expires.

A subject's is a keyed hash of the pseudonym, that of a photo one of its bytes' own keyed hash, both under a
key of their own: neither can be had from them, so that nobody can be found again by them who doesn't come.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.lake import Lake
from privacy.erasure.request_journal import NOBODY

SUBJECT, PHOTO = "subject", "photo"
"""What a tombstone is of."""

REASON = "erasure"


def holding(lake: Lake, *, now: datetime | None = None) -> frozenset[str]:
    """The tombstones that hold at a time: neither lifted nor expired."""
    rows = lake.read(catalog.TOMBSTONES).where(~_has_lapsed(now or datetime.now(UTC)))
    return frozenset(row[0] for row in rows.select("tombstone").collect())


def lapsed(lake: Lake, *, now: datetime) -> DataFrame:
    """The rows of those that hold no more."""
    return lake.read(catalog.TOMBSTONES).where(_has_lapsed(now))


def drop_lapsed(lake: Lake, *, now: datetime) -> None:
    """Removes those that hold no more. Raises Busy."""
    lake.remove(catalog.TOMBSTONES, lapsed(lake, now=now), on=["tombstone"], chunk=NOBODY)


def _has_lapsed(now: datetime) -> Column:
    has_expired = F.coalesce(F.col("expires_at") <= F.lit(now), F.lit(False))
    return F.col("lifted_at").isNotNull() | has_expired


def make(
    lake: Lake,
    request: str,
    *,
    subject: str,
    photos: Iterable[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Tombstones of a subject and of photos' bytes, for good or until they expire. One that holds already
    stays as it is; one that was lifted or has expired holds again. Raises Busy."""
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
        lake.upsert(catalog.TOMBSTONES, frame, keys=["tombstone"], chunk=NOBODY)


def lift(lake: Lake, subject: str, *, now: datetime) -> bool:
    """Ends a subject's tombstone, and says whether it held one. Those of photos' bytes stay: they keep out
    copies without a subject. Raises Busy."""
    if subject not in holding(lake, now=now):
        return False
    row = lake.read(catalog.TOMBSTONES).where(F.col("tombstone") == subject)
    lifted = row.withColumn("lifted_at", F.lit(now))
    lake.upsert(catalog.TOMBSTONES, lifted, keys=["tombstone"], chunk=NOBODY)
    return True
