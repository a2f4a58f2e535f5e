"""Ids and names that people type: shown short, and understood by any unambiguous beginning.

One rule for every option that takes an id or the name of a version, as git has it for its commits.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from conf.errors import BadInput

SHORTEST = 4
"""The fewest characters of a beginning that is looked up."""

SHOWN = 12
"""The fewest characters that an id is shown with."""

LISTED = 8
"""The most ids that an error lists."""


def shortened(ids: Iterable[str]) -> dict[str, str]:
    """Return the shortest beginning of each id that no other one has, but at least SHOWN characters of it."""
    ordered = sorted(set(ids))
    short = {}
    for place, each in enumerate(ordered):
        beside = (*ordered[max(place - 1, 0) : place], *ordered[place + 1 : place + 2])
        length = max((_shared(each, other) for other in beside), default=0)
        short[each] = each[: max(SHOWN, length + 1)]
    return short


def _shared(one: str, other: str) -> int:
    """Return the length of the beginning that two texts share."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def named(text: str, known: Iterable[str], *, what: str, otherwise: str = "") -> str:
    """Return the one of `known` that is `text`, or that alone begins with it.

    `what` is the kind of thing, such as `model version`. `otherwise` is what an error says where nothing is
    near; by default it lists what there is. Raises BadInput where `text` is shorter than SHORTEST, where
    nothing begins with it, and where several do.
    """
    ordered = sorted(set(known))
    if text in ordered:
        return text
    otherwise = otherwise or f"{listed(ordered)}."
    if len(text) < SHORTEST:
        raise BadInput(
            f"There is no {what} {text or '(an empty text)'}, and it is too short for the beginning of one: "
            f"give at least {SHORTEST} characters; {otherwise}"
        )
    found = [each for each in ordered if each.startswith(text)]
    if len(found) > 1:
        raise BadInput(
            f"{text} is the beginning of {len(found):,} {what}s: give more of one; {listed(found)}."
        )
    if not found:
        raise BadInput(f"There is no {what} {text}; {_nearest(text, ordered) or otherwise}")
    return found[0]


def listed(names: Iterable[str]) -> str:
    """Return the words `there is …` with at most LISTED of some names, and hashes among them shortened."""
    names = list(names)
    hashes = shortened(filter(_is_hash, names))
    short = [hashes.get(each, each) for each in names]
    more = f" and {len(short) - LISTED:,} more" if len(short) > LISTED else ""
    return f"there is {', '.join(short[:LISTED]) or 'none'}{more}"


def _is_hash(name: str) -> bool:
    """Return whether a name is hex digits alone, and too long to be typed."""
    return len(name) > 2 * SHOWN and set(name) <= set("0123456789abcdef")


def _nearest(text: str, known: list[str]) -> str:
    """Return the end of an error message with the nearest of `known`, or an empty text where none is near."""
    beginnings = {each[: max(len(text), SHORTEST)]: each for each in known}
    near = difflib.get_close_matches(text, beginnings, n=1)
    if not near:
        return ""
    nearest = beginnings[near[0]]
    return f"did you mean {shortened(known)[nearest] if _is_hash(nearest) else nearest}?"
