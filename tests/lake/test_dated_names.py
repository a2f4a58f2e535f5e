"""Which names of files have the day on which their photo was taken."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lake.dated_names import day_in_name


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("IMG_20260501_101500.jpg", date(2026, 5, 1)),
        ("IMG-20260501-WA0003.jpg", date(2026, 5, 1)),
        ("PXL_20260501_101500123.jpg", date(2026, 5, 1)),
        ("20260501101500.jpg", date(2026, 5, 1)),
        ("Screenshot 2026-05-01 at 12.30.15.png", date(2026, 5, 1)),
        ("WhatsApp Image 2026-05-01 at 10.15.00.jpeg", date(2026, 5, 1)),
        ("IMG_20260501_101500 (edited 2026-06-02).jpg", date(2026, 5, 1)),
        ("2026-05-01/kiwi/1.jpg", None),
        ("year=2026/month=05/day=01/1.jpg", None),
        ("product_20210312.jpg", None),
        ("20100101.jpg", None),
        ("2024101112345.jpg", None),
        ("2026-05-02/IMG_20260501_101500.jpg", date(2026, 5, 1)),
        ("DSC_0012.jpg", None),
        ("r_12_100.jpg", None),
        ("1746095045123.jpg", None),
        ("IMG_20261345_101500.jpg", None),
        ("IMG_20260230_101500.jpg", None),
        ("20991231_101500.jpg", None),
        ("", None),
    ],
)
def test_a_day_in_a_path(path, day):
    assert day_in_name(path) == day


def test_a_day_may_be_one_ahead_of_utc_and_no_more():
    today = datetime.now(UTC).date()
    tomorrow, later = today + timedelta(days=1), today + timedelta(days=3)
    assert day_in_name(f"{tomorrow:%Y%m%d}_101500.jpg") == tomorrow
    assert day_in_name(f"{later:%Y%m%d}_101500.jpg") is None
