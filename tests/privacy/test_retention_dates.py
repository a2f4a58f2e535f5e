"""Calendar times are those that Spark reckons: months end with their last day, days have 24 hours of UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from conf.errors import BadSettings
from privacy.retention_dates import time_after, time_before

CASES = [
    ("2026-03-31 12:00", "1 month", "2026-02-28 12:00", "2026-04-30 12:00"),
    ("2024-02-29 00:00", "1 year", "2023-02-28 00:00", "2025-02-28 00:00"),
    ("2026-01-15 23:59", "3 years", "2023-01-15 23:59", "2029-01-15 23:59"),
    ("2026-01-31 00:00", "13 months", "2024-12-31 00:00", "2027-02-28 00:00"),
    ("2026-03-29 03:00", "7 days", "2026-03-22 03:00", "2026-04-05 03:00"),
    ("2026-03-01 00:00", "interval 2 WEEKS", "2026-02-15 00:00", "2026-03-15 00:00"),
    ("2026-03-01 00:00", "1 day 12 hours", "2026-02-27 12:00", "2026-03-02 12:00"),
    ("2026-03-01 00:00", "0 seconds", "2026-03-01 00:00", "2026-03-01 00:00"),
]


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("start", "interval", "before", "after"), CASES)
def test_an_interval_before_and_after_a_time(start, interval, before, after):
    assert time_before(utc(start), interval) == utc(before)
    assert time_after(utc(start), interval) == utc(after)


def test_the_calendar_is_that_of_utc():
    far = datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2)))  # in UTC, the last of March
    assert time_before(far, "1 month") == utc("2026-02-28 23:00")
    assert time_before(far, "1 month").tzinfo is UTC


@pytest.mark.parametrize("text", ["", "a while", "7", "7 dayz", "-7 days", "7 days or so", "7days"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(BadSettings, match=r"write it as a number and a unit, such as 7 days"):
        time_after(utc("2026-01-01"), text)
