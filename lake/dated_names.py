"""Days that stand in the names of photo files."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)
"""How far a phone's date may be ahead of UTC."""

DAY_IN_NAME = re.compile(
    r"(?<!\d)(20\d\d)([-_.]?)([01]\d)\2([0-3]\d)"
    r"(?=(?:[-_ T.]|%20|\bat\b)*[0-2]\d[-_.:]?[0-5]\d[-_.:]?[0-5]\d(?!\d{4})|-WA\d{4})"
)
"""A day in a file's name where a time of day follows, or a messenger's number, as phones write it:
IMG_20260501_101500.jpg, IMG-20260501-WA0003.jpg. Eight digits alone may be the number of a product."""


def day_in_name(path: str) -> date | None:
    """Return the day that stands in the name of a photo's file; None where there is none.

    Days before 2000 and of the future are none. Folders don't count: their day is that of an upload or of an
    export.
    """
    for year, _, month, day in DAY_IN_NAME.findall(path.rpartition("/")[2]):
        with suppress(ValueError):
            found = date(int(year), int(month), int(day))
            if found <= datetime.now(UTC).date() + DAY:
                return found
    return None
