"""Names of folders that are dates or numbers, as cameras, apps and archives make them: they are no labels."""

from __future__ import annotations

import re
import unicodedata

from lake.path_words import words_of

MONTHS = """
january february march april may june july august september october november december
januar februar marz mai juni juli oktober dezember
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro
januari februari maart mei augustus
"""
"""The months in English, German, French, Spanish, Italian, Portuguese and Dutch, without accents."""

SHORT = "jan feb mar apr may jun jul aug sep sept oct nov dec"
"""Short names of months, in English alone: in other languages they are words such as set and out."""

DAYS = "monday tuesday wednesday thursday friday saturday sunday"

BESIDE_DIGITS = frozenset(f"{MONTHS} {SHORT} {DAYS} st nd rd th 年 月 日 년 월 일".split())
"""The words that may stand beside digits in a date or a number: 25 November, 1st, 11月25日."""

BESIDE_YEARS = frozenset(["t", "z", "w", "kw", "q", "h", "at", "am", "pm", "utc", "gmt", "de"])
"""The words that may stand in a date with a year: 2026-W48, 20261125T101500Z, 25 de noviembre de 2026. Where
there is none they may be a kind's, as in T1."""

YEAR_DIGITS = 4
"""The fewest digits of a number that may have a year in it."""


def is_date(name: str) -> bool:
    """Return whether the name of a folder is a date or a number: digits, with signs or the words of dates."""
    words = words_of(re.sub(r"(?<=\d)(?=[^\W\d_])", " ", name))
    digits = [each for each in words if each.isdigit()]
    if not digits:
        return False
    has_year = max(map(len, digits)) >= YEAR_DIGITS
    allowed = BESIDE_DIGITS | BESIDE_YEARS if has_year else BESIDE_DIGITS
    return all(_plain(each) in allowed for each in set(words) - set(digits))


def _plain(word: str) -> str:
    """Return a word without accents; signs of other scripts stay."""
    marks = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c)))
