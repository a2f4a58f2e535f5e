"""Landing objects that can't be read: which of them a run asks for, and what it says of them.

An object that could not be read stays new under its plain etag, so each run asks again, for the first byte
alone. It asks several at once, and no more than a bound.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bronze.bronze_rows import UNREAD
from bronze.landing import Arrival, Landing
from lake import catalog, metric_names
from lake.enums import BRONZE
from lake.readable_lake import Lake
from lake.run_journal import LayerRun

MOST_REFUSED = 1_000
"""How many objects a run finds unreadable again before it leaves the others to later runs: in S3 they take
four seconds. Those that can be read don't count, because they are read anyway."""

AT_ONCE = 256
"""How many objects are asked for before a run looks at the answers."""

STEPS = 1_000_000
"""The number of places in the order of the objects' keyed hashes at which a run may go on. ops/runs keeps the
place, and it must not tell a single object."""


@dataclass(frozen=True)
class AskedAgain:
    """What became of the objects that an earlier run could not read: those that can be read now, the number
    that still can't, the number that a run left to later ones, and the place at which these begin."""

    readable: list[Arrival]
    refused: int
    left: int
    goes_on: float


def ask_again(landing: Landing, tried: Sequence[Arrival], *, begin: float) -> AskedAgain:
    """Ask for objects again, several at once, from a place in the order of their keyed hashes on, and after
    the last one from the first. Ends when all were asked for, or `MOST_REFUSED` still can't be read."""
    ordered = sorted(tried, key=lambda each: each.key)
    first = bisect_left([_place(each) for each in ordered], begin)
    ordered = ordered[first:] + ordered[:first]
    readable: list[Arrival] = []
    refused = done = 0
    with ThreadPoolExecutor(landing.readers) as pool:
        while done < len(ordered) and refused < MOST_REFUSED:
            batch = ordered[done : done + min(AT_ONCE, MOST_REFUSED - refused)]
            answers = list(pool.map(landing.is_readable, [each.landing for each in batch]))
            readable += [
                each for each, is_readable in zip(batch, answers, strict=True) if is_readable
            ]
            refused += answers.count(False)
            done += len(batch)
    goes_on = _place(ordered[done]) if done < len(ordered) else 0.0
    return AskedAgain(readable, refused, len(ordered) - done, goes_on)


def _place(arrival: Arrival) -> float:
    """Return where an object stands in the order of the keyed hashes, in [0, 1), by steps of 1 / STEPS."""
    return math.floor(int(arrival.key[:12], 16) / 16**12 * STEPS) / STEPS


def asked_anew(
    lake: Lake, landing: Landing, tried: Sequence[Arrival], did: LayerRun
) -> list[Arrival]:
    """Return those of the objects that an earlier run could not read which can be read now, and note the
    others. Archived ones are not asked for."""
    asked = [each for each in tried if not each.landing.is_archived]
    begin = _left_at(lake) if len(asked) > MOST_REFUSED else 0.0
    found = ask_again(landing, asked, begin=begin)
    if found.left:
        did.measure(metric_names.ASKED_UP_TO, found.goes_on)
    if found.refused:
        note = (
            f"{found.refused:,} objects can still not be read: give this process the right to read them, and "
            f"the next run takes them in."
        )
        if found.left:
            note += f" {found.left:,} more were not asked for this time; the next runs ask for them in turn."
        did.notes.append(note)
    return found.readable


def _left_at(lake: Lake) -> float:
    """Return the place at which the last run ended to ask, by ops/runs."""
    rows = lake.records(catalog.RUNS, columns=["layer", "started_at", "metrics"])
    known = [
        (row["started_at"], dict(row["metrics"])[metric_names.ASKED_UP_TO])
        for row in rows
        if row["layer"] == BRONZE and metric_names.ASKED_UP_TO in dict(row["metrics"] or [])
    ]
    return max(known)[1] if known else 0.0


def note_archived(archived: int, did: LayerRun) -> None:
    """Note how many objects are archived, and what to do."""
    if archived:
        did.notes.append(
            f"{archived:,} objects are archived in S3: restore them there, and the next run takes them in."
        )


def note_unread(did: LayerRun) -> None:
    """Note how many new objects could not be read, and what to do."""
    if unread := did.reasons.get(UNREAD):
        did.notes.append(
            f"{unread:,} new objects can't be read: give this process the right to read them (in S3 "
            f"s3:GetObject, and kms:Decrypt with their key), and the next run takes them in."
        )
