"""The settings of labels: where the label of a photo stands."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from conf.section import Form, Section

FOLDER, LEVEL, KEY, PATTERN, FILE, NONE = "folder", "level", "label=", "pattern", "file", "none"
"""The words with which `labels.source` begins. Three of them have a detail behind a colon."""


def _source(text: str) -> str:
    word, colon, detail = text.partition(":")
    if text in (FOLDER, KEY, NONE):
        return text
    if colon and word == LEVEL and re.fullmatch("[1-9][0-9]?", detail):
        return text
    if colon and word == FILE and detail.strip():
        return text
    if colon and word == PATTERN and _is_pattern(detail):
        return text
    raise ValueError("no source of labels")


def _is_pattern(text: str) -> bool:
    """Return whether RE2 takes a text for a pattern all of whose groups have names, one of them `label`."""
    import pyarrow as pa  # loaded here: few settings have a pattern
    import pyarrow.compute as pc

    try:
        groups = pc.extract_regex(pa.scalar(""), pattern=text).type
    except pa.ArrowException:
        return False
    return len(groups.get_all_field_indices("label")) == 1


def _same(spellings: dict[str, str]) -> dict[str, str]:
    """Raise ValueError where a spelling is empty, stands for two labels, or leads back to itself."""
    ends: dict[str, str] = {}
    for spelling, label in spellings.items():
        if not spelling.strip() or ends.setdefault(_folded(spelling), label) != label:
            raise ValueError("no spelling of one label")
    for label in ends.values():
        before = {label}
        while (further := ends.get(_folded(label), label)) != label:
            if further in before:
                raise ValueError("a circle of spellings")
            before.add(further)
            label = further
    return spellings


def _folded(text: str) -> str:
    """Return a label in the form in which spellings are compared."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


class LabelSettings(Section):
    """Where the label of a photo stands, which says what the photo shows. Labels are given when a photo is
    taken in, and again by `replay --labels`."""

    source: Annotated[
        str,
        AfterValidator(_source),
        Form(
            '"folder", "level:N" such as "level:1", "label=", "pattern:EXPRESSION" with a group '
            '(?P<label>…), "file:labels.csv" or "none"'
        ),
    ]
    """`folder`: the name of the folder that the photo lies in, unless that is a subject's. `level:N`: the
    name of the Nth folder below the landing folder. `label=`: only what follows `label=`, which goes over
    the name of a folder in any case. `pattern:`: an RE2 expression that is searched in the path below the
    landing folder, with the groups `label` and maybe `split`. `file:`: a CSV or Parquet file with the columns
    `path`, `label` and maybe `split`. `none`: no photo has a label."""

    dates: bool
    """Whether the name of a folder that is a date or a number, such as `25` or `2026-11-25`, is a label.
    Otherwise a photo in such a folder has none."""

    same: Annotated[
        dict[str, str],
        AfterValidator(_same),
        Form(
            'a table of spellings, such as {"Kiwis" = "kiwi", "Kivi" = "kiwi"}; none is empty, has two '
            "labels or leads back to itself"
        ),
    ]
    """Spellings of labels, without regard to case, and the label that each stands for, which may be a
    spelling again. An empty label means none."""
