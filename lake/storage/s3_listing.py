"""How a bucket is listed: by several requests at once, each between two keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LISTINGS = 16
"""The number of requests that list a bucket at once."""

ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")
"""The storage classes whose objects can't be read before they are restored. Intelligent-Tiering has archives,
too, but no listing tells which of its objects lie there."""

RESTORED: Mapping[str, Any] = {"OptionalObjectAttributes": ["RestoreStatus"]}
"""The parameter by which a listing tells of restored copies of archived objects."""

Span = tuple[str, str | None]
"""Two keys: the first that a listing begins after, and the last that it may have; None is its end."""


def spans(prefixes: Sequence[str], *, start: str) -> list[Span]:
    """Return the spans that together list all keys after `start`, by the prefixes right under a root."""
    first = [each for each in prefixes if each > start]
    bounds = first[:: max(1, len(first) // LISTINGS)][1:]
    return list(zip([start, *bounds], [*bounds, None], strict=True))


def begins_after(key: str) -> dict[str, Any]:
    """Return the parameter by which a listing begins after a key; none for the beginning."""
    return {"StartAfter": key} if key else {}


def before(key: str) -> str:
    """Return a text just before a key in the order of keys: a listing never begins with the key itself."""
    return f"{key[:-1]}{chr(ord(key[-1]) - 1)}\U0010ffff"


def is_archived(found: Mapping[str, Any]) -> bool:
    """Return whether the object of an entry in a listing lies in an archive, without a restored copy."""
    copy = found.get("RestoreStatus", {})
    if copy.get("IsRestoreInProgress"):
        return True
    return found.get("StorageClass") in ARCHIVES and "RestoreExpiryDate" not in copy
