"""The keys and words in the name of a folder or file, and how much they look like a subject's."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from enum import IntEnum

from lake.look_alikes import skeleton
from lake.subject_names import near_key, stripped

SUBJECT, LABEL = "subject", "label"

EQUALS, COLONS = "=＝﹦⁼₌", ":：﹕︓꞉∶ː˸"
"""The characters that stand between a key and its value. Only the first kind is certain."""

KEYED = re.compile(rf"([^{EQUALS}{COLONS}]*)([{EQUALS}{COLONS}])(.*)", re.DOTALL)
PIECES = re.compile(r"[/\\;,&|]")
"""What may separate several keys in one name."""

WORD = re.compile(r"[^\W\d_]+|\d+")
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

ROOTS = ("user", "person", "people", "patient", "customer")
SUFFIXES = ("", "s", "id", "ids", "name", "names")
PERSONS = frozenset(word + suffix for word in ROOTS for suffix in SUFFIXES)
"""Words that tell of a person wherever a key or the name of a folder or file begins with them."""

OWNERS = frozenset(
    word + suffix
    for word in (
        *("account", "author", "client", "contact", "employee", "guest", "login", "member"),
        *("owner", "participant", "photographer", "sender", "uploader", "uid"),
    )
    for suffix in SUFFIXES
) | {"email", "mail", "phone"}
"""Words that tell of a person as the last word of a key alone."""

NAMES = frozenset(
    {"name", "fullname", "firstname", "lastname", "forename", "givenname", "familyname", "surname"}
) | {word + suffix for word in ("sub", "subj") for suffix in SUFFIXES}
"""Whole keys that tell of a person."""

EMAIL = re.compile(r"[^@\s]@(?!\d+x\b)[^@\s]+\.[^\W\d_]{2,}")
"""An address of e-mail, and no picture for a denser screen (`kiwi@2x.min`)."""

ALIKE = 0.8
"""From this ratio on (`difflib`), a key is taken for a misspelled `subject`. `object` has 0.77."""


class Likeness(IntEnum):
    """How much a name looks like that of a subject's folder, though it is not certain."""

    NONE = 0
    PERSON = 1
    SUBJECT = 2
    """By the word `subject` itself, or a misspelling of it."""


def likeness_of(text: str, plain_keys: frozenset[str], *, is_file: bool) -> Likeness:
    """Return the largest likeness of the pieces of a decoded name.

    In the name of a file a word for a person may stand alone, because it names nobody. So may a value, and a
    key without one. Beside other pieces they may not, because those may be the name.
    """
    pieces = PIECES.split(text)
    alone = sum(bool(stripped(each)) for each in pieces) < 2
    return max(_of_piece(each, plain_keys, is_file=is_file, alone=alone) for each in pieces)


def _of_piece(piece: str, plain_keys: frozenset[str], *, is_file: bool, alone: bool) -> Likeness:
    """Return the likeness of a piece of a name, which may be `alone` in it."""
    if near_key(piece) in plain_keys:
        return Likeness.NONE
    match = KEYED.fullmatch(piece)
    if match is None:
        return _of_words(piece, may_stand_alone=is_file and alone)
    key, value = match[1], match[3]
    of_value = _of_piece(value, plain_keys, is_file=True, alone=alone)
    if near_key(key) in plain_keys:
        return of_value
    is_key = stripped(value) or not alone
    of_key = _of_key(key) if is_key else _of_words(key, may_stand_alone=True)
    return max(of_key, of_value)


def _of_key(key: str) -> Likeness:
    """Return the likeness of a key that has a value."""
    words = words_of(skeleton(key))
    joined = "".join(words)
    is_alike = SequenceMatcher(None, joined, SUBJECT).ratio() >= ALIKE
    if is_alike or any(SUBJECT in word for word in words):
        return Likeness.SUBJECT
    is_owner = joined in OWNERS | NAMES or (bool(words) and words[-1] in OWNERS)
    is_person = is_owner or not PERSONS.isdisjoint([joined, *words])
    return Likeness.PERSON if is_person else Likeness.NONE


def _of_words(text: str, *, may_stand_alone: bool) -> Likeness:
    """Return the likeness of a name without a key."""
    words = words_of(skeleton(text))
    if may_stand_alone and len(words) == 1 and words[0] in (SUBJECT, f"{SUBJECT}s", *PERSONS):
        return Likeness.NONE
    if any(SUBJECT in word for word in words):
        return Likeness.SUBJECT
    is_person = bool(words) and words[0] in PERSONS
    return Likeness.PERSON if is_person or EMAIL.search(text) else Likeness.NONE


def key_of(text: str) -> str:
    """Return a key in its one spelling."""
    return stripped(unicodedata.normalize("NFKC", text)).casefold()


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text, folded: `userId-7` has `user`, `id` and `7`."""
    text = HUMP.sub(" ", unicodedata.normalize("NFKC", text))
    return WORD.findall(unicodedata.normalize("NFKC", text.casefold()))
