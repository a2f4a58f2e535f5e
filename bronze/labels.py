"""The label of an object, which says what its photo shows: its one definition, by a path or by a file."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bronze.date_names import is_date
from bronze.label_file import LabelFile
from conf.label_settings import FILE, FOLDER, KEY, LEVEL, NONE, PATTERN, LabelSettings
from lake.path_words import likeness_of
from lake.subject_names import NameRule, stripped
from lake.subject_paths import PathReading, hidden_names, mentions, plain_name

LONGEST = 255
"""The most characters of a label or a split, as the rules of bronze/photos have it."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

NO_NAMES = ("", ".", "..")
"""What a part of a key may be that is the name of no folder: a bucket allows `a//b`, `a/ /b` and `./b`."""

SHORTEST = 3
"""The letters from which on a subject's name is looked for in a label."""


class Lack(Enum):
    """Why an object has no label, where that may be a mistake: its folder's name is a date or a number; the
    source finds none in its path; or what is told is no name."""

    DATE = "date"
    UNTOLD = "untold"
    ILL_FORMED = "ill-formed"


class GivenLabel(NamedTuple):
    """What is told of an object: its `label`, and the part of a data set that it belongs to (`split`), such
    as Training; None where nothing is told."""

    label: str | None = None
    split: str | None = None


class FoundLabel(NamedTuple):
    """What the rule finds for an object: a label and a split, as in `GivenLabel`. `lack` may say why there is
    no label."""

    label: str | None = None
    split: str | None = None
    lack: Lack | None = None


NOTHING = FoundLabel()

MOST_FOLDERS = 10_000
"""The folders of which is remembered what they tell."""


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
    _by_folder: dict[tuple[str, PathReading], FoundLabel] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, settings: LabelSettings, rule: NameRule) -> Labels:
        """Return the rule of the settings in a lake that reads names by a rule. Raises BadInput where the
        file with labels can't be read."""
        source, _, detail = settings.source.partition(":")
        found = cls(source, detail, settings.dates, settings.same, rule)
        if source == FILE:
            assert found._file is not None  # it is read now, before anything else is done
        return found

    def given_to(self, path: str, reading: PathReading) -> FoundLabel:
        """Return what is told of the object at a path relative to the landing folder, of which `reading` says
        whose photo it is.

        A row of the file with labels goes over all, then `label=` in the path, then the source. Nothing is
        told of a path that is uncertain, or that hides a name in a lake of format 4. A label or a split in
        which the name of the path's subject stands, or that may be a person's, is none, and so is one that is
        no name.
        """
        if self.source in (FILE, PATTERN):
            return self._given(path, reading)
        # The name of the file tells nothing then, so each folder is looked at once.
        place = path.rpartition("/")[0], reading
        if place not in self._by_folder:
            if len(self._by_folder) >= MOST_FOLDERS:
                self._by_folder.clear()
            self._by_folder[place] = self._given(path, reading)
        return self._by_folder[place]

    def _given(self, path: str, reading: PathReading) -> FoundLabel:
        """Return what is told of an object, as `given_to` does."""
        if reading.is_uncertain or self.source == NONE or hidden_names(path, self.rule):
            return NOTHING
        told = self._told(path, reading)
        label, split = self._joined(told.label), self._text(told.split)
        if label and not is_well_formed(label):
            label, told = "", told._replace(lack=Lack.ILL_FORMED)
        # What follows `label=` was judged when the path was read.
        if label != self._text(reading.label) and self._may_name(label, reading):
            label = ""
        if not is_well_formed(split) or self._may_name(split, reading):
            split = ""
        return FoundLabel(label or None, split or None, None if label else told.lack)

    def _told(self, path: str, reading: PathReading) -> FoundLabel:
        """Return what the source tells, as it is written there."""
        if self.source == FILE:
            assert self._file is not None
            row = self._file.row(path)
            return FoundLabel(*row) if row else FoundLabel(reading.label, lack=Lack.UNTOLD)
        if self.source == PATTERN:
            found = self._matched(path)
            return found._replace(label=reading.label or found.label)
        if reading.label is not None or self.source == KEY:
            return FoundLabel(reading.label)
        if self.source == FOLDER and reading.subject is not None:
            return NOTHING  # an app's folders, such as subject=anna/2026/11, tell no label
        name = self._folder_name(path)
        if not self.dates and is_date(name):
            return FoundLabel(lack=Lack.DATE)
        return FoundLabel(name, lack=Lack.UNTOLD if self.source == LEVEL else None)

    def _folder_name(self, path: str) -> str:
        """Return the name of the folder that has the label; empty where there is none, or it has a key."""
        folders = [
            plain_name(each, self.rule)
            for each in path.split("/")[:-1]
            if stripped(self.rule.name(each)) not in NO_NAMES
        ]
        place = int(self.detail) - 1 if self.source == LEVEL else len(folders) - 1
        return folders[place] if 0 <= place < len(folders) else ""

    def _matched(self, path: str) -> FoundLabel:
        """Return what the pattern finds in a path, in one form of Unicode. RE2 takes a time that is linear in
        the path."""
        text, pattern = (
            unicodedata.normalize("NFC", os.fsencode(each).decode(errors="replace"))
            for each in (path, self.detail)
        )
        found = pc.extract_regex(pa.scalar(text), pattern=pattern).as_py()
        return (
            FoundLabel(lack=Lack.UNTOLD)
            if found is None
            else FoundLabel(found["label"], found.get("split"))
        )

    def _may_name(self, text: str, reading: PathReading) -> bool:
        """Return whether a text that is told of a subject's object may name that subject or a person."""
        if not text or reading.subject is None:
            return False
        is_subject = len(reading.subject) >= SHORTEST and mentions(text, reading.subject)
        return is_subject or bool(likeness_of(text, self.rule.plain_keys, is_file=False))

    def _joined(self, label: str | None) -> str:
        """Return the label that a text stands for; empty for none."""
        text = self._text(label)
        return self._same.get(text.casefold(), text)

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
        """The labels that spellings stand for at last, by the folded spellings."""
        told = {self._text(each).casefold(): self._text(to) for each, to in self.same.items()}
        ends = {}
        for spelling, label in told.items():
            # The settings refuse circles, but they compare texts as they are written.
            for _ in told:
                further = told.get(label.casefold(), label)
                if further == label:
                    break
                label = further
            ends[spelling] = label
        return ends

    @cached_property
    def _file(self) -> LabelFile | None:
        return LabelFile.read(self.detail) if self.source == FILE else None


def is_well_formed(text: str) -> bool:
    """Return whether the rules of bronze/photos let a text pass as a label or a split."""
    return bool(text.strip(" ")) and len(text) <= LONGEST and not CONTROL.search(text)
