"""Which settings may hold a secret, so that no output and no message shows it.

The settings name the place of a secret and not the secret. But Spark takes passwords in spark.config, an
address can hold one, and somebody may write a key where its place belongs.
"""

from __future__ import annotations

import re
from typing import Any

SECRET_KEY = re.compile("(?i)secret|password|token|access[.]?key")
"""What keys of secrets contain, as in Spark's `spark.redaction.regex`."""

SUBJECT_KEY = "subjects.key"
PLACE = re.compile("(env|aws-secret|file):")
ADDRESS_WITH_PASSWORD = re.compile("://[^/@ ]*:[^/@ ]*@")


def may_be_secret(key: str, value: Any) -> bool:
    """Return whether the value of a setting, named as `section.key`, may be a secret."""
    text = str(value)
    if key == SUBJECT_KEY:
        return not PLACE.match(text)
    if key.startswith("spark.config.") and (SECRET_KEY.search(key) or SECRET_KEY.search(text)):
        return True
    return bool(ADDRESS_WITH_PASSWORD.search(text))
