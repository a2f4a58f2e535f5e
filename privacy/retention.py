"""Retention: what is past its longest age, or was put off until now, goes.

Everything that was made from a photo goes with it. Of the object that brought it bronze keeps that it was
seen, so that a landing folder that holds it still does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import LeftBehind
from conf.settings import Settings
from lake import catalog, fault_points
from lake.catalog import Table
from lake.chunks import ChunkPlan
from lake.column_values import RETAIN, Outcome
from lake.context import Context
from lake.readable_lake import Lake
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from privacy import row_removal, tombstones
from privacy.audit import audit_records
from privacy.audit.table_findings import TIMES
from privacy.due_dates import hours_to_keep, moved
from privacy.erasure import request_journal
from privacy.unfinished_chunks import finish_half_published

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
class PastAge:
    """What of one place is past its age: `held` rows, files or requests, all from before a time."""

    place: str
    age: str
    before: datetime
    held: int
    unit: str = "rows"


def past_age(lake: Lake, settings: Settings, *, now: datetime) -> list[PastAge]:
    """What `retain` would remove at a time. Changes nothing."""
    ages = settings.retention
    by_table = {
        catalog.PHOTOS: ages.photos,
        catalog.REJECTED: ages.rejected,
        **dict.fromkeys(JOURNALS, ages.journals),
    }
    # A time moved is a query: one for each age.
    set_ages = {age for age in (*by_table.values(), ages.audits) if age}
    times = {age: moved(lake, now, age, back=True) for age in set_ages}
    found: list[PastAge] = []
    for table, age in by_table.items():
        if not age:
            continue
        old = _older(lake, table, times[age])
        found.append(PastAge(table.name, age, times[age], old.count()))
        if table is catalog.PHOTOS and found[-1].held:
            keys = F.broadcast(old.select("photo_id"))
            made = {t: lake.read(t).join(keys, "photo_id", "left_semi").count() for t in MADE}
            found += [PastAge(t.name, age, times[age], held) for t, held in made.items()]
    if ages.audits:
        before = times[ages.audits]
        held = len(_audits(lake.files, before))
        found.append(PastAge(audit_records.FOLDER, ages.audits, before, held, "files"))
    lapsed = tombstones.lapsed(lake, now=now).count()
    found.append(PastAge(catalog.TOMBSTONES.name, "expired or lifted", now, lapsed))
    due = len(request_journal.due(lake, now=now))
    found.append(PastAge(catalog.ERASURES.name, "due", now, due, "requests"))
    return found


def old_files(lake: Lake, settings: Settings, *, now: datetime) -> list[PastAge]:
    """How many files no version within `delta.deleted_file_retention` has, by table, where there are any."""
    age = settings.delta.deleted_file_retention
    before = moved(lake, now, age, back=True)
    hours = hours_to_keep(lake, settings, now=now)
    return [
        PastAge(table.name, age, before, len(files), "old files")
        for table, files in _unneeded(lake, hours=hours)
    ]


def expire(context: Context) -> list[PastAge]:
    """Removes the rows and records that are past their age; returns what they were.

    Where it dies, the same call goes on. Raises Blocked (a chunk that is half published can't be finished),
    Busy.
    """
    lake = context.lake
    finish_half_published(context)
    found = past_age(lake, context.settings, now=context.now)
    gone = {each.place: each for each in found if each.held}
    if photos := gone.get(catalog.PHOTOS.name):
        _expire_photos(lake, photos.before)
    if rejected := gone.get(catalog.REJECTED.name):
        _expire_rejected(lake, rejected.before)
    for table in JOURNALS:
        if journal := gone.get(table.name):
            _delete(lake, table, journal.before)
    if audits := gone.get(audit_records.FOLDER):
        for name in _audits(lake.files, audits.before):
            lake.files.delete(f"{audit_records.FOLDER}/{name}")
    if catalog.TOMBSTONES.name in gone:
        tombstones.drop_lapsed(lake, now=context.now)
    return found


def free(context: Context) -> list[PastAge]:
    """Removes the files that are past the retention; returns how many of each table went.

    Raises LeftBehind, naming what could not be deleted.
    """
    lake = context.lake
    went: list[PastAge] = []
    left: list[str] = []
    age = context.settings.delta.deleted_file_retention
    before = moved(lake, context.now, age, back=True)
    hours = hours_to_keep(lake, context.settings, now=context.now)
    for table, files in _unneeded(lake, hours=hours):
        lake.vacuum(table, hours=hours)
        still = files & lake.files.current(table.name).keys()
        left += map(lake.files.uri, still)
        went.append(PastAge(table.name, age, before, len(files) - len(still), "old files"))
        fault_points.at("retain: a table vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} old files could not be deleted: {', '.join(sorted(left))}. Give this "
            f"process the right to, and run retain again."
        )
    return went


def _expire_photos(lake: WritableLake, before: datetime) -> None:
    """What was made from the photos goes first and they themselves last: by them the rest is found."""
    old = _older(lake, catalog.PHOTOS, before).select("photo_id")
    row_removal.leave(lake, old, layer=RETAIN)
    objects = lake.read(catalog.OBJECTS).where(
        F.col("outcome").isin(Outcome.STORED, Outcome.DUPLICATE)
    )
    _forget(lake, objects.join(F.broadcast(old), "photo_id", "left_semi"))
    _delete(lake, catalog.PHOTOS, before)
    row_removal.recount(lake, catalog.PHOTOS)
    fault_points.at("retain: chunks counted")


def _expire_rejected(lake: WritableLake, before: datetime) -> None:
    old = _older(lake, catalog.REJECTED, before).select("object", "chunk")
    objects = lake.read(catalog.OBJECTS).where(F.col("outcome") == Outcome.REJECTED)
    _forget(lake, objects.join(F.broadcast(old), ["object", "chunk"], "left_semi"))
    _delete(lake, catalog.REJECTED, before)


def _forget(lake: WritableLake, objects: DataFrame) -> None:
    """Of rows of bronze/objects only that the version was seen is kept: not whose it was, nor which photo."""
    nobody = F.lit(None).cast("string")
    changed = objects.withColumns(
        {"outcome": F.lit(Outcome.EXPIRED), "subject": nobody, "photo_id": nobody}
    )
    [chunk] = lake.ledger.plan([ChunkPlan(layer=RETAIN)])
    lake.upsert(catalog.OBJECTS, changed, keys=["object", "etag"], chunk=chunk)
    fault_points.at("retain: objects forgotten")


def _older(lake: Lake, table: Table, before: datetime) -> DataFrame:
    return lake.read(table).where(_is_older(table, before))


def _delete(lake: WritableLake, table: Table, before: datetime) -> None:
    [chunk] = lake.ledger.plan([ChunkPlan(layer=RETAIN)])
    lake.delete(table, _is_older(table, before), chunk=chunk)
    fault_points.at(f"retain: {table.name} gone")


def _is_older(table: Table, before: datetime) -> str:
    time = TIMES.get(table) or JOURNALS[table]
    return f"{time} < timestamp '{before.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'"


def _unneeded(lake: Lake, *, hours: float) -> Iterator[tuple[Table, set[str]]]:
    """The tables with files that no version younger than so many hours has, and these."""
    for table in catalog.TABLES:
        if files := lake.unneeded_files(table, hours=hours):
            yield table, files


def _audits(files: Folder, before: datetime) -> list[str]:
    """The records of audits that were asked before a time, which their names begin with."""
    return [
        name
        for name in files.names(audit_records.FOLDER, suffix=".json")
        if audit_records.asked_at(name) < before
    ]
