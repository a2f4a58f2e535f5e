"""The landing objects that the lake doesn't know: found, put in the order of their arrival, cut into chunks.

They lie outside memory where they are many, but those of one chunk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from bronze import (
    bronze_rows,
    label_claims,
    listing_counts,
    object_outcomes,
    unread_objects,
    waiting_rejections,
)
from bronze.labels import Lack
from bronze.landing import Arrival, Landing
from bronze.listed_objects import ARRIVED, FACTS, SECOND, ListedObjects, facts_of
from bronze.unread_objects import TriedObjects
from lake import isolated_python, known_keys, metric_names
from lake.chunks import batches
from lake.context import Context
from lake.pseudonyms import Pseudonyms, halves
from lake.sorted_runs import SortedRuns
from lake.spool_file import OutsideMemory
from lake.subject_paths import spellings

SHARED_NETWORK = (
    "The processes that read photos share this machine's network, because the kernel gives them none of "
    "their own; docs/guarantees.md says what they have nevertheless."
)
"""What a run notes once where its readers can't be apart from the network."""

Mark = Callable[[Arrival], Arrival]
"""Returns an arrival, marked where its subject was erased."""


class NewObjects(OutsideMemory):
    """Objects that come in now: their number, and those of them that are archived, and the time of the oldest
    one, in ns. They are added in any order."""

    def __init__(self) -> None:
        self.count = self.archived = 0
        self.oldest: int | None = None
        self._runs = SortedRuns(FACTS, ARRIVED)

    def close(self) -> None:
        """Gives the file up."""
        self._runs.close()

    def add(self, rows: pa.Table) -> None:
        """Takes FACTS of objects in."""
        if rows.num_rows:
            first = rows.select(ARRIVED[:2]).sort_by([(name, "ascending") for name in ARRIVED[:2]])
            oldest = first["seconds"][0].as_py() * SECOND + first["nanoseconds"][0].as_py()
            self.oldest = oldest if self.oldest is None else min(self.oldest, oldest)
            self.count += rows.num_rows
            self.archived += pc.sum(rows["is_archived"]).as_py()
            self._runs.add(rows)

    def in_order(self, listed: ListedObjects, mark: Mark) -> Iterator[Arrival]:
        """Yields the objects of a listing in the order of their arrival, each with its place in it."""
        for place, facts in enumerate(self._runs.rows()):
            yield mark(listed.arrival(facts, position=place))


def new_groups(
    context: Context, landing: Landing, listed: ListedObjects, *, tombstones: frozenset[str]
) -> Iterator[list[Arrival]]:
    """Yield the landing objects that the lake doesn't know, in the order of their arrival, a group for each
    chunk. What their paths lack is noted after the last one.

    Objects of subjects whose tombstone holds are marked, so that they are counted and never read.
    """
    bounds, did = context.settings.chunks, context.did
    lacks, uncertain = Counter[Lack](), 0
    with NewObjects() as new:
        _find(context, landing, listed, new)
        for group in batches(
            new.in_order(listed, marker(context.pseudonyms, tombstones)),
            size=bronze_rows.size,
            max_bytes=bounds.max_bytes,
            max_photos=bounds.max_photos,
        ):
            lacks.update(each.lack for each in group if each.lack)
            uncertain += sum(each.is_uncertain for each in group)
            yield group
    listing_counts.note_unlabelled(lacks, did)
    if uncertain:
        did.notes.append(
            f"{uncertain:,} objects are refused as {bronze_rows.UNCERTAIN_SUBJECT}: their paths look like a "
            f"person's, but it isn't certain whose; name their folders subject=NAME, or name what is no "
            f"person's in subjects.plain_keys and send them again."
        )
    if new.count and isolated_python.shared_rights() and SHARED_NETWORK not in did.notes:
        did.notes.append(SHARED_NETWORK)


def _find(context: Context, landing: Landing, listed: ListedObjects, new: NewObjects) -> None:
    """Add the object versions that bronze/objects doesn't know, and those that were rejected as unreadable
    and can be read now; measure and note what became of the others."""
    lake, did = context.lake, context.did
    later = listing_counts.next_run(context.settings.landing)
    waiting_rejections.note(lake, listed, context.settings.photos, did)
    known_keys.fold(lake, most=known_keys.FEWEST if listed.are_many else None, did=did)
    told_otherwise = 0
    with TriedObjects(listed) as tried:
        for part in listed.parts():
            unseen = object_outcomes.unseen(part, lake.known_keys, listed.told)
            new.add(unseen.new)
            tried.add(unseen.tried)
            told_otherwise += unseen.told_otherwise
        unread_objects.note_archived(new.archived + tried.archived, did, next_run=later)
        readable = unread_objects.asked_anew(
            lake,
            landing,
            tried,
            did,
            lambda found: new.add(facts_of(a.landing for a in found)),
            next_run=later,
        )
    label_claims.note_told_otherwise(told_otherwise, did)
    still = tried.count + tried.archived - readable
    if listed.is_whole:
        listing_counts.measure(listed.counts, did, new=new.count, unreadable=still)
    else:
        listing_counts.measure_part(listed.counts, did, new=new.count)
    did.measure(metric_names.LAG, _age(new.oldest))


def _age(modified_ns: int | None) -> float:
    """Return the seconds since a time; 0 where there is none, or it lies ahead, by a clock that is wrong."""
    return 0.0 if modified_ns is None else max(0.0, time.time() - modified_ns / 1e9)


def marker(pseudonyms: Pseudonyms, tombstones: frozenset[str]) -> Mark:
    """Return what marks the arrivals of erased subjects, also where a lake of format 4 finds no subject in
    their path, and where the tombstone was imported from a lake with another rule for names. Those of
    subjects of whom single photos were erased get the tombstones of the bytes."""
    if not tombstones:
        return lambda each: each
    rules = pseudonyms.name_rules
    photos: dict[str, set[str]] = {}
    for subject, photo in filter(all, map(halves, tombstones)):
        photos.setdefault(subject, set()).add(photo)

    @cache
    def kept_out(names: frozenset[str]) -> tuple[bool, frozenset[str]]:
        own = pseudonyms.subject_tombstones(names)
        erased = (photos[each] for each in photos.keys() & own)
        return not tombstones.isdisjoint(own), frozenset().union(*erased)

    def barred(each: Arrival) -> Arrival:
        is_erased, erased_photos = kept_out(spellings(each.landing.path, rules))
        if is_erased:
            return each.tombstoned()
        return replace(each, erased_photos=erased_photos) if erased_photos else each

    return barred
