"""Landing paths of many subjects, each under several spellings, and paths with a canary's name between
arbitrary bytes: drawn by a seed."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

from tests.support.name_spellings import KEYS, UNCERTAIN_KEYS, WAYS

MOST_BYTES = 240
"""The name of a folder has 255 at most."""

PEOPLE = (
    "Zoé Quincefeld",
    "Иннокентий Ягодин",
    "李芳菲果园",
    "אורנה תפוחי",
    "Øyvind Ångströmsen",
    "Straßburgerin",
    "Νεκτάριος",
    "Smith, Quillaja",
    "D’Arcy-O'Quandong",
    "Beere🍓Feenhaus",
    "q%uandary 100%",
    os.fsdecode(b"Jos\xe9 Quinteiro"),
)
"""Names in several scripts, with marks, signs and a byte that is no UTF-8."""

OUTER = ("", "2026/11/", "subject=/", "label=Kiwi/", "subject=Tibor Rambutan/", "user=bert/", "Ａ/")
INNER = (
    "",
    "/2026/11",
    "/subject=",
    "/SUBJECT= ",
    "/%73ubject%3D%20",
    "/subject=\ufeff",
    "/user=c",
)
"""What may stand around the folder of a subject without changing whose it is."""

CASES = (str.lower, str.upper, str.title, str.casefold, str.swapcase)

CANARY = "quincunxia"
"""A name that stands in no path by chance."""

ANY_BYTE = [bytes([each]) for each in range(1, 256) if each != ord("/")]
"""Every byte that the name of a file may have."""


@dataclass
class Spelled:
    """A person, the `paths` of the photos, and spellings of the name: `landed` ones, which folders have, and
    `asked` ones, which none has."""

    name: str
    paths: list[str] = field(default_factory=list)
    landed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def spelled(draw: random.Random, name: str, *, folds_case: bool) -> str:
    """A spelling that a person would call the same name, by up to three ways, one after the other."""
    while True:
        text = draw.choice(CASES)(name) if folds_case and draw.random() < 0.7 else name
        for way in draw.choices(sorted(WAYS), k=draw.randint(1, 3)):
            text = WAYS[way](text)
        if len(os.fsencode(text)) <= MOST_BYTES - 30:
            return text


def people(seed: int, *, folds_case: bool, photos: int = 3) -> list[Spelled]:
    """Each of `PEOPLE`, with photos under spellings of name and key, nested as landing folders may be."""
    draw = random.Random(seed)
    found = []
    for number, name in enumerate(PEOPLE):
        person = Spelled(name)
        while len(person.paths) < photos:
            written, key = spelled(draw, name, folds_case=folds_case), draw.choice(KEYS)
            path = f"{draw.choice(OUTER)}{key}{written}{draw.choice(INNER)}"
            person.landed.append(written)
            person.paths.append(f"{path}/{number}-{len(person.paths)}.jpg")
        while len(person.asked) < 2:
            written = spelled(draw, name, folds_case=folds_case)
            if written not in person.landed:
                person.asked.append(written)
        found.append(person)
    return found


def canary_paths(seed: int) -> list[bytes]:
    """Paths that look like a subject's and have the canary's name in them, between arbitrary bytes.

    Every byte stands before and behind the name in some path. In a folder that looks like a subject's the
    name stands behind the key, and elsewhere in the path, whatever the rest of it is. What no rule can tell
    is left out: a plain folder of that name, alone or under others, and a label of that name that no folder
    `subject=CANARY` stands beside.
    """
    draw = random.Random(seed)
    keys = [os.fsencode(each) for each in (*KEYS, *UNCERTAIN_KEYS)]
    found = []
    for number, byte in enumerate(draw.sample(ANY_BYTE, len(ANY_BYTE))):
        name, noise = _canary(draw), b"".join(draw.choices(ANY_BYTE, k=draw.randint(0, 12)))
        shape, key = number % 6, draw.choice(keys)
        value = (byte + name + noise, name + byte + noise, noise + name + byte)[number % 3]
        paths = (
            b"%s%s/1.jpg" % (key, value),
            b"2026/%s%s/11/1.jpg" % (key, value),
            b"%s%s.jpg" % (key, value),
            b"subject=Tibor/%s/1.jpg" % value,
            b"subject=Tibor/2026/%s.jpg" % value,
            b"%s/user=Tibor/%s/1.jpg" % (value, value),
        )
        found.append(b"%s-%d.jpg" % (paths[shape].removesuffix(b".jpg"), number))
    found += [
        b"subject=%s/label=%s/label-1.jpg" % (name, name)
        for name in (CANARY.encode(), CANARY.title().encode())
    ]
    return [path for path in found if not _is_out_of_reach(path)]


def _canary(draw: random.Random) -> bytes:
    return os.fsencode(draw.choice((str, str.upper, str.title))(CANARY))


def _is_out_of_reach(path: bytes) -> bool:
    """Whether a part of the path is too long, or the name of no file."""
    return any(len(part) > 255 or part in (b".", b"..") for part in path.split(b"/"))
