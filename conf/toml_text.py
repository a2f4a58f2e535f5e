"""Values, keys and whole settings as the text of a TOML file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any


def as_value(value: Any) -> str:
    """Return a text, a number, a boolean, a list or a table of such as TOML."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # TOML writes inf and nan as Python does
    if isinstance(value, Mapping):
        return (
            f"{{{', '.join(f'{as_key(key)} = {as_value(each)}' for key, each in value.items())}}}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_value, value))}]"
    # JSON's texts, numbers and booleans are TOML's. DEL is the only character that JSON allows unescaped and
    # TOML does not.
    return json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")


def as_key(key: str) -> str:
    """Return a key as TOML writes it: in quotes, where it needs them."""
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else as_value(key)


def as_table(name: str, values: Mapping[str, Any]) -> str:
    """Return one table, with the tables within it at its end."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"[{name}]", *(f"{as_key(key)} = {as_value(value)}" for key, value in plain.items())]
    inner = [as_table(f"{name}.{as_key(key)}", values[key]) for key in values if key not in plain]
    return "\n".join([*lines, *inner]) + "\n"
