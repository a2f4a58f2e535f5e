"""What landing objects say that their photos show, and which photos get another label by it.

Each row of bronze/objects of a photo says what its object told by the rule for labels. Several objects may
have the same bytes, and so one photo. Where one contradicts the photo while it lies in the landing folder,
its row keeps its `path`, and where such an object has left the folder, the time when that was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bronze.labels import GivenLabel, is_well_formed
from bronze.landing import Arrival, Listing
from lake import catalog
from lake.enums import Outcome
from lake.readable_lake import Lake
from lake.run_journal import LayerRun

CLAIM = ("label", "split")
"""The columns of bronze/objects that say what an object told: empty where it told nothing, and null where
earlier code wrote the row."""

MARKS = ("path", "left_at")
"""The columns of bronze/objects that are null but where an object contradicts its photo."""

Listed = Mapping[tuple[str, str], Arrival]
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


def corrections(lake: Lake, arrivals: Sequence[Arrival], *, now: datetime) -> Corrections:
    """Return what follows from the objects of which a row says that it contradicts its photo.

    `arrivals` are all objects in the landing folder. What an object told when it was taken in counts.
    """
    marked = pc.field("path").is_valid() | pc.field("left_at").is_valid()
    rows = lake.batches(catalog.OBJECTS, columns=["photo_id"], where=marked)
    photos = {each for batch in rows for each in batch.column(0).to_pylist()} - {None}
    return _decided(lake, photos, listed(arrivals) if photos else {}, by_rule=False, now=now)


def corrections_by_rule(lake: Lake, arrivals: Sequence[Arrival], *, now: datetime) -> Corrections:
    """Return what follows if each object in the landing folder tells what the rule of now says of it."""
    there, photos = listed(arrivals), set[str]()
    columns = ["object", "etag", "photo_id", *CLAIM, *MARKS]
    for batch in lake.batches(catalog.OBJECTS, columns=columns):
        for row in batch.to_pylist():
            arrival = there.get((row["object"], row["etag"]))
            is_told_otherwise = arrival is not None and _claim(arrival) != _recorded(row)
            if row["photo_id"] and (is_told_otherwise or any(row[name] for name in MARKS)):
                photos.add(row["photo_id"])
    return _decided(lake, photos, there, by_rule=True, now=now)


def listed(arrivals: Iterable[Arrival]) -> Listed:
    """Return the objects in the landing folder whose paths tell something of their photos."""
    told = (each for each in arrivals if not (each.is_tombstoned or each.is_uncertain))
    return {(each.key, each.landing.etag): each for each in told}


def labels_of(lake: Lake, photos: Collection[str]) -> dict[str, GivenLabel]:
    """Return the labels and splits of those of some photos that bronze/photos has, by photo_id."""
    if not photos:
        return {}
    wanted = pc.field("photo_id").isin(pa.array(sorted(photos), pa.string()))
    columns = ["photo_id", *CLAIM]
    return {
        row["photo_id"]: GivenLabel(row["label"], row["split"])
        for batch in lake.batches(catalog.PHOTOS, columns=columns, where=wanted)
        for row in batch.to_pylist()
    }


def can_be_judged(listing: Listing, did: LayerRun) -> bool:
    """Return whether a listing shows which objects have left; note it where it doesn't."""
    if listing.closed_folders:
        did.notes.append(
            f"No photo got another label, because {listing.closed_folders:,} folders can't be listed: its "
            f"object may lie there."
        )
    return not listing.closed_folders


def note_told_otherwise(objects: int, did: LayerRun) -> None:
    """Note how many objects in the landing folder tell another label than when they were taken in."""
    if objects:
        did.notes.append(
            f"{objects:,} objects tell another label, or another split, by the settings or the file of "
            f"labels of now; run.py replay --labels gives it to their photos."
        )


def _decided(
    lake: Lake, photos: Collection[str], there: Listed, *, by_rule: bool, now: datetime
) -> Corrections:
    """Read the object versions of some photos, and return what follows for these."""
    if not photos:
        return Corrections()
    of_photos = pc.field("photo_id").isin(pa.array(sorted(photos), pa.string()))
    columns, versions = catalog.OBJECTS.column_names, dict[str, list[dict[str, Any]]]()
    for batch in lake.batches(catalog.OBJECTS, columns=columns, where=of_photos):
        for row in batch.to_pylist():
            versions.setdefault(row["photo_id"], []).append(row)
    return decided(versions, labels_of(lake, photos), there, by_rule=by_rule, now=now)


def decided(
    versions: Mapping[str, Sequence[Mapping[str, Any]]],
    held: Mapping[str, GivenLabel],
    there: Listed,
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
        told, lying = [], []
        for row in rows:
            arrival = there.get((row["object"], row["etag"]))
            lying.append(arrival)
            is_by_rule = arrival is not None and (by_rule or row["label"] is None)
            told.append(_claim(arrival) if is_by_rule and arrival else _recorded(row))
        claims = [claim for claim, arrival in zip(told, lying, strict=True) if arrival and claim]
        after = GivenLabel(*(_kept(*each) for each in zip(before, *claims, strict=True)))
        if after != before:
            photos.append({"photo_id": photo, **after._asdict()})
            changes[before.label, after.label] += before.label != after.label
        marked = [
            _marked(*each, after=after, now=now) for each in zip(rows, told, lying, strict=True)
        ]
        conflicts += any(row["path"] is not None for row in marked)
        objects += [new for new, old in zip(marked, rows, strict=True) if new != old]
    return Corrections(photos, objects, +changes, conflicts)


def _claim(arrival: Arrival) -> GivenLabel:
    """Return what an object tells by the rule of now, empty where it tells nothing."""
    return GivenLabel(arrival.label or "", arrival.split or "")


def _recorded(row: Mapping[str, Any]) -> GivenLabel | None:
    """Return what an object told when it was taken in; None where earlier code wrote the row."""
    return None if row["label"] is None else GivenLabel(row["label"], row["split"] or "")


def _kept(held: str | None, *told: str | None) -> str | None:
    """Return the label, or the split, of a photo that objects which lie there tell something of."""
    claims = {each for each in told if each}
    if held in claims or len(claims) != 1:
        return held
    [claim] = claims
    return claim if is_well_formed(claim) else held


def _contradicts(told: GivenLabel | None, held: GivenLabel) -> bool:
    """Return whether an object tells another label, or another split, than its photo has."""
    return any(each and each != kept for each, kept in zip(told or (), held, strict=False))


def _marked(
    row: Mapping[str, Any],
    told: GivenLabel | None,
    arrival: Arrival | None,
    *,
    after: GivenLabel,
    now: datetime,
) -> dict[str, Any]:
    """Return a row of bronze/objects with what its object tells, and the marks of a contradiction."""
    is_against = _contradicts(told, after)
    return {
        **row,
        **(told._asdict() if told else {}),
        "path": arrival.stored_path if is_against and arrival else None,
        "left_at": (row["left_at"] or now) if is_against and not arrival else None,
    }
