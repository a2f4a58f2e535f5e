"""Retention: what is past its longest age, or was put off until now, goes.

Everything that was made from a photo goes with it. Of the object that brought it bronze keeps that it was
seen, so that a landing folder that holds it still does not bring it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.photos import DUPLICATE, EXPIRED, REJECTED, STORED
from conf.errors import LeftBehind
from conf.settings import Settings
from lake import catalog, faults
from lake.catalog import Table
from lake.chunks import Chunk, State
from lake.files import Folder
from lake.lake import RETAIN, Lake
from privacy import erasures, records, removal, tombstones
from privacy.desk import Desk, moved

JOURNALS = {
    catalog.RUNS: "finished_at",
    catalog.DRIFT: "measured_at",
    catalog.QUALITY: "judged_at",
}
"""The journals that have a longest age, and the time that tells a row's. ops/chunks has none: it knows what
was taken."""

MADE = (catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.FEATURES, catalog.HELD_OUT)
"""What is made from a photo."""


@dataclass(frozen=True)
class Passed:
    """What of one place is past its age: `held` rows, files or requests, all from before a time."""

    place: str
    age: str
    before: datetime
    held: int
    unit: str = "rows"


def passed(lake: Lake, settings: Settings, *, now: datetime) -> list[Passed]:
    """What `retain` would remove at a time. Changes nothing."""
    ages = settings.retention
    found: list[Passed] = []
    if ages.photos:
        before = moved(lake, now, ages.photos, back=True)
        old = _older(lake, catalog.PHOTOS, "ingested_at", before)
        found.append(Passed(catalog.PHOTOS.name, ages.photos, before, old.count()))
        if found[-1].held:
            keys = F.broadcast(old.select("photo_id"))
            made = {t: lake.read(t).join(keys, "photo_id", "left_semi").count() for t in MADE}
            found += [Passed(t.name, ages.photos, before, held) for t, held in made.items()]
    if ages.rejected:
        before = moved(lake, now, ages.rejected, back=True)
        rows = _older(lake, catalog.REJECTED, "rejected_at", before)
        found.append(Passed(catalog.REJECTED.name, ages.rejected, before, rows.count()))
    if ages.journals:
        before = moved(lake, now, ages.journals, back=True)
        for table, time in JOURNALS.items():
            rows = _older(lake, table, time, before)
            found.append(Passed(table.name, ages.journals, before, rows.count()))
    if ages.audits:
        before = moved(lake, now, ages.audits, back=True)
        held = len(_audits(lake.files, before))
        found.append(Passed(records.FOLDER, ages.audits, before, held, "files"))
    lapsed = tombstones.lapsed(lake, now=now).count()
    found.append(Passed(catalog.TOMBSTONES.name, "expired or lifted", now, lapsed))
    due = len(erasures.due(lake, now=now))
    found.append(Passed(catalog.ERASURES.name, "due", now, due, "requests"))
    return found


def old_files(lake: Lake, settings: Settings, *, now: datetime, hours: float) -> list[Passed]:
    """The files that no version within `delta.deleted_file_retention` has, by table, where there are any."""
    age = settings.delta.deleted_file_retention
    before = moved(lake, now, age, back=True)
    found = {table: lake.unneeded(table, hours=hours) for table in catalog.TABLES}
    return [
        Passed(table.name, age, before, len(files), "old files")
        for table, files in found.items()
        if files
    ]


def expire(desk: Desk) -> list[Passed]:
    """Removes the rows and records that are past their age; returns what they were.

    Where it dies, the same call goes on. Raises Blocked (a chunk that is half published can't be finished),
    Busy.
    """
    lake = desk.lake
    desk.finish_half_published()
    found = passed(lake, desk.settings, now=desk.now)
    gone = {each.place: each for each in found if each.held}
    if photos := gone.get(catalog.PHOTOS.name):
        _expire_photos(lake, photos.before)
    if rejected := gone.get(catalog.REJECTED.name):
        _expire_rejected(lake, rejected.before)
    for table, time in JOURNALS.items():
        if journal := gone.get(table.name):
            _delete(lake, table, time, journal.before)
    if audits := gone.get(records.FOLDER):
        for name in _audits(lake.files, audits.before):
            lake.files.delete(f"{records.FOLDER}/{name}")
    if catalog.TOMBSTONES.name in gone:
        tombstones.drop_lapsed(lake, now=desk.now)
    return found


def free(desk: Desk) -> list[Passed]:
    """Removes the files that are past the retention; returns how many of each table went.

    Raises LeftBehind, naming what could not be deleted.
    """
    lake, went, left = desk.lake, [], []
    for each in old_files(lake, desk.settings, now=desk.now, hours=desk.hours):
        [table] = [table for table in catalog.TABLES if table.name == each.place]
        files = lake.unneeded(table, hours=desk.hours)
        lake.vacuum(table, hours=desk.hours)
        still = [path for path in files if path.exists()]
        left += still
        went.append(replace(each, held=len(files) - len(still)))
        faults.at("retain: a table vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} old files could not be deleted: {', '.join(sorted(map(str, left)))}. Give this "
            f"process the right to, and run retain again."
        )
    return went


def _expire_photos(lake: Lake, before: datetime) -> None:
    """What was made from the photos goes first and they themselves last: by them the rest is found."""
    old = _older(lake, catalog.PHOTOS, "ingested_at", before).select("photo_id")
    removal.leave(lake, old, layer=RETAIN)
    objects = lake.read(catalog.OBJECTS).where(F.col("outcome").isin(STORED, DUPLICATE))
    _forget(lake, objects.join(F.broadcast(old), "photo_id", "left_semi"))
    _delete(lake, catalog.PHOTOS, "ingested_at", before)
    removal.recount(lake)
    faults.at("retain: chunks counted")


def _expire_rejected(lake: Lake, before: datetime) -> None:
    old = _older(lake, catalog.REJECTED, "rejected_at", before).select("object", "chunk")
    objects = lake.read(catalog.OBJECTS).where(F.col("outcome") == REJECTED)
    _forget(lake, objects.join(F.broadcast(old), ["object", "chunk"], "left_semi"))
    _delete(lake, catalog.REJECTED, "rejected_at", before)


def _forget(lake: Lake, objects: DataFrame) -> None:
    """Of rows of bronze/objects only that the version was seen is kept: not whose it was, nor which photo."""
    nobody = F.lit(None).cast("string")
    changed = objects.withColumns(
        {"outcome": F.lit(EXPIRED), "subject": nobody, "photo_id": nobody}
    )
    [chunk] = lake.ledger.plan([Chunk(0, RETAIN, State.PLANNED)])
    lake.upsert(catalog.OBJECTS, changed, keys=["object", "etag"], chunk=chunk)
    faults.at("retain: objects forgotten")


def _older(lake: Lake, table: Table, time: str, before: datetime) -> DataFrame:
    return lake.read(table).where(_is_older(time, before))


def _delete(lake: Lake, table: Table, time: str, before: datetime) -> None:
    [chunk] = lake.ledger.plan([Chunk(0, RETAIN, State.PLANNED)])
    lake.delete(table, _is_older(time, before), chunk=chunk)
    faults.at(f"retain: {table.name} gone")


def _is_older(time: str, before: datetime) -> str:
    return f"{time} < timestamp '{before.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'"


def _audits(files: Folder, before: datetime) -> list[str]:
    """The records of audits that were asked before a time, which their names begin with."""
    return [
        name
        for name in files.names(records.FOLDER, suffix=".json")
        if records.asked_at(name) < before
    ]
