"""The bronze layer at work: what is new in the landing folder, read, cleaned and published in chunks."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console

from bronze import photos
from bronze.landing import Arrival, Landing, arrival
from bronze.landing import landing as landing_of
from conf.settings import Settings
from lake import catalog, fault_points, metric_names
from lake.chunks import Chunk, ChunkState, batches, unfinished
from lake.lake import Lake, counts
from lake.progress_bar import counted
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun


def ingest(
    lake: Lake,
    settings: Settings,
    *,
    keys: Pseudonyms,
    tombstones: frozenset[str],
    console: Console,
    did: LayerRun,
) -> None:
    """Takes in the landing objects that the lake doesn't know, after what an earlier run left staged.

    What `tombstones` that hold keep out is counted, and nothing of it is kept.
    """
    finish(lake, did=did)
    landing = landing_of(settings.paths.landing)
    groups = batches(
        _barred(_unseen(lake, landing, keys=keys, did=did), keys=keys, tombstones=tombstones),
        size=photos.size,
        max_bytes=settings.chunks.max_bytes,
        max_photos=settings.chunks.max_photos,
    )
    wanted = [
        Chunk(
            0,
            "bronze",
            ChunkState.PLANNED,
            photos=len(group),
            bytes=sum(a.landing.size for a in group),
        )
        for group in groups
    ]
    for chunk, group in zip(lake.ledger.plan(wanted), groups, strict=True):
        title = f"bronze chunk {chunk.number}"
        with (
            counted(lake.spark, console, title=title, photos=len(group)) as count,
            photos.arrived(
                lake.spark,
                landing,
                group,
                chunks=settings.chunks,
                max_bytes=settings.photos.max_bytes,
                admission=photos.Admission.of(keys, tombstones=tombstones),
                count=count,
            ) as arrived,
        ):
            lake.staging.write(chunk, "arrived", arrived)
        _publish(lake, lake.ledger.reached(chunk, ChunkState.STAGED), did=did)


def finish(lake: Lake, *, did: LayerRun) -> None:
    """Publishes what an earlier run left staged."""
    for chunk in unfinished(lake.ledger.chunks().values(), layer="bronze"):
        _publish(lake, chunk, did=did)


def _barred(
    arrivals: Sequence[Arrival], *, keys: Pseudonyms, tombstones: frozenset[str]
) -> Sequence[Arrival]:
    """The arrivals, those of erased subjects marked."""
    subjects = {arrival.subject for arrival in arrivals if arrival.subject}
    erased = {subject for subject in subjects if keys.tombstone(subject) in tombstones}
    return [arrival.tombstoned() if arrival.subject in erased else arrival for arrival in arrivals]


def _unseen(lake: Lake, landing: Landing, *, keys: Pseudonyms, did: LayerRun) -> Sequence[Arrival]:
    """The object versions that bronze/objects doesn't know, by (upload time, path)."""
    listing = landing.listing()
    listed = [
        arrival(found, position=place, keys=keys) for place, found in enumerate(listing.objects)
    ]
    if not listed:
        did.notes.append(f"{landing.root} holds no objects: put photos there.")
    if listing.closed_folders:
        did.notes.append(
            f"{listing.closed_folders:,} folders under {landing.root} can't be listed: grant permission, "
            f"and the next run takes up what they hold."
        )
    found = photos.unseen(photos.listing(lake.spark, listed), lake.read(catalog.OBJECTS)).collect()
    new = [listed[row["position"]] for row in found if not row["was_unreadable"]]
    tried = [listed[row["position"]] for row in found if row["was_unreadable"]]
    mended = [arrival for arrival in tried if landing.is_readable(arrival.landing)]
    if len(mended) < len(tried):
        did.notes.append(
            f"{len(tried) - len(mended):,} objects that were rejected as unreadable still are: grant "
            f"permission, and the next run takes them up."
        )
    arrivals = sorted(new + mended, key=lambda arrival: arrival.position)
    did.measure(metric_names.LAG, _age(arrivals[0]) if arrivals else 0.0)
    return arrivals


def _age(oldest: Arrival) -> float:
    """Seconds since the object arrived; 0 for one of a clock that is ahead."""
    return max(0.0, time.time() - oldest.landing.modified_ns / 1e9)


def _publish(lake: Lake, chunk: Chunk, *, did: LayerRun) -> None:
    """A staged chunk to bronze's tables; `bronze/objects` last: what it knows is never read again."""
    arrived = lake.staging.read(chunk, "arrived")
    before = lake.read(catalog.OBJECTS, chunks=(0, chunk.number - 1))
    outcomes = photos.outcomes(arrived, before).persist()
    by_outcome = counts(outcomes, "outcome")
    stored = by_outcome.get(photos.STORED, 0)
    versions = {}
    if stored:
        kept = photos.photos(arrived, outcomes)
        versions[catalog.PHOTOS.name] = lake.append(catalog.PHOTOS, kept, chunk=chunk)
        fault_points.at("bronze: photos appended")
    if by_outcome.get(photos.REJECTED):
        rejected = photos.rejected(arrived)
        versions[catalog.REJECTED.name] = lake.append(catalog.REJECTED, rejected, chunk=chunk)
        fault_points.at("bronze: rejected appended")
        did.refuse(counts(rejected, "reason"))
    versions[catalog.OBJECTS.name] = lake.append(catalog.OBJECTS, outcomes, chunk=chunk)
    fault_points.at("bronze: objects appended")
    outcomes.unpersist()
    lake.ledger.reached(chunk, ChunkState.PUBLISHED, photos=stored, versions=versions)
    lake.staging.remove(chunk)
    did.add({"in": sum(by_outcome.values()), "kept": stored, **by_outcome})
