"""The bronze layer: what is new in the landing folder, read, cleaned and published in chunks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa

from bronze import (
    bronze_rows,
    label_claims,
    listing_counts,
    object_outcomes,
    second_tries,
    unread_objects,
    waiting_rejections,
)
from bronze.labels import Labels
from bronze.landing import Arrival, Landing, Listing, arrival
from bronze.second_tries import TRIED
from lake import catalog, isolated_python, metric_names
from lake.chunks import Chunk, ChunkPlan, batches
from lake.context import Context
from lake.enums import BRONZE, Outcome
from lake.progress_bar import counted
from lake.pseudonyms import Pseudonyms, halves
from lake.publication import ChunkLayer, Contents, TableCommit
from lake.subject_paths import spellings
from lake.writable_lake import WritableLake

ARRIVED = "arrived"
"""The staged part of a bronze chunk: its objects as they were read (`bronze_rows.ARRIVED`)."""

DECIDING = tuple(sorted({*object_outcomes.JUDGED, *bronze_rows.REJECTED}))
"""The columns of the staged objects that the driver reads: all but the photos themselves."""


class BronzeChunks(ChunkLayer):
    """Bronze's chunks: photos and refused objects, and last bronze/objects, which tells what was seen.

    Bronze keeps every photo that arrived. Its gate judges a chunk after the publication, before silver reads
    it.
    """

    name = BRONZE
    tables = (catalog.PHOTOS, catalog.REJECTED, catalog.OBJECTS)
    lost_by_withdrawal = ", but for photos that have left the landing folder since: those are lost"

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The objects as they were read, and for a second try the rows of those that were rejected."""
        return [ARRIVED, TRIED] if chunk.is_second_try else [ARRIVED]

    def published_photos(self, chunk: Chunk) -> int | None:
        """The photos of a chunk that bronze/objects, the last of its tables, has."""
        if self._lake.last_chunk(catalog.OBJECTS) != chunk.number:
            return None
        return self._lake.source(catalog.PHOTOS, chunks=(chunk.number, chunk.number)).count()

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged chunk, whose photos are stored once however often they were sent."""
        lake, facts = self._lake, self._facts(chunk)
        found = object_outcomes.outcomes(facts, lake.known_keys, before=chunk.number)
        outcomes, rejected = found.to_pylist(), bronze_rows.rejected(facts)
        again = {row["photo_id"] for row in outcomes if row["outcome"] == Outcome.DUPLICATE}
        label_claims.record(outcomes, label_claims.labels_of(lake, again))
        by_outcome = Counter(row["outcome"] for row in outcomes)
        stored = by_outcome[Outcome.STORED]
        left = 0 if chunk.is_second_try else chunk.photos - len(outcomes)
        gone = {listing_counts.GONE: left} if left > 0 else {}
        commits: list[TableCommit] = []
        if stored:
            repeated = [r["position"] for r in outcomes if r["outcome"] == Outcome.DUPLICATE]
            kept = bronze_rows.photos(lake.staging.read(chunk, ARRIVED), repeated)
            commits.append(lake.append_commit(catalog.PHOTOS, kept, chunk=chunk))
        if chunk.is_second_try:
            commits += second_tries.commits(lake, chunk, outcomes, rejected)
        else:
            for table, rows in ((catalog.REJECTED, rejected), (catalog.OBJECTS, outcomes)):
                if rows:
                    frame = lake.rows(table, rows)
                    commits.append(lake.append_commit(table, frame, chunk=chunk))
        return Contents(
            commits,
            photos=stored,
            counts={"in": len(outcomes), "kept": stored, **by_outcome, **gone},
            reasons=Counter(row["reason"] for row in rejected),
        )

    def _facts(self, chunk: Chunk) -> pa.Table:
        """What the commits of a staged chunk are decided by: its objects without the photos themselves."""
        staging = self._lake.staging
        known = staging.source(chunk, ARRIVED).schema.names
        facts = staging.columns(chunk, ARRIVED, *(name for name in DECIDING if name in known))
        if "split" not in known:  # earlier code staged the chunk
            facts = facts.append_column("split", pa.nulls(facts.num_rows, pa.string()))
        return second_tries.read_again(facts) if chunk.is_second_try else facts


@dataclass(frozen=True)
class Listed:
    """The landing folder as it was found: its `listing`, and every object of it in the order of its arrival,
    with what its path says."""

    listing: Listing
    arrivals: Sequence[Arrival]


def listed(context: Context, landing: Landing) -> Listed:
    """List the landing folder, and note what was not found or taken. Raises BadInput where it can't be
    listed."""
    listing = landing.listing()
    listing_counts.note(listing, landing.root, context.did)
    labels = Labels.of(context.settings.labels, context.pseudonyms.names)
    arrivals = [
        arrival(found, position=place, pseudonyms=context.pseudonyms, labels=labels)
        for place, found in enumerate(listing.objects)
    ]
    return Listed(listing, arrivals)


def new_groups(
    context: Context, landing: Landing, found: Listed, *, tombstones: frozenset[str]
) -> list[list[Arrival]]:
    """The landing objects that the lake doesn't know, in the order of their arrival, a group for each chunk.

    Objects of subjects whose tombstone holds are marked, so that they are counted and never read.
    """
    bounds, keys = context.settings.chunks, context.pseudonyms
    new = _barred(_unseen(context, landing, found), pseudonyms=keys, tombstones=tombstones)
    return batches(
        new,
        size=bronze_rows.size,
        max_bytes=bounds.max_bytes,
        max_photos=bounds.max_photos,
    )


def arrivals(
    context: Context, landing: Landing, *, tombstones: frozenset[str]
) -> Sequence[Arrival]:
    """Every landing object in the order of its arrival; those of erased subjects are marked, as in
    `new_groups`. Raises BadInput where the folder can't be listed."""
    found = listed(context, landing).arrivals
    return _barred(found, pseudonyms=context.pseudonyms, tombstones=tombstones)


def photos_that_left(context: Context, landing: Landing, number: int) -> int:
    """The photos of a chunk whose object versions the landing folder has no more: they can't be taken in
    again. Raises BadInput where there is no such folder."""
    there = {
        (arrived.stored_path, found.size, bronze_rows.modified_at(found))
        for found in landing.listing().objects
        for arrived in [arrival(found, position=0, pseudonyms=context.pseudonyms)]
    }
    photos = context.lake.source(catalog.PHOTOS, chunks=(number, number))
    columns = ("path", "size_bytes", "uploaded_at")
    held = (
        zip(*(batch[name].to_pylist() for name in columns), strict=True)
        for batch in photos.batches(*columns)
    )
    return sum(version not in there for versions in held for version in versions)


def plan(group: Sequence[Arrival]) -> ChunkPlan:
    """The chunk that holds a group of objects."""
    size = sum(each.landing.size for each in group)
    return ChunkPlan(layer=BRONZE, photos=len(group), bytes=size)


def stage(
    context: Context,
    landing: Landing,
    group: Sequence[Arrival],
    chunk: Chunk,
    *,
    tombstones: frozenset[str],
) -> None:
    """Reads and cleans the objects of a chunk on the workers, and stages them."""
    lake, settings = context.lake, context.settings
    title = f"bronze chunk {chunk.number}"
    with (
        counted(lake.spark, context.console, title=title, photos=len(group)) as count,
        bronze_rows.arrived(
            lake.spark,
            landing,
            group,
            chunks=settings.chunks,
            limits=settings.photos,
            admission=bronze_rows.Admission.of(context.pseudonyms, tombstones=tombstones),
            count=count,
        ) as arrived,
    ):
        lake.staging.write(chunk, ARRIVED, arrived)


def _barred(
    arrivals: Sequence[Arrival], *, pseudonyms: Pseudonyms, tombstones: frozenset[str]
) -> Sequence[Arrival]:
    """The arrivals, with those of erased subjects marked, also where a lake of format 4 finds no subject in
    their path, and where the tombstone was imported from a lake with another rule for names. Those of
    subjects of whom single photos were erased get the tombstones of the bytes."""
    if not tombstones:
        return arrivals
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

    return list(map(barred, arrivals))


def _unseen(context: Context, landing: Landing, found: Listed) -> Sequence[Arrival]:
    """The object versions that bronze/objects doesn't know, by (upload time, path).

    Those that were rejected as unreadable and can be read now are among them.
    """
    lake, did = context.lake, context.did
    waiting_rejections.note(lake, found.arrivals, context.settings.photos, did)
    unseen = object_outcomes.unseen(found.arrivals, lake.known_keys)
    new, tried = unseen.new, unseen.tried
    readable = unread_objects.asked_anew(lake, landing, tried, did)
    unread_objects.note_archived([*new, *tried], did)
    label_claims.note_told_otherwise(unseen.told_otherwise, did)
    arrivals = sorted([*new, *readable], key=lambda each: each.position)
    still = len(tried) - len(readable)
    listing_counts.measure(found.listing, did, new=len(arrivals), unreadable=still)
    listing_counts.note_unlabelled(arrivals, did)
    if uncertain := sum(each.is_uncertain for each in arrivals):
        did.notes.append(
            f"{uncertain:,} objects are refused as {bronze_rows.UNCERTAIN_SUBJECT}: their paths look like a "
            f"person's, but it isn't certain whose; name their folders subject=NAME, or name what is no "
            f"person's in subjects.plain_keys and send them again."
        )
    if arrivals and isolated_python.shared_rights():
        did.notes.append(
            "The processes that read photos share this machine's network, because the kernel gives them none "
            "of their own; docs/guarantees.md says what they have nevertheless."
        )
    did.measure(metric_names.LAG, _age(arrivals[0]) if arrivals else 0.0)
    return arrivals


def _age(oldest: Arrival) -> float:
    """Seconds since the object arrived; 0 where its time lies ahead, by a clock that is wrong."""
    return max(0.0, time.time() - oldest.landing.modified_ns / 1e9)
