"""The pattern by which the names of landing objects begin with their day, such as `uploads/%Y-%m-%d`."""

from __future__ import annotations

import re
from datetime import date

ORDERS = (["%Y", "%m", "%d"], ["%Y", "%j"])
"""The signs of a day, in the orders in which names sort as their days do. `%j` is the day of the year."""

SIGN = re.compile("%.?", re.DOTALL)


def checked(pattern: str) -> str:
    """Return a pattern, or an empty text. Raises ValueError where it tells no day, or names that begin so
    don't sort as their days do."""
    signs = [each for each in SIGN.findall(pattern) if each != "%%"]
    if pattern and (signs not in ORDERS or pattern.startswith("/")):
        raise ValueError("no pattern of a day")
    return pattern


def beginning(pattern: str, day: date) -> str:
    """Return what the names of a day begin with. Those of later days come after it, in the order of bytes."""
    parts = {"%Y": f"{day:%Y}".zfill(4), "%m": f"{day:%m}", "%d": f"{day:%d}", "%j": f"{day:%j}"}
    return SIGN.sub(lambda sign: parts.get(sign[0], "%"), pattern)
