"""The label of an object, which says what its photo shows: its one definition, by a path or by a file."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bronze.label_file import LabelFile
from conf.label_settings import FILE, FOLDER, KEY, LEVEL, NONE, PATTERN, LabelSettings
from lake.path_words import likeness_of, words_of
from lake.subject_names import NameRule, stripped
from lake.subject_paths import PathReading, hidden_names, mentions, plain_name

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
BESIDE_DIGITS = frozenset(
    {*MONTHS, *(name[:3] for name in MONTHS), "sept", "t", "z", "w", "q", "st", "nd", "rd", "th"}
)
"""The words that may stand in a date beside its digits: 2026-Nov-25, 2026-W48, 20261125T101500Z."""

SHORTEST = 3
"""The letters from which on a subject's name is looked for in a label."""


class GivenLabel(NamedTuple):
    """What is told of an object: its `label`, and the part of a data set that it belongs to (`split`), such
    as Training; None where nothing is told."""

    label: str | None = None
    split: str | None = None


NOTHING = GivenLabel()


@dataclass(frozen=True)
class Labels:
    """The rule by which objects get their labels, as `[labels]` of the settings says.

    `source` is one of the words of `conf.label_settings`, and `detail` what follows it. `same` maps spellings
    of a label, without regard to case, to the label that they stand for.
    """

    source: str = FOLDER
    detail: str = ""
    dates: bool = False
    same: Mapping[str, str] = field(default_factory=dict)
    rule: NameRule = field(default_factory=NameRule)

    @classmethod
    def of(cls, settings: LabelSettings, rule: NameRule) -> Labels:
        """Return the rule of the settings in a lake that reads names by a rule. Raises BadInput where the
        file with labels can't be read."""
        source, _, detail = settings.source.partition(":")
        found = cls(source, detail, settings.dates, settings.same, rule)
        if source == FILE:
            assert found._file is not None  # it is read now, before anything else is done
        return found

    def given_to(self, path: str, reading: PathReading) -> GivenLabel:
        """Return what is told of the object at a path relative to the landing folder, of which `reading` says
        whose photo it is.

        A row of the file with labels goes over all, then `label=` in the path, then the source. Nothing is
        told of a path that is uncertain, or that hides a name in a lake of format 4. A label in which the
        name of the path's subject stands, or that may be a person's, is none.
        """
        if reading.is_uncertain or self.source == NONE or hidden_names(path, self.rule):
            return NOTHING
        keyed = reading.label if reading.has_label_key else None
        told = self._told(path, reading, keyed)
        return GivenLabel(self._label(told.label, reading), self._text(told.split) or None)

    def _told(self, path: str, reading: PathReading, keyed: str | None) -> GivenLabel:
        """Return what the source tells, as it is written there. `keyed` is what follows `label=`."""
        if self.source == FILE:
            assert self._file is not None
            row = self._file.row(path)
            return GivenLabel(*row) if row else GivenLabel(keyed)
        if self.source == PATTERN:
            found = self._matched(path)
            return GivenLabel(keyed or found.label, found.split)
        if reading.has_label_key or self.source == KEY:
            return GivenLabel(keyed)
        folders = [plain_name(each, self.rule) for each in path.split("/")[:-1] if each.strip()]
        place = int(self.detail) - 1 if self.source == LEVEL else len(folders) - 1
        if self.source == FOLDER and reading.subject is not None:
            return NOTHING  # an app's folders, such as subject=anna/2026/11, tell no label
        name = folders[place] if 0 <= place < len(folders) else ""
        return NOTHING if not self.dates and is_date(name) else GivenLabel(name)

    def _matched(self, path: str) -> GivenLabel:
        """Return what the pattern finds in a path. RE2 takes a time that is linear in the path."""
        text = os.fsencode(path).decode(errors="replace")
        found = pc.extract_regex(pa.scalar(text), pattern=self.detail).as_py() or {}
        return GivenLabel(found.get("label"), found.get("split"))

    def _label(self, label: str | None, reading: PathReading) -> str | None:
        """Return a label in its one spelling; None for an empty one, and for one that may name a person."""
        text = self._text(label)
        text = self._same.get(text.casefold(), text)
        if not text:
            return None
        if reading.subject is not None and not reading.has_label_key:
            is_name = len(reading.subject) >= SHORTEST and mentions(text, reading.subject)
            if is_name or likeness_of(text, self.rule.plain_keys, is_file=False):
                return None
        return text

    def _text(self, text: str | None) -> str:
        """Return a text in its one spelling, as valid Unicode."""
        if text is None:
            return ""
        name = self.rule.name(stripped(text))
        if self.rule.is_as_written:
            name = unicodedata.normalize("NFC", name)
        return os.fsencode(name).decode(errors="replace")

    @cached_property
    def _same(self) -> Mapping[str, str]:
        """The labels that spellings stand for, by the folded spellings."""
        return {self._text(each).casefold(): self._text(to) for each, to in self.same.items()}

    @cached_property
    def _file(self) -> LabelFile | None:
        return LabelFile.read(self.detail) if self.source == FILE else None


def is_date(name: str) -> bool:
    """Return whether the name of a folder is a date or a number: digits, with signs or the words of dates."""
    words = words_of(re.sub(r"(?<=\d)(?=[^\W\d_])", " ", name))
    digits = [each for each in words if each.isdigit()]
    return bool(digits) and BESIDE_DIGITS.issuperset(set(words) - set(digits))
