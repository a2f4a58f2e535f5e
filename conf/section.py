"""What the sections of the settings have in common: their base class, and the kinds of their values.

The description of a setting is the docstring below it, and stands nowhere else: `run.py settings`,
docs/settings.md and the messages about bad values take it from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """One table of the TOML file. It is frozen, and it refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class Form:
    """The form of a value in words, which follow “give”, where its type and its bounds don't say it."""

    words: str


Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
AboveZero = Annotated[float, Field(gt=0)]


def _age(text: str) -> str:
    if text and not re.fullmatch("[1-9][0-9]{0,3} (day|week|month|year)s?", text):
        raise ValueError("not an age")
    return text


Age = Annotated[
    str,
    AfterValidator(_age),
    Form('an age such as "90 days" or "3 years", or an empty text, which means: kept for good'),
]
"""A number of days, weeks, months or years, such as `90 days`. An empty age means: kept for good."""
