"""Errors of ours that a worker of Spark raised: Spark tells them as text, and here they are errors again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from conf.errors import BadInput, FruitLakeError

OURS = re.compile(
    r"(?:conf\.errors\.BadInput|silver\.\w+\.(?:UnusableModel|UnsupportedPrecision)): (?P<sentence>.+)"
)
"""What Spark's text holds where a worker could not use the model, or what the settings want of it."""


@contextmanager
def raised_here() -> Iterator[None]:
    """Raise BadInput with a worker's own sentence where a worker refused what it was given."""
    try:
        yield
    except FruitLakeError:
        raise
    except Exception as error:
        if found := OURS.search(str(error)):
            raise BadInput(found["sentence"]) from error
        raise
