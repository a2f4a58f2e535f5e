"""Calendar times: when old files and tombstones are due to be removed."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.settings import Settings
from lake.context import Context
from lake.readable_lake import Lake


def time_after(lake: Lake, start: datetime, interval: str) -> datetime:
    """Return the time (UTC) that lies an interval after `start`, by the calendar of UTC.

    The interval is written as in SQL, such as `3 years`.
    """
    return _time(lake, F.lit(start) + F.expr(f"interval {interval}"))


def time_before(lake: Lake, end: datetime, interval: str) -> datetime:
    """Return the time (UTC) that lies an interval before `end`, by the calendar of UTC.

    The interval is written as in SQL, such as `3 years`.
    """
    return _time(lake, F.lit(end) - F.expr(f"interval {interval}"))


def tombstone_expiry(context: Context) -> datetime | None:
    """Return when a tombstone that is made now expires; None where the settings let tombstones hold for
    good."""
    age = context.settings.retention.tombstones
    return time_after(context.lake, context.now, age) if age else None


def old_files_due(context: Context) -> datetime:
    """Return when the files that a commit removes from a table now are older than the retention."""
    return time_after(context.lake, context.now, context.settings.delta.deleted_file_retention)


def hours_to_keep(lake: Lake, settings: Settings, *, now: datetime) -> float:
    """Return the hours of history that VACUUM is told to keep.

    VACUUM counts them back from its own clock. Files that are younger than the retention at the time `now`
    stay.
    """
    oldest_kept = time_before(lake, now, settings.delta.deleted_file_retention)
    return max(0.0, (datetime.now(UTC) - oldest_kept).total_seconds() / 3600)


def _time(lake: Lake, expression: Column) -> datetime:
    """Return the value of a timestamp expression, in UTC. This is a query."""
    row = lake.spark.range(1).select(expression.alias("time")).collect()[0]
    time: datetime = row["time"]
    return time.astimezone(UTC)
