"""Times by the calendar: when files and tombstones are due to go."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import functions as F

from conf.settings import Settings
from lake.context import Context
from lake.readable_lake import Lake


def moved(lake: Lake, at: datetime, interval: str, *, back: bool = False) -> datetime:
    """A time moved forward or `back` by an interval as SQL writes it, such as `3 years`, by the calendar of
    UTC."""
    by = F.expr(f"interval {interval}")
    time = F.lit(at) - by if back else F.lit(at) + by
    row = lake.spark.range(1).select(time.alias("time")).collect()[0]
    found: datetime = row["time"]
    return found.astimezone(UTC)


def tombstones_expire(context: Context) -> datetime | None:
    """When a tombstone that is made now expires; None where tombstones hold for good."""
    age = context.settings.retention.tombstones
    return moved(context.lake, context.now, age) if age else None


def files_due(context: Context) -> datetime:
    """When the files that a commit removes from a table now are older than the retention."""
    return moved(context.lake, context.now, context.settings.delta.deleted_file_retention)


def hours_to_keep(lake: Lake, settings: Settings, *, now: datetime) -> float:
    """The hours that VACUUM is told to keep. It counts them by its own clock; files that are younger than the
    retention at the time `now` stay."""
    before = moved(lake, now, settings.delta.deleted_file_retention, back=True)
    return max(0.0, (datetime.now(UTC) - before).total_seconds() / 3600)
