"""Which settings may hold a secret, so that no output and no message shows it.

The settings name the place of a secret and not the secret. But Spark takes passwords in spark.config, an
address can hold one, and somebody may write a key where its place belongs.
"""

from __future__ import annotations

import re
from typing import Any

SECRET_KEY = re.compile("(?i)secret|password|token|access[.]?key")
"""What keys of secrets contain, as in Spark's `spark.redaction.regex`."""

SUBJECT_KEY, TOMBSTONE_KEYS = "subjects.key", "subjects.tombstone_keys"
PLACE = re.compile("(env|aws-secret|file):")
ADDRESS_WITH_PASSWORD = re.compile("://[^/@ ]*:[^/@ ]*@")


def may_be_secret(key: str, value: Any) -> bool:
    """Return whether the value of a setting, named as `section.key`, may be a secret."""
    text = str(value)
    if key in (SUBJECT_KEY, TOMBSTONE_KEYS):
        places = value if isinstance(value, (list, tuple)) else [value]
        return not all(PLACE.match(str(each)) for each in places)
    if key.startswith("spark.config.") and (SECRET_KEY.search(key) or SECRET_KEY.search(text)):
        return True
    return bool(ADDRESS_WITH_PASSWORD.search(text))
