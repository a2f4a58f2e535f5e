"""Calendar times: when old files and tombstones are due to be removed. They are computed without Spark."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

from conf.errors import BadSettings
from conf.settings import Settings
from lake.context import Context

INTERVAL = re.compile(r"(?:interval\s+)?(?:\d+\s+[a-z]+\s*)+", re.IGNORECASE)
PART = re.compile(r"(\d+)\s+([a-z]+?)s?(?=\s|$)", re.IGNORECASE)
MONTHS = {"month": 1, "quarter": 3, "year": 12}
SECONDS = {
    "microsecond": 1e-6,
    "millisecond": 1e-3,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 7 * 86_400,
}
"""The units of an interval in SQL, in calendar months or in seconds. A day has 24 hours, as times are UTC."""


def time_after(start: datetime, interval: str) -> datetime:
    """Return the time (UTC) that lies an interval after `start`, by the calendar of UTC.

    The interval is written as in SQL, such as `3 years`. Raises BadSettings where it isn't one.
    """
    return _moved(start, interval, sign=1)


def time_before(end: datetime, interval: str) -> datetime:
    """Return the time (UTC) that lies an interval before `end`, by the calendar of UTC.

    The interval is written as in SQL, such as `3 years`. Raises BadSettings where it isn't one.
    """
    return _moved(end, interval, sign=-1)


def tombstone_expiry(context: Context) -> datetime | None:
    """Return when a tombstone that is made now expires; None where the settings let tombstones hold for
    good."""
    age = context.settings.retention.tombstones
    return time_after(context.now, age) if age else None


def old_files_due(context: Context) -> datetime:
    """Return when the files that a commit removes from a table now are older than the retention."""
    return time_after(context.now, context.settings.delta.deleted_file_retention)


def hours_to_keep(settings: Settings, *, now: datetime) -> float:
    """Return the hours of history that VACUUM is told to keep.

    VACUUM counts them back from its own clock. Files that are younger than the retention at the time `now`
    stay.
    """
    oldest_kept = time_before(now, settings.delta.deleted_file_retention)
    return max(0.0, (datetime.now(UTC) - oldest_kept).total_seconds() / 3600)


def _moved(time: datetime, interval: str, *, sign: int) -> datetime:
    """Return a time moved by an interval, in UTC. Where the month has no such day, its last day is taken, as
    Spark does."""
    parts = [(int(number), unit.lower()) for number, unit in PART.findall(interval)]
    units = {unit for _, unit in parts}
    if not INTERVAL.fullmatch(interval.strip()) or not units <= MONTHS.keys() | SECONDS.keys():
        raise BadSettings(
            f"{interval!r} is no length of time; write it as a number and a unit, such as 7 days."
        )
    months = sum(number * MONTHS.get(unit, 0) for number, unit in parts)
    seconds = sum(number * SECONDS.get(unit, 0) for number, unit in parts)
    time = time.astimezone(UTC)
    year, month = divmod(time.year * 12 + time.month - 1 + sign * months, 12)
    last_day = monthrange(year, month + 1)[1]
    moved = time.replace(year=year, month=month + 1, day=min(time.day, last_day))
    return moved + sign * timedelta(seconds=seconds)
