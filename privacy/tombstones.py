"""Tombstones: the subjects and photos that an erasure keeps out, until a tombstone is lifted or expires.

The tombstone of a subject is a keyed hash of the pseudonym, and that of a photo's bytes is a keyed hash of
the keyed hash of the bytes: it keeps the bytes out where they arrive without a subject. Where one photo of a
subject was erased, the two of them, one behind the other, are the tombstone that keeps the bytes out where
the same subject sends them. A subject's erasure makes none of that kind, because the subject's own tombstone
keeps out all that the subject sends. The erasure of one photo also makes a tombstone of the photo_id that was
asked for, by which the request is found when it is lifted. It holds in this lake under this key alone; the
other kinds can follow to another lake or another key.

Tombstones have a key of their own, so neither a pseudonym nor a hash can be computed from one: a tombstone
identifies a person only when that person sends photos again. Each request has its own rows (`KEYS`), so that
lifting what one request keeps out leaves what another one does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from lake import catalog
from lake.chunks import NoChunk
from lake.enums import ERASE
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake

SUBJECT, PHOTO = "subject", "photo"
PHOTO_ID, SUBJECTS_PHOTO = "photo_id", "subjects_photo"
"""What a tombstone is of: a subject, a photo's bytes, a photo_id that was asked for, or the bytes of one
photo of a subject. This is column `of` of privacy/tombstones. Earlier code made `PHOTO` of photo_ids, too."""

KEYS = ("tombstone", "request")
"""The columns by which a row of privacy/tombstones is known."""

REASON = "erasure"


def holding(lake: Lake, *, now: datetime | None = None) -> frozenset[str]:
    """Return the tombstones that are neither lifted nor expired at the time `now` (default: the current
    time)."""
    rows = holding_rows(lake, now=now or datetime.now(UTC))
    return frozenset(row["tombstone"] for row in rows)


def holding_rows(
    lake: Lake, *, now: datetime, where: pc.Expression | None = None
) -> list[dict[str, Any]]:
    """Return the rows that meet a condition and are neither lifted nor expired at the time `now`."""
    rows = lake.records(catalog.TOMBSTONES, where=where)
    return [row for row in rows if not _has_lapsed(row, now)]


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
    lake.remove(catalog.TOMBSTONES, rows, on=KEYS, chunk=NoChunk(ERASE))


def _has_lapsed(row: Mapping[str, Any], now: datetime) -> bool:
    has_expired = row["expires_at"] is not None and row["expires_at"] <= now
    return row["lifted_at"] is not None or has_expired


def of_photos(
    pseudonyms: Pseudonyms, hashes: Iterable[tuple[str | None, str]], *, with_subjects: bool
) -> dict[str, str]:
    """Return the tombstones of photos, each with its kind, by the keyed hashes of their bytes.

    Each hash stands behind the pseudonym of its photo's subject, if any. `with_subjects`, where one photo is
    erased, adds those that keep the bytes out where the same subject sends them.
    """
    made: dict[str, str] = {}
    for subject, original in hashes:
        made[pseudonyms.tombstone(original)] = PHOTO
        if with_subjects and subject is not None:
            made[pseudonyms.subjects_photo_tombstone(subject, original)] = SUBJECTS_PHOTO
    return made


def make(
    lake: WritableLake,
    request: str,
    *,
    kinds: Mapping[str, str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Make the tombstones of a request, of which `kinds` says what each is of. They hold until `expires_at`;
    None means for good.

    A tombstone of this request that holds already stays as it is. One that was lifted or has expired holds
    again. Raises Busy.
    """
    own = holding_rows(lake, now=now, where=pc.field("request") == request)
    held = {row["tombstone"] for row in own}
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
        if tombstone not in held
    ]
    if rows:
        lake.put(catalog.TOMBSTONES, rows, keys=KEYS, chunk=NoChunk(ERASE))


def lift(lake: WritableLake, subject: str, *, now: datetime) -> bool:
    """End the tombstone of a subject, whatever requests made it, and return whether it held. Raises Busy.

    The tombstones of the photos' bytes stay: they keep out copies that arrive without a subject.
    """
    return _lifted(lake, holding_rows(lake, now=now, where=pc.field("tombstone") == subject), now)


def lift_photo(lake: WritableLake, photo: str, *, now: datetime) -> bool:
    """End the tombstone `photo` of a photo_id and those that the same requests made; return whether it held.

    So the photo may come again from its subject, and without a subject, unless another request erased the
    same bytes. Raises Busy.
    """
    held = [row for row in holding_rows(lake, now=now) if row["of"] != SUBJECT]
    requests = {row["request"] for row in held if row["tombstone"] == photo}
    return _lifted(lake, [row for row in held if row["request"] in requests], now)


def _lifted(lake: WritableLake, rows: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """End the tombstones of some rows, and return whether there are any. Raises Busy."""
    if rows:
        lifted = [{**row, "lifted_at": now} for row in rows]
        lake.put(catalog.TOMBSTONES, lifted, keys=KEYS, chunk=NoChunk(ERASE))
    return bool(rows)
