"""The settings of labels: where the label of a photo stands."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from conf.section import Form, Section

FOLDER, LEVEL, KEY, PATTERN, FILE, NONE = "folder", "level", "label=", "pattern", "file", "none"
"""The words with which `labels.source` begins. Three of them have a detail behind a colon."""

LABEL_GROUP = "(?P<label>"
"""What stands in every pattern: the group that is the label."""


def _source(text: str) -> str:
    word, colon, detail = text.partition(":")
    if text in (FOLDER, KEY, NONE):
        return text
    if colon and word == LEVEL and re.fullmatch("[1-9][0-9]?", detail):
        return text
    if colon and word == FILE and detail.strip():
        return text
    if colon and word == PATTERN and LABEL_GROUP in detail and _is_pattern(detail):
        return text
    raise ValueError("no source of labels")


def _is_pattern(text: str) -> bool:
    """Return whether RE2 takes a text for a pattern all of whose groups have names."""
    import pyarrow as pa  # loaded here: few settings have a pattern
    import pyarrow.compute as pc

    try:
        pc.extract_regex(pa.scalar(""), pattern=text)
    except pa.ArrowException:
        return False
    return True


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
        dict[str, str], Form('a table of spellings, such as {"Kiwis" = "kiwi", "Kivi" = "kiwi"}')
    ]
    """Spellings of labels, without regard to case, and the label that each stands for."""
