"""JSON that other programs may have written."""

from __future__ import annotations

import json
from typing import Any


def json_object(text: Any) -> dict[str, Any] | None:
    """Return the object that a JSON text or its bytes are; None where they are none, or something else."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
