"""What landing objects say that their photos show, and which photos get another label by it.

Each row of bronze/objects of a photo says what its object told by the rule for labels. Several objects may
have the same bytes, and so one photo. While those in the landing folder tell several labels, or one that the
photo has not, their rows keep their paths. The row of an object that contradicts its photo and has left the
folder has the time when that was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bronze.labels import GivenLabel
from bronze.landing import Arrival, ListingCounts
from bronze.listed_objects import ListedObjects
from lake import catalog, delta_rs_reader
from lake.enums import Outcome
from lake.readable_lake import Lake
from lake.run_journal import LayerRun

CLAIM = ("label", "split")
"""The columns of bronze/objects that say what an object told: empty where it told nothing, and null where
earlier code wrote the row."""

MARKS = ("path", "left_at")
"""The columns of bronze/objects that are null but of photos that an object contradicts, or did."""

MOST_CHUNKS = 32
"""The most chunks whose files are found one by one."""

Lying = Mapping[tuple[str, str], Arrival]
"""The objects that lie in the landing folder, by key and etag."""


@dataclass(frozen=True)
class Corrections:
    """What the objects in the landing folder change in a lake.

    `photos` have the columns photo_id, label and split of photos that get other ones, and `objects` are whole
    rows of bronze/objects. `changes` counts the pairs of a label before and after. `conflicts` is the number
    of photos that objects in the landing folder contradict afterwards.
    """

    photos: Sequence[Mapping[str, Any]] = ()
    objects: Sequence[Mapping[str, Any]] = ()
    changes: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    conflicts: int = 0


def record(outcomes: Iterable[MutableMapping[str, Any]], held: Mapping[str, GivenLabel]) -> None:
    """Complete rows of bronze/objects, which have the label, split and path of their objects.

    Only the path of an object stays that contradicts its photo. `held` are the labels of photos that the lake
    has, by photo_id; those that the rows store are known by the rows before.
    """
    kept = dict(held)
    for row in outcomes:
        told = GivenLabel(row["label"], row["split"])
        photo = row["photo_id"]
        if row["outcome"] == Outcome.STORED:
            kept[photo] = told
        is_duplicate = row["outcome"] == Outcome.DUPLICATE
        if not (is_duplicate and _contradicts(told, kept.get(photo, told))):
            row["path"] = None
        for name in CLAIM:
            row[name] = None if photo is None else row[name] or ""


def corrections(lake: Lake, listed: ListedObjects, *, now: datetime) -> Corrections:
    """Return what follows from the objects of which a row says that it contradicts its photo.

    What an object told when it was taken in counts.
    """
    marked = pc.field("path").is_valid() | pc.field("left_at").is_valid()
    rows = lake.batches(catalog.OBJECTS, columns=["photo_id"], where=marked)
    photos = {each for batch in rows for each in batch.column(0).to_pylist()} - {None}
    return _decided(lake, photos, listed, by_rule=False, now=now)


def corrections_by_rule(lake: Lake, listed: ListedObjects, *, now: datetime) -> Corrections:
    """Return what follows if each object in the landing folder tells what the rule of now says of it.

    An object of which the rule says nothing tells what it told before. All objects are in memory meanwhile.
    """
    there, held, photos = lying_there(listed.arrivals()), labels_of(lake), set[str]()
    columns = ["object", "etag", "photo_id", "outcome", *CLAIM, *MARKS]
    for batch in lake.batches(catalog.OBJECTS, columns=columns):
        for row in batch.to_pylist():
            if (label := held.get(row["photo_id"])) is None:
                continue
            told = _told(row, there.get((row["object"], row["etag"])), label, by_rule=True)
            is_known = told == _recorded(row) and not _contradicts(told, label)
            if not is_known or any(row[name] for name in MARKS):
                photos.add(row["photo_id"])
    return _decided(lake, photos, listed, by_rule=True, now=now)


def lying_there(arrivals: Iterable[Arrival]) -> Lying:
    """Return the objects in the landing folder whose paths tell something of their photos."""
    told = (each for each in arrivals if not (each.is_tombstoned or each.is_uncertain))
    return {(each.key, each.landing.etag): each for each in told}


def labels_of(
    lake: Lake, photos: Collection[str] | Mapping[str, int] | None = None
) -> dict[str, GivenLabel]:
    """Return the labels and splits of the photos of a lake, or of those of some that it has, by photo_id.

    Where the numbers of their chunks are known, too, only files that have rows of these are read.
    """
    if photos is not None and not photos:
        return {}
    wanted = photos and pc.field("photo_id").isin(pa.array(sorted(photos), pa.string()))
    if isinstance(photos, Mapping):
        wanted &= _of_chunks(set(photos.values()))
    columns = ["photo_id", *CLAIM]
    return {
        row["photo_id"]: GivenLabel(row["label"], row["split"])
        for batch in lake.batches(catalog.PHOTOS, columns=columns, where=wanted)
        for row in batch.to_pylist()
    }


def _of_chunks(numbers: Collection[int]) -> pc.Expression:
    """Return the condition that a row is of one of some chunks, or lies between the first and the last of
    many."""
    if len(numbers) > MOST_CHUNKS:
        return delta_rs_reader.of_chunks(min(numbers), max(numbers))
    return reduce(or_, (pc.field("chunk") == number for number in sorted(numbers)))


def can_be_judged(listing: ListingCounts, did: LayerRun) -> bool:
    """Return whether a whole listing shows which objects have left; note it where it doesn't."""
    if listing.closed_folders:
        did.notes.append(
            f"No photo got another label, because {listing.closed_folders:,} folders can't be listed: its "
            f"object may lie there."
        )
    return not listing.closed_folders


def note_told_otherwise(objects: int, did: LayerRun) -> None:
    """Note how many objects in the landing folder tell another label than the lake knows of them."""
    if objects:
        did.notes.append(
            f"{objects:,} objects tell a label, or a split, by the settings or the file of labels of now "
            f"that the lake doesn't know of them; run.py replay --labels gives it to their photos."
        )


def _decided(
    lake: Lake, photos: Collection[str], listed: ListedObjects, *, by_rule: bool, now: datetime
) -> Corrections:
    """Read the object versions of some photos, and return what follows for these."""
    if not photos:
        return Corrections()
    of_photos = pc.field("photo_id").isin(pa.array(sorted(photos), pa.string()))
    columns, versions = catalog.OBJECTS.column_names, dict[str, list[dict[str, Any]]]()
    for batch in lake.batches(catalog.OBJECTS, columns=columns, where=of_photos):
        for row in batch.to_pylist():
            versions.setdefault(row["photo_id"], []).append(row)
    objects = {row["object"] for rows in versions.values() for row in rows}
    there = lying_there(listed.of(objects))
    return decided(versions, labels_of(lake, photos), there, by_rule=by_rule, now=now)


def decided(
    versions: Mapping[str, Sequence[Mapping[str, Any]]],
    held: Mapping[str, GivenLabel],
    there: Lying,
    *,
    by_rule: bool,
    now: datetime,
) -> Corrections:
    """Return what follows for photos with their rows of bronze/objects (`versions`) and labels (`held`).

    A photo keeps its label while an object that lies there tells it, or none tells one, or they differ. Else
    it gets the one label that they tell. The same holds of its split. With `by_rule`, objects that lie there
    tell what the rule of now says, and not what they told before.
    """
    photos, objects = [], []
    changes, conflicts = Counter[tuple[str | None, str | None]](), 0
    for photo, rows in sorted(versions.items()):
        if (before := held.get(photo)) is None:
            continue
        lying = [there.get((row["object"], row["etag"])) for row in rows]
        told = [
            _told(row, arrival, before, by_rule=by_rule)
            for row, arrival in zip(rows, lying, strict=True)
        ]
        claims = [claim for claim, arrival in zip(told, lying, strict=True) if arrival and claim]
        after = GivenLabel(*(_kept(*each) for each in zip(before, *claims, strict=True)))
        if after != before:
            photos.append({"photo_id": photo, **after._asdict()})
            changes[before.label, after.label] += before.label != after.label
        is_conflict = any(_contradicts(claim, after) for claim in claims)
        marked = [
            _marked(*each, after=after, is_conflict=is_conflict, now=now)
            for each in zip(rows, told, lying, strict=True)
        ]
        conflicts += is_conflict
        objects += [new for new, old in zip(marked, rows, strict=True) if new != old]
    return Corrections(photos, objects, +changes, conflicts)


def _told(
    row: Mapping[str, Any], arrival: Arrival | None, held: GivenLabel, *, by_rule: bool
) -> GivenLabel | None:
    """Return what an object tells of a photo with the label `held`, empty where that is nothing; None where
    nobody knows. `arrival` is the object where it lies in the landing folder.

    Where earlier code wrote its row, an object that was stored told the photo's label, and any other one
    tells what the rule of now says.
    """
    recorded = _recorded(row)
    if recorded is None and row["outcome"] == Outcome.STORED:
        recorded = GivenLabel(held.label or "", held.split or "")
    if arrival is None or not (by_rule or recorded is None):
        return recorded
    label, split = recorded or ("", "")
    return GivenLabel(arrival.label or label, arrival.split or split)


def _recorded(row: Mapping[str, Any]) -> GivenLabel | None:
    """Return what an object told when it was taken in; None where earlier code wrote the row."""
    return None if row["label"] is None else GivenLabel(row["label"], row["split"] or "")


def _kept(held: str | None, *told: str | None) -> str | None:
    """Return the label, or the split, of a photo that objects which lie there tell something of."""
    claims = {each for each in told if each}
    if held in claims or len(claims) != 1:
        return held
    return claims.pop()


def _contradicts(told: GivenLabel | None, held: GivenLabel) -> bool:
    """Return whether an object tells another label, or another split, than its photo has."""
    return any(each and each != kept for each, kept in zip(told or (), held, strict=False))


def _marked(
    row: Mapping[str, Any],
    told: GivenLabel | None,
    arrival: Arrival | None,
    *,
    after: GivenLabel,
    is_conflict: bool,
    now: datetime,
) -> dict[str, Any]:
    """Return a row of bronze/objects with what its object tells, and the marks of a contradiction."""
    has_left = arrival is None and _contradicts(told, after)
    return {
        **row,
        **(told._asdict() if told else {}),
        "path": arrival.stored_path if arrival and is_conflict and any(told or ()) else None,
        "left_at": (row["left_at"] or now) if has_left else None,
    }
