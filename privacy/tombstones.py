"""Tombstones: whom and what an erasure keeps out, until one is lifted or expires.

A subject's is a keyed hash of the pseudonym, that of a photo one of its bytes' own keyed hash, both under a
key of their own: neither can be had from them, so that nobody can be found again by them who doesn't come.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import Chunk, State
from lake.lake import ERASE, Lake

SUBJECT, PHOTO = "subject", "photo"
"""What a tombstone is of."""

REASON = "erasure"


def holding(lake: Lake, *, now: datetime | None = None) -> frozenset[str]:
    """The tombstones that hold at a time: neither lifted nor expired."""
    moment = F.lit(now or datetime.now(UTC))
    rows = lake.read(catalog.TOMBSTONES).where(
        F.col("lifted_at").isNull()
        & (F.col("expires_at").isNull() | (F.col("expires_at") > moment))
    )
    return frozenset(row[0] for row in rows.select("tombstone").collect())


def make(
    lake: Lake, request: str, *, subject: str, photos: Iterable[str], now: datetime | None = None
) -> None:
    """Tombstones of a subject and of photos' bytes. One that holds already stays as it is; one that was
    lifted or has expired holds again. Raises Busy."""
    moment = now or datetime.now(UTC)
    held = holding(lake, now=moment)
    wanted = dict.fromkeys(photos, PHOTO) | {subject: SUBJECT}
    rows = [
        {
            "tombstone": tombstone,
            "of": of,
            "request": request,
            "reason": REASON,
            "made_at": moment,
        }
        for tombstone, of in sorted(wanted.items())
        if tombstone not in held
    ]
    if rows:
        nobody = Chunk(0, ERASE, State.PLANNED)
        frame = lake.rows(catalog.TOMBSTONES, rows)
        lake.upsert(catalog.TOMBSTONES, frame, keys=["tombstone"], chunk=nobody)
