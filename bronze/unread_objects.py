"""Landing objects that can't be read: which of them a run asks for, and what it says of them.

An object that could not be read stays new under its plain etag, so each run asks again, for the first byte
alone. It asks several at once, and no more than a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bronze.bronze_rows import UNREAD
from bronze.landing import Arrival, Landing
from bronze.listed_objects import FACTS, ListedObjects
from bronze.listing_counts import NEXT_RUN
from lake import catalog, metric_names
from lake.enums import BRONZE
from lake.readable_lake import Lake
from lake.run_journal import LayerRun
from lake.sorted_runs import SortedRuns
from lake.spool_file import OutsideMemory

MOST_REFUSED = 1_000
"""How many objects a run finds unreadable again before it leaves the others to later runs: in S3 they take
four seconds. Those that can be read don't count, because they are read anyway."""

AT_ONCE = 256
"""How many objects are asked for before a run looks at the answers."""

TRIED = FACTS.append(pa.field("object", pa.string()))
"""What is kept of such an object: its FACTS, and the keyed hash of its path."""

STEPS = 1_000_000
"""The number of places in the order of the objects' keyed hashes at which a run may go on. ops/runs keeps the
place, and it must not tell a single object."""


class TriedObjects(OutsideMemory):
    """Objects that an earlier run could not read, put away in the order of their keyed hashes: the number of
    those that are asked for (`count`), and of those that are `archived`, which are not."""

    def __init__(self, listed: ListedObjects) -> None:
        self.count = self.archived = 0
        self._listed = listed
        self._runs = SortedRuns(TRIED, ["object"])

    def close(self) -> None:
        """Gives the file up."""
        self._runs.close()

    def add(self, rows: pa.Table) -> None:
        """Takes listed objects in (`KEYED`)."""
        asked = rows.filter(pc.invert(rows["is_archived"]))
        self.count += asked.num_rows
        self.archived += rows.num_rows - asked.num_rows
        self._runs.add(asked)

    def in_turn(self, begin: float) -> Iterator[Arrival]:
        """Yields those that are asked for, from a place on, and after the last one from the first."""
        yield from map(self._listed.arrival, self._after(begin, is_later=True))
        yield from map(self._listed.arrival, self._after(begin, is_later=False))

    def _after(self, begin: float, *, is_later: bool) -> Iterator[dict[str, Any]]:
        return (row for row in self._runs.rows() if (_place(row["object"]) >= begin) is is_later)


@dataclass(frozen=True)
class AskedAgain:
    """What became of objects that an earlier run could not read: the numbers of those that can be read now
    and that still can't, and the place at which those begin that a run left to later ones."""

    readable: int
    refused: int
    goes_on: float


def ask_again(
    landing: Landing, tried: Iterator[Arrival], take: Callable[[Sequence[Arrival]], None]
) -> AskedAgain:
    """Ask for objects again, several at once, until all were asked for, or `MOST_REFUSED` still can't be
    read. `take` gets those that can."""
    readable = refused = 0
    with ThreadPoolExecutor(landing.readers) as pool:
        while batch := list(islice(tried, min(AT_ONCE, MOST_REFUSED - refused))):
            answers = list(pool.map(landing.is_readable, [each.landing for each in batch]))
            take([each for each, can in zip(batch, answers, strict=True) if can])
            readable += answers.count(True)
            refused += answers.count(False)
    rest = next(tried, None)
    return AskedAgain(readable, refused, 0.0 if rest is None else _place(rest.key))


def _place(key: str) -> float:
    """Return where an object stands in the order of the keyed hashes, in [0, 1), by steps of 1 / STEPS."""
    return math.floor(int(key[:12], 16) / 16**12 * STEPS) / STEPS


def asked_anew(
    lake: Lake,
    landing: Landing,
    tried: TriedObjects,
    did: LayerRun,
    take: Callable[[Sequence[Arrival]], None],
    *,
    next_run: str = NEXT_RUN,
) -> int:
    """Ask for objects that an earlier run could not read, and note those that still can't be; `take` gets the
    others. Returns how many it got."""
    begin = _left_at(lake) if tried.count > MOST_REFUSED else 0.0
    found = ask_again(landing, tried.in_turn(begin), take)
    left = tried.count - found.readable - found.refused
    if left:
        did.measure(metric_names.ASKED_UP_TO, found.goes_on)
    if found.refused:
        note = (
            f"{found.refused:,} objects can still not be read: give this process the right to read them, and "
            f"{next_run} takes them in."
        )
        if left:
            note += (
                f" {left:,} more were not asked for this time; the next runs ask for them in turn."
            )
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


def note_archived(archived: int, did: LayerRun, *, next_run: str = NEXT_RUN) -> None:
    """Note how many objects are archived, and what to do."""
    if archived:
        did.notes.append(
            f"{archived:,} objects are archived in S3: restore them there, and {next_run} takes them in."
        )


def note_unread(did: LayerRun, *, next_run: str = NEXT_RUN) -> None:
    """Note how many new objects could not be read, and what to do."""
    if unread := did.reasons.get(UNREAD):
        did.notes.append(
            f"{unread:,} new objects can't be read: give this process the right to read them (in S3 "
            f"s3:GetObject, and kms:Decrypt with their key), and {next_run} takes them in."
        )
