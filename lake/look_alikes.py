"""Characters that nobody sees, and letters of other scripts that look like letters of the Latin one."""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The inside of a pattern's class: Unicode's Default_Ignorable_Code_Point, controls, and blank letters.

They are spaces of no width, soft hyphens, marks of the direction of text, joiners, variation selectors.
"""

APOSTROPHES, DASHES = "'’‘ʼ`´", "-‐‑–"
"""What one keyboard writes for another's apostrophe, or hyphen."""

_UNSEEN = re.compile(rf"[\s{INVISIBLE}]")

_LETTERS = str.maketrans(
    "аеорсухѕіјһԁԛԝьӏүαορνικυıАВЕКМНОРСТУХЅІЈΑΒΕΖΗΙΚΜΝΟΡΤΥΧЬ",
    "aeopcyxsijhdqwblyaopviku" + "iABEKMHOPCTYXSIJABEZHIKMNOPTYXb",
)
"""Letters of Cyrillic and Greek, and the `i` without a dot, by the letter that they look like."""


def is_unseen(character: str) -> bool:
    """Return whether a character is white space, or one that nobody sees."""
    return _UNSEEN.match(character) is not None


def without_unseen(text: str) -> str:
    """Return a text without white space and characters that nobody sees."""
    return _UNSEEN.sub("", text)


def in_latin(text: str) -> str:
    """Return a text in which letters of Cyrillic and Greek are the Latin ones that they look like.

    In a text in lower case, cases make no difference: those letters alone are replaced whose small forms look
    alike.
    """
    return text.translate(_LETTERS).replace("i\u0307", "i")


def skeleton(text: str) -> str:
    """Return a text by its looks alone: Latin letters, without accents and characters that nobody sees.

    White space stays, and so does the case.
    """
    letters = (
        each
        for each in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(each) and (each.isspace() or not is_unseen(each))
    )
    return in_latin("".join(letters))
