"""What a path under the landing root says: whose photo it is, what it shows, or that it can't be told whose.

A folder `subject=NAME` is certain in any spelling of the key: in any case, percent-encoded, with white space
around it, with a full-width `=`. What only looks like a subject, such as `user=NAME` or `subject-NAME`, is
uncertain: nobody can say whose photo it is, and the path may hold a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from conf.errors import BadInput
from lake.path_words import (
    EQUALS,
    KEYED,
    LABEL,
    PIECES,
    ROOTS,
    SUBJECT,
    Likeness,
    key_of,
    likeness_of,
    words_of,
)
from lake.photo_formats import ENDINGS
from lake.subject_names import NameRule, decoded, near_key, readable

EMPTY = "--subject is empty; give it the part of the folder's name that follows subject=."
NAME_ALONE = "Give --subject only the part of the folder's name that follows subject=."
"""What is told of a text after `--subject` that is no name."""

ENDING = re.compile(rf"(?:{'|'.join(map(re.escape, ENDINGS))})\Z", re.IGNORECASE)
AS_WRITTEN = {name: re.compile(rf"{name}=(.*)", re.DOTALL) for name in (SUBJECT, LABEL)}
"""How folders were read by the rule of format 4."""

SHORTEST = 3
"""The letters from which on a subject's name is taken for one where a label has it."""

SUSPICIOUS = re.compile(rf"[^ -~]|[%=:@]|{SUBJECT}|{'|'.join(ROOTS)}", re.IGNORECASE)
"""What a name has in it that must be looked at closely. Most names have nothing of it."""

STORED = re.compile(r"subject=([0-9a-f]{64})/[0-9a-f]{64}")
"""The path that bronze keeps of a subject's object: the pseudonym and the keyed hash of the path."""

IN_CLEAR = "in clear"
"""What `stored_subject` returns for a path that names a subject, or may name one."""


@dataclass(frozen=True, slots=True)
class PathReading:
    """What a path says: the name of the `subject`, and what follows `label=`, under the lake's rule.

    `written` is the subject's name as the folder has it, without percent-encoding. Where the path
    `is_uncertain`, both names are None. What the label of an object is, `bronze.labels` says.
    """

    subject: str | None = None
    label: str | None = None
    is_uncertain: bool = False
    written: str | None = None


UNCERTAIN = PathReading(is_uncertain=True)


@dataclass(frozen=True, slots=True)
class _Folder:
    """What the name of one folder says. Texts are empty where it says nothing of that kind; `plain` is the
    name of a folder without a key."""

    subject: str = ""
    written: str = ""
    label: str = ""
    plain: str = ""
    likeness: Likeness = Likeness.NONE


def read(path: str, rule: NameRule) -> PathReading:
    """Return what a path, with `/` between its parts, says under a rule.

    The innermost folder counts whose value is not empty. Where a subject is certain, only a folder further in
    that looks like `subject` itself, or a label that looks like a person's or has the subject's name in it,
    makes the path uncertain: nothing else of it is kept.
    """
    folders, _, file = path.rpartition("/")
    reading = _read_folders(folders, rule)
    is_open = reading.subject is None and not reading.is_uncertain and not rule.is_as_written
    if is_open and SUSPICIOUS.search(file):
        stem = ENDING.sub("", decoded(file))
        return UNCERTAIN if likeness_of(stem, rule.plain_keys, is_file=True) else reading
    return reading


@lru_cache(maxsize=10_000)
def _read_folders(path: str, rule: NameRule) -> PathReading:
    """Return what the folders of a path say, before the name of the file is looked at."""
    folders = path.split("/") if path else []
    if rule.is_as_written:
        return _read_as_written(folders)
    parts = [_folder(each, rule) for each in folders]
    labelled = next((part for part in reversed(parts) if part.label), _Folder())
    place = max((at for at, part in enumerate(parts) if part.subject), default=None)
    label = labelled.label or None
    if place is None:
        return UNCERTAIN if any(part.likeness for part in parts) else PathReading(label=label)
    within = [part.likeness is Likeness.SUBJECT for part in parts[place + 1 :]]
    subject = parts[place]
    if labelled.likeness or any(within) or _names(labelled.label, subject.subject):
        return UNCERTAIN
    return PathReading(subject.subject, label, written=subject.written)


def _read_as_written(folders: list[str]) -> PathReading:
    """Return what folders say by the rule of format 4: keys in one spelling, and an empty value hides those
    further out."""
    values = {}
    for name, pattern in AS_WRITTEN.items():
        found = [match[1] for folder in folders if (match := pattern.fullmatch(folder))]
        values[name] = found[-1] or None if found else None
    return PathReading(values[SUBJECT], values[LABEL], written=values[SUBJECT])


def plain_name(folder: str, rule: NameRule) -> str:
    """Return the name of a folder without a key under a rule; empty for one with a key."""
    if rule.is_as_written:
        return "" if "=" in folder else folder
    return _folder(folder, rule).plain


def hidden_names(path: str | None, rule: NameRule) -> frozenset[str]:
    """Return the spellings of a subject whom a path names, though the lake took it for a path without one.

    Lakes of format 4 hold such paths in clear, such as `Subject=anna/1.jpg`. Under the later rule it is none.
    """
    if not path or not rule.is_as_written or read(path, rule).subject:
        return frozenset()
    reading = read(path, NameRule())
    return frozenset(each for each in (reading.subject, reading.written) if each)


def spellings(path: str, rules: Iterable[NameRule]) -> frozenset[str]:
    """Return all spellings of the subject whom a path names under any of the rules, also where it is hidden
    (`hidden_names`). There are none where it names nobody."""
    found: set[str | None] = set()
    for rule in rules:
        reading = read(path, rule)
        found |= {reading.subject, reading.written, *hidden_names(path, rule)}
    return frozenset(each for each in found if each)


def stored_subject(path: str | None, rule: NameRule) -> str | None:
    """Return the pseudonym in a path that bronze keeps; None where it has no part like a subject.

    It is `IN_CLEAR` where the path has such a part other than the pseudonym.
    """
    if path is None:
        return None
    if match := STORED.fullmatch(path):
        return match[1]
    reading = read(path, rule)
    return IN_CLEAR if reading.subject or reading.is_uncertain else None


def mentions(path: str, name: str) -> bool:
    """Return whether a name, without regard to its spelling, stands in a path as one word or several."""
    wanted = "".join(words_of(readable(name))) or near_key(name)
    words = words_of(readable(path))
    for first in range(len(words)):
        run = ""
        for word in words[first:]:
            run += word
            if run == wanted:
                return True
            if len(run) > len(wanted):
                break
    return not words and wanted in near_key(path)


def check_subject(text: str, rule: NameRule) -> None:
    """Raise BadInput where a text is no name of a subject under a lake's rule: it is empty, or the name of a
    subject's folder."""
    if not rule.name(text):
        raise BadInput(EMPTY)
    is_folder = AS_WRITTEN[SUBJECT].fullmatch(text) if rule.is_as_written else names_a_folder(text)
    if is_folder:
        raise BadInput(NAME_ALONE)


def names_a_folder(text: str) -> bool:
    """Return whether a text is the name of a subject's folder (`subject=anna`) and not of a subject."""
    match = KEYED.fullmatch(decoded(text))
    return match is not None and key_of(match[1]) == SUBJECT


def _folder(name: str, rule: NameRule) -> _Folder:
    """Return what the name of a folder says under the later rule."""
    if not SUSPICIOUS.search(name):
        return _Folder(plain=rule.name(name))
    text = decoded(name)
    match = KEYED.fullmatch(text)
    key, value = (key_of(match[1]), match[3]) if match and match[2] in EQUALS else ("", "")
    if key == SUBJECT and not PIECES.search(match[1] if match else ""):
        return _subject_folder(value, rule)
    likeness = likeness_of(text, rule.plain_keys, is_file=False)
    if key == LABEL:
        return _Folder(label=rule.name(value), likeness=likeness)
    has_key = any(each in EQUALS for each in text)
    return _Folder(plain="" if has_key else rule.name(text), likeness=likeness)


def _subject_folder(value: str, rule: NameRule) -> _Folder:
    """Return what a folder with the key `subject` says. A value with further keys or folders is uncertain."""
    first, *others = (KEYED.fullmatch(piece) for piece in PIECES.split(value))
    has_keys = first and key_of(first[1]) in (SUBJECT, LABEL, "")
    has_keys = has_keys or any(match and match[2] in EQUALS for match in others)
    if has_keys or "/" in value or "\\" in value:
        return _Folder(likeness=Likeness.SUBJECT)
    return _Folder(subject=rule.name(value), written=value)


def _names(label: str, subject: str) -> bool:
    """Return whether a label has the name of the subject in it, who has not only one or two letters."""
    return bool(label) and len(near_key(subject)) >= SHORTEST and mentions(label, subject)
