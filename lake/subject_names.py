"""The one rule by which a lake reads names: those of subjects, in folders and after `--subject`, and labels.

A name can be spelled in several ways that people call the same. The rule gives one name for all of them, and
pseudonyms and tombstones are made of that name. `lake.json` records the rule, because another rule gives
other pseudonyms. Only names are changed: an object is read by the bytes of its path.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from lake.look_alikes import APOSTROPHES, DASHES, in_latin, is_unseen, without_unseen

_MARKS = re.compile(f"[{DASHES}{APOSTROPHES}]")
AROUND = "\"'`´‘’‚‛“”„‟«»‹›."
"""Quotes of tools and dots, which may stand around a name and belong to it or not."""


class NameRuleVersion(IntEnum):
    """The versions of the rule, by their number in `lake.json`."""

    AS_WRITTEN = 1
    """A name is the text as it is written. Lakes of format 4 have this rule."""

    NORMALISED = 2
    """A name is what `normalised` returns."""


@dataclass(frozen=True)
class NameRule:
    """How a lake reads names and the paths that they stand in (`lake.subject_paths`).

    `folds_case` says whether names that differ in case alone are one name. `plain_keys` are keys of folders
    such as `client=web` that name no subject, though they look so, and whole names of such folders.
    """

    version: NameRuleVersion = NameRuleVersion.NORMALISED
    folds_case: bool = False
    plain_keys: frozenset[str] = frozenset()

    @classmethod
    def of_settings(cls, *, case: str, plain_keys: Iterable[str]) -> Self:
        """Return the rule of a new lake. `case` is `kept` or `folded`."""
        return cls(folds_case=case == "folded", plain_keys=frozenset(map(near_key, plain_keys)))

    @classmethod
    def of_record(cls, values: Mapping[str, Any] | None) -> Self:
        """Return the rule that `lake.json` records under `names`; without a record, that of format 4."""
        if values is None:
            return cls(NameRuleVersion.AS_WRITTEN)
        rule = cls.of_settings(case=values["case"], plain_keys=values["plain_keys"])
        return replace(rule, version=NameRuleVersion(values["rule"]))

    def record(self) -> dict[str, Any]:
        """Return what `lake.json` records of the rule."""
        return {
            "rule": self.version.value,
            "case": "folded" if self.folds_case else "kept",
            "plain_keys": sorted(self.plain_keys),
        }

    @property
    def is_as_written(self) -> bool:
        """True for the rule of lakes of format 4."""
        return self.version is NameRuleVersion.AS_WRITTEN

    def with_plain_keys(self, keys: Iterable[str]) -> NameRule:
        """Return the rule with further plain keys. The rule of format 4 has none, because it needs none."""
        if self.is_as_written:
            return self
        return replace(self, plain_keys=self.plain_keys.union(map(near_key, keys)))

    def name(self, text: str) -> str:
        """Return the name that a text spells. It may be empty."""
        return text if self.is_as_written else normalised(text, folds_case=self.folds_case)


def normalised(text: str, *, folds_case: bool = False) -> str:
    """Return a name in its one spelling.

    Percent-encoding is decoded, Unicode is in the form NFC, and nothing that nobody sees, such as white space
    and marks of the direction of text, stands around the name. With
    `folds_case`, case is folded as Unicode's canonical caseless matching does. The steps are repeated until
    nothing changes, because each can reveal work for another: so a name is its own one spelling. Bytes that
    are no UTF-8 stay, as surrogates (PEP 383).
    """
    before = None
    while text != before:
        before = text
        text = stripped(decoded(text))
        if folds_case:
            text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return text


def decoded(text: str) -> str:
    """Return a text in the form NFC without percent-encoding, however often it was encoded."""
    text = unicodedata.normalize("NFC", text)
    if "%" not in text:
        return text
    content = text.encode(errors="surrogateescape")
    while (further := unquote_to_bytes(content)) != content:
        content = further
    return unicodedata.normalize("NFC", content.decode(errors="surrogateescape"))


def stripped(text: str) -> str:
    """Return a text without the white space around it, and without other characters that nobody sees."""
    text = text.strip()
    if text.isascii() and text.isprintable():
        return text
    start, end = 0, len(text)
    while start < end and is_unseen(text[start]):
        start += 1
    while start < end and is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def near_key(text: str) -> str:
    """Return a text that is equal for names that look alike.

    They differ in case, in Unicode's compatible forms (such as full width), in spaces and characters that
    nobody sees, in quotes and dots around them, in letters of other scripts that look the same, and in the
    encodings of `readable` alone. Names that look alike may be different names under the rule.
    """
    before = None
    while text != before:
        before = text
        text = unicodedata.normalize("NFKC", normalised(readable(text), folds_case=True))
        text = in_latin(without_unseen(text.replace("+", ""))).strip(AROUND)
    return text


def near_name(text: str) -> str:
    """Return a text that is equal for names between which only `near_key`, apostrophes and hyphens lie."""
    return _MARKS.sub("", near_key(text)) or near_key(text)


def readable(text: str) -> str:
    """Return a text as a person reads it whom encodings don't disturb: percent-encoding, the escapes of HTML,
    bytes of Latin-1, and UTF-8 that was read as Latin-1 or Windows-1252."""
    before = None
    while text != before:
        before = text
        text = decoded(html.unescape(decoded(text)))
        if not text.isascii():
            text = _as_utf_8("".join(map(_of_latin_1, text)))
    return text


def _of_latin_1(character: str) -> str:
    """Return the character that a byte stands for in Latin-1; others stay."""
    return chr(ord(character) - 0xDC00) if "\udc80" <= character <= "\udcff" else character


def _as_utf_8(text: str) -> str:
    """Return what a text was before its bytes in UTF-8 were read in another encoding; other texts stay."""
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode()
        except UnicodeError:
            continue
    return text
