"""Times that people write: a date, or a date and a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time


def utc_time(text: str) -> datetime:
    """Return the time that an ISO 8601 text names. Raises ValueError for any other text.

    A time without a zone is in UTC. A date alone stands for the end of that day.
    """
    moment = datetime.fromisoformat(text)
    return end_of(moment.date()) if len(text) <= len("2026-03-01") else in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """Return a time with its zone; one without a zone is in UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def end_of(day: date) -> datetime:
    """Return the last microsecond of a day, in UTC."""
    return datetime.combine(day, time.max, UTC)
