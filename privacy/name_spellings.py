"""Spellings of a name that people may take for the same, to look up their pseudonyms.

A pseudonym tells nothing of its name, so rows near a name are found by guessing. Near are other cases, forms
of Unicode, spaces and encodings: not other letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain, combinations
from urllib.parse import quote, quote_plus

from lake.look_alikes import APOSTROPHES, DASHES
from lake.subject_names import decoded, stripped

PERCENT = re.compile("%[0-9A-F]{2}")

SPACES = (" ", "\t", "\u00a0", "\u200b", "\ufeff", "\u200e", "\u200f")
"""White space and marks of direction that may stand around a name without being seen."""

PAIRS = ("\u202a{}\u202c", "\u202d{}\u202c", "\u2068{}\u2069", '"{}"', "'{}'", "{}.")
"""Marks of direction, as address books put them around a name, quotes, and a dot behind it."""

_ANY_APOSTROPHE, _ANY_HYPHEN = re.compile(f"[{APOSTROPHES}]"), re.compile(f"[{DASHES}]")

MOST_LETTERS = 10
"""Of a name with so many letters all patterns of capitals are guessed: 1,024."""


def spellings(name: str) -> Iterator[str]:
    """Yield spellings of a name, many of them more than once; the name itself is among them."""
    plain = stripped(decoded(name))
    for text in {plain, unicodedata.normalize("NFKC", plain)}:
        for each in {*_usual_cases(text), *chain.from_iterable(map(_usual_cases, _spaced(text)))}:
            yield from _encoded(each)
        for each in _marked(text):
            yield from (each, quote(each.encode(errors="surrogateescape"), safe=""))
        for each in _capitals(text.lower()):
            yield from (each, unicodedata.normalize("NFD", each))
    yield name


def _usual_cases(text: str) -> Iterator[str]:
    """Yield a text as it is, in lower, upper and title case, and folded, also by the Turkish rule for `i`,
    and with `ß` for `ss`."""
    turkish = (text.replace("i", "İ"), text.replace("I", "ı"), text.replace("İ", "i"))
    for each in (text, *turkish, text.replace("ss", "ß")):
        yield from (each, each.lower(), each.upper(), each.title(), each.capitalize())
    yield text.casefold()


def _capitals(lower: str) -> Iterator[str]:
    """Yield a text in lower case with all patterns of capitals; a long one with those of one or two."""
    letters = [place for place, each in enumerate(lower) if each.upper() != each]
    most = len(letters) if len(letters) <= MOST_LETTERS else 2
    for count in range(1, most + 1):
        for places in combinations(letters, count):
            chosen = frozenset(places)
            yield "".join(
                each.upper() if place in chosen else each for place, each in enumerate(lower)
            )


def _spaced(text: str) -> Iterator[str]:
    """Yield a text with other white space between its words, or with a space where it has none."""
    words = text.split()
    if len(words) > 1:
        yield from (space.join(words) for space in ("", "  ", "\u00a0", "+"))
    else:
        yield from (f"{text[:place]} {text[place:]}" for place in range(1, len(text)))


def _marked(text: str) -> Iterator[str]:
    """Yield a text in its usual cases with other apostrophes, and with others, spaces or nothing for hyphens,
    or hyphens for spaces."""
    for space in (" ", "-") if " " in text else ("",):
        spaced = text.replace(" ", space)
        for apostrophe in (*APOSTROPHES, "") if _ANY_APOSTROPHE.search(text) else ("",):
            for hyphen in (*DASHES, " ", "") if _ANY_HYPHEN.search(spaced) else ("",):
                marked = _ANY_APOSTROPHE.sub(apostrophe, _ANY_HYPHEN.sub(hyphen, spaced))
                yield from _usual_cases(marked)


def _encoded(text: str) -> Iterator[str]:
    """Yield a text in the forms of Unicode, percent-encoded, with escapes of HTML, in Latin-1 and read
    as such, and with white space, marks or quotes around it."""
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, text)
        yield written
        for space in SPACES:
            yield from (f"{space}{written}", f"{written}{space}", f"{space}{written}{space}")
        yield from (pair.format(written) for pair in PAIRS)
        content = written.encode(errors="surrogateescape")
        percent = quote(content, safe="")
        yield from (percent, quote(percent), content.decode("latin-1"), _escaped(written))
        yield from (quote_plus(content), PERCENT.sub(_lowered, percent))
        yield from (f"%{content.hex('%')}", f"%{content.hex('%').upper()}")
    if any("\x7f" < each <= "\xff" for each in text):
        yield text.encode("latin-1", errors="ignore").decode(errors="surrogateescape")


def _escaped(text: str) -> str:
    """Return a text as forms of the web send characters that their encoding doesn't have."""
    return text.encode("ascii", errors="xmlcharrefreplace").decode()


def _lowered(code: re.Match[str]) -> str:
    return code[0].lower()
