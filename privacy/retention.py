"""Retention: rows, records and files that are past their longest age, or whose removal is due, are removed.

Everything that was made from a photo is removed with it. bronze/objects keeps the fact that the photo's
object was seen, so that an object which still lies in the landing folder is not taken in again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import LeftBehind
from conf.settings import Settings
from lake import catalog, fault_points, known_keys, lake_format
from lake.catalog import Table
from lake.chunks import ChunkPlan
from lake.context import Context
from lake.enums import RETAIN, Outcome
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from privacy import photo_removal, tombstones
from privacy.audit import audit_log
from privacy.audit.table_findings import TIMES
from privacy.erasure import request_journal
from privacy.erasure.unreferenced_files import has_others, in_batches, remove_unneeded
from privacy.finish_chunks import finish_half_published
from privacy.retention_dates import hours_to_keep, time_before

JOURNALS = {
    catalog.RUNS: "finished_at",
    catalog.DRIFT: "measured_at",
    catalog.QUALITY: "judged_at",
}
"""The journals that have a longest age, and the column from which a row's age counts. ops/chunks has no
longest age, because it is the record of what was taken in."""

OF_PHOTOS = ("subject", "photo_id", "label", "split", "path", "left_at")
"""The columns of bronze/objects that tell of the photo."""

MADE_FROM_PHOTOS = (catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.FEATURES, catalog.HELD_OUT)
"""The tables whose rows are made from photos."""


@dataclass(frozen=True)
class PastAge:
    """What one place holds that is past its age.

    `held` counts the rows, files or requests (`unit`). All of them are from before the time `before`. `age`
    is the setting, such as `3 years`, or says in a word why they are removed.
    """

    place: str
    age: str
    before: datetime
    held: int
    unit: str = "rows"


def past_age(lake: Lake, settings: Settings, *, now: datetime) -> list[PastAge]:
    """Return what `expire` would remove at the time `now`, and the erasures that are due. Changes nothing."""
    ages = settings.retention
    age_of = {
        catalog.PHOTOS: ages.photos,
        catalog.REJECTED: ages.rejected,
        **dict.fromkeys(JOURNALS, ages.journals),
    }
    set_ages = {age for age in (*age_of.values(), ages.audits) if age}
    limits = {age: time_before(now, age) for age in set_ages}
    past: list[PastAge] = []
    for table, age in age_of.items():
        if not age:
            continue
        old = _older(lake, table, limits[age])
        past.append(PastAge(table.name, age, limits[age], old.count()))
        if table is catalog.PHOTOS and past[-1].held:
            for made in MADE_FROM_PHOTOS:
                rows = lake.source(made).among(old, "photo_id")
                past.append(PastAge(made.name, age, limits[age], rows.count()))
    if ages.audits:
        before = limits[ages.audits]
        records = len(_audit_records(lake.files, before))
        past.append(PastAge(audit_log.FOLDER, ages.audits, before, records, "files"))
    lapsed = len(tombstones.lapsed(lake, now=now))
    past.append(PastAge(catalog.TOMBSTONES.name, "expired or lifted", now, lapsed))
    key = lake_format.pseudonyms_of(lake.files, settings.subjects).certificates
    due = len(request_journal.due(lake, key, now=now))
    past.append(PastAge(catalog.ERASURES.name, "due", now, due, "requests"))
    return past


def old_files(lake: Lake, settings: Settings, *, now: datetime) -> list[PastAge]:
    """Return, for each table that has any, how many files no version within the retention needs.

    The retention is the setting `delta.deleted_file_retention`, counted back from the time `now`.
    """
    age = settings.delta.deleted_file_retention
    before = time_before(now, age)
    hours = hours_to_keep(settings, now=now)
    return [
        PastAge(table.name, age, before, len(files), "old files")
        for table, files in _unneeded_files(lake, hours=hours)
    ]


def expire(context: Context) -> list[PastAge]:
    """Remove the rows and records that are past their age, and return what was found past its age.

    After a crash, the same call finishes the work. Raises Blocked where a chunk that is half published can't
    be finished, and Busy.
    """
    lake = context.lake
    finish_half_published(context)
    past = past_age(lake, context.settings, now=context.now)
    by_place = {each.place: each for each in past if each.held}
    if photos := by_place.get(catalog.PHOTOS.name):
        _expire_photos(lake, photos.before)
    if rejected := by_place.get(catalog.REJECTED.name):
        _expire_rejected(lake, rejected.before)
    for table in JOURNALS:
        if journal := by_place.get(table.name):
            _delete_older(lake, table, journal.before)
    if audits := by_place.get(audit_log.FOLDER):
        _expire_audits(lake, audits.before)
    if catalog.TOMBSTONES.name in by_place:
        tombstones.drop_lapsed(lake, now=context.now)
    return past


def free(context: Context) -> list[PastAge]:
    """Remove the files that are older than the retention, and return how many were removed of each table.

    Raises LeftBehind where files could not be deleted; the message names them. Raises Busy.
    """
    lake = context.lake
    removed: list[PastAge] = []
    left: list[str] = []
    age = context.settings.delta.deleted_file_retention
    before = time_before(context.now, age)
    hours = hours_to_keep(context.settings, now=context.now)
    for table, files in _unneeded_files(lake, hours=hours):
        not_removed = {each.name for each in remove_unneeded(lake, table, files)}
        left += map(lake.files.uri, not_removed)
        count = len(files - not_removed)
        removed.append(PastAge(table.name, age, before, count, "old files"))
        fault_points.at("retain: a table vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} old files could not be deleted: {', '.join(sorted(left))}. Give this "
            f"process the right to delete them, and run retain again."
        )
    return removed


def _expire_photos(lake: WritableLake, before: datetime) -> None:
    """Remove the photos from before a time, and all that was made from them.

    The photos are removed last, because the other rows are found by them: a call after a crash needs them.
    """
    old = _older(lake, catalog.PHOTOS, before)
    photo_removal.remove_photos(lake, old, layer=RETAIN)
    objects = lake.read(catalog.OBJECTS).where(
        F.col("outcome").isin(Outcome.STORED, Outcome.DUPLICATE)
    )
    photos = F.broadcast(old.frame().select("photo_id"))
    _forget(lake, objects.join(photos, "photo_id", "left_semi"))
    _delete_older(lake, catalog.PHOTOS, before)
    photo_removal.recount(lake, catalog.PHOTOS)
    fault_points.at("retain: chunks counted")


def _expire_audits(lake: WritableLake, before: datetime) -> None:
    """Delete the records of audits from before a time."""
    for batch in in_batches(_audit_records(lake.files, before)):
        lake.check_lease()
        for name in batch:
            lake.files.delete(f"{audit_log.FOLDER}/{name}")


def _expire_rejected(lake: WritableLake, before: datetime) -> None:
    """Remove the rows of bronze/rejected from before a time, and forget their objects."""
    old = _older(lake, catalog.REJECTED, before).frame().select("object", "chunk")
    objects = lake.read(catalog.OBJECTS).where(F.col("outcome") == Outcome.REJECTED)
    _forget(lake, objects.join(F.broadcast(old), ["object", "chunk"], "left_semi"))
    _delete_older(lake, catalog.REJECTED, before)


def _forget(lake: WritableLake, objects: DataFrame) -> None:
    """Remove the subject, the photo and what it shows from rows of bronze/objects. The rows keep that the
    version was seen."""
    forgotten = objects.withColumns(
        {"outcome": F.lit(Outcome.EXPIRED), **dict.fromkeys(OF_PHOTOS, F.lit(None))}
    )
    [chunk] = lake.ledger.plan([ChunkPlan(layer=RETAIN)])
    lake.upsert(catalog.OBJECTS, forgotten, keys=["object", "etag"], chunk=chunk)
    known_keys.forget(lake, layer=RETAIN)
    fault_points.at("retain: objects forgotten")


def _older(lake: Lake, table: Table, before: datetime) -> RowSource:
    """Return the rows of a table that are from before a time."""
    return lake.source(table).before(_time(table), before)


def _delete_older(lake: WritableLake, table: Table, before: datetime) -> None:
    """Delete the rows of a table that are from before a time."""
    [chunk] = lake.ledger.plan([ChunkPlan(layer=RETAIN)])
    lake.delete(table, _is_older(table, before), chunk=chunk)
    fault_points.at(f"retain: {table.name} gone")


def _time(table: Table) -> str:
    """Return the column from which the age of a table's rows counts."""
    return TIMES.get(table) or JOURNALS[table]


def _is_older(table: Table, before: datetime) -> str:
    """Return the SQL condition that holds for the rows of a table from before a time."""
    return f"{_time(table)} < timestamp '{before.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'"


def _unneeded_files(lake: Lake, *, hours: float) -> Iterator[tuple[Table, set[str]]]:
    """Yield each table that has files which no version of the last `hours` hours needs, and their names."""
    for table in lake.tables():
        # Delta's own search is a Spark job; most tables have nothing that it could find.
        if has_others(lake, table, hours=hours) and (
            files := lake.unneeded_files(table, hours=hours)
        ):
            yield table, files


def _audit_records(files: Folder, before: datetime) -> list[str]:
    """Return the file names of the audit records from before a time. Each name begins with its time."""
    return [
        name
        for name in files.names(audit_log.FOLDER, suffix=".json")
        if audit_log.asked_at(name) < before
    ]
