"""Retention: what is past its age goes with all that was made from it, and nothing else does."""

import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from cli.commands.retain import retain
from cli.parser import parse
from cli.step_runner import recorded
from conf.errors import BadSettings, LeftBehind, Pending
from conf.settings import Settings
from gold import moments_table
from lake import catalog, secret_places
from lake.catalog import Table
from lake.enums import RESTORE, RETAIN, ErasureState
from lake.stop_signals import Stopped
from privacy import retention, tombstones
from privacy.audit import audit_log
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion
from privacy.restore import restore
from report.lake_counts import sums
from report.reconciliation import Sums
from tests.support.canary import jpeg, places, send
from tests.support.erasures import erased, requests_of
from tests.support.grown_lake import everything
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.processes import undeletable

AGES = ("retention.photos=1 day", "retention.rejected=1 day", "refit.growth=9")
DAY = timedelta(days=1)
OF_PHOTOS = (catalog.PHOTOS, *retention.MADE_FROM_PHOTOS)


class AgedLake(Place):
    """A lake under ages of a day, and the time `at` which the first run's photos are past theirs. Of one
    whose photos went: the rows `kept`, all photo ids and the sums before, and what was foreseen to go."""

    at: datetime
    kept: dict[Table, list[str]]
    ids: set[str]
    before: Sums
    foreseen: list[retention.PastAge]


def under_ages(grown, root, spark):
    """A copy of the lake of two runs, under ages of a day; `at`: when those of the first are past."""
    shutil.copytree(grown.root, root, dirs_exist_ok=True)
    place = AgedLake.of(root, spark, *AGES)
    times = place.lake.read(catalog.PHOTOS).groupBy("chunk").agg(F.min("ingested_at").alias("at"))
    place.at = max(row["at"] for row in times.collect()).astimezone(UTC) + DAY
    return place


@pytest.fixture
def place(grown, tmp_path, spark):
    """The lake before anything is past."""
    return under_ages(grown, tmp_path, spark)


@pytest.fixture(scope="module")
def old(grown, tmp_path_factory, spark):
    """The lake without the photos of the first run, and what was seen before."""
    place = under_ages(grown, tmp_path_factory.mktemp("old"), spark)
    place.kept = {table: newer(place, table) for table in OF_PHOTOS}
    place.ids = {row["photo_id"] for row in place.lake.records(catalog.PHOTOS)}
    place.before = sums(place.files)
    place.foreseen = retention.past_age(place.lake, place.settings, now=place.at)
    place.index_keys()
    retained(place)
    return place


def retained(place, *, now=None):
    with place.writing() as context:
        retain(context.step(RETAIN, now=now or place.at))


def newer(place, table):
    """The rows of the second run's photos."""
    photos = place.lake.records(catalog.PHOTOS, columns=["photo_id", "ingested_at"])
    young = {row["photo_id"] for row in photos if row["ingested_at"] >= place.at - DAY}
    return sorted(repr(row) for row in place.lake.records(table) if row["photo_id"] in young)


def test_old_photos_leave_every_table_and_others_stay(old):
    held, before = {each.place: each.held for each in old.foreseen}, old.before
    assert held["bronze/photos"] == before.photos - len(old.kept[catalog.PHOTOS]) > 50
    assert held["silver/embeddings"] > 50
    assert held["bronze/rejected"] == before.outcomes["rejected"] == 2
    assert {table: everything(old, table) for table in OF_PHOTOS} == old.kept
    assert f"{held['bronze/photos']} rows" in old.screen
    after = sums(old.files)
    assert after.disagreements() == after.open_ends == []
    assert after.outcomes["expired"] == before.objects - len(old.kept[catalog.PHOTOS])
    assert not {each.place for each in passed(old, old.at)} & {table.name for table in OF_PHOTOS}
    gone = old.ids - {row["photo_id"] for row in old.lake.records(catalog.PHOTOS)}
    objects = old.lake.records(catalog.OBJECTS)
    expired = [row for row in objects if row["outcome"] == "expired"]
    assert {(row["subject"], row["photo_id"]) for row in expired} == {(None, None)}
    assert not gone & {row["photo_id"] for row in objects}
    assert old.lake.version(catalog.KNOWN_KEYS) > 1
    assert old.lake.records(catalog.KNOWN_KEYS) == []


def passed(place, at):
    return [p for p in retention.past_age(place.lake, place.settings, now=at) if p.held]


def test_moments_are_of_what_is_left_and_the_next_run_fits_anew(old, grown):
    """What was there once is not restored, and what the landing folder holds still stays out until it is
    sent again."""
    [model] = old.lake.records(catalog.MOMENTS, columns=["weights_id"])
    held = moments_table.stored(old.lake, model["weights_id"])
    assert moments_table.match_silver(old.lake, held, weights_id=model["weights_id"])
    assert held.moments.n == old.lake.source(catalog.EMBEDDINGS).count()
    with old.writing() as context:
        done = restore(context.step(RESTORE), catalog.PHOTOS, grown.after[catalog.PHOTOS])
        assert (done.left, done.returned, done.kept_out) == (0, 0, old.foreseen[0].held)
    did = old.run("bronze", "gold")
    assert did["bronze"].counts == {}
    newest = old.lake.read(catalog.MODELS).where("kind = 'pca' and status = 'champion'").first()
    assert (newest["reason"], newest["photos"]) == ("removal", held.moments.n)
    assert sums(old.files).disagreements() == []
    first = min(old.landing.rglob("*.jpg"), key=lambda path: path.stat().st_mtime)
    first.touch()
    assert old.run("bronze")["bronze"].counts["stored"] == 1


POINTS = (
    "departure: silver/embeddings committed",
    "retain: objects forgotten",
    "retain: bronze/photos gone",
)


def test_one_that_dies_goes_on(place):
    kept = {table: newer(place, table) for table in OF_PHOTOS}
    for point in POINTS:
        with dies(point), pytest.raises(Killed):
            retained(place)
        place.bury()
    retained(place)
    assert {table: everything(place, table) for table in OF_PHOTOS} == kept
    assert place.lake.source(catalog.REJECTED).count() == 0
    assert sums(place.files).disagreements() == []


def test_journals_and_records_of_audits_have_their_age(place):
    own = secret_places.load(place.settings.subjects.key, lake=place.files.root, make=False)
    answer = Auditor(place.files, own).answer(AuditQuestion(subject="anna"))
    name = audit_log.record(place.files, answer, pseudonyms=own)
    assert abs(audit_log.asked_at(name) - answer.asked_at) < timedelta(seconds=1)
    kept = place.set("retention.photos=", "retention.rejected=", "retention.journals=")
    assert [each.place for each in passed(kept, place.at)] == []
    held = {table: place.lake.source(table).count() for table in retention.JOURNALS}
    assert min(held.values()) > 0
    later = datetime.now(UTC) + timedelta(days=3 * 366)
    retained(place.set("retention.photos=", "retention.rejected="), now=later)
    left = {table: place.lake.source(table).count() for table in retention.JOURNALS}
    assert set(left.values()) == {0}
    assert place.files.names(audit_log.FOLDER, suffix=".json") == []


def test_erasures_that_are_due_and_tombstones_that_lapse(place):
    """A tombstone of a month keeps a person out for a month; the erasure is certified when its files go."""
    place = place.set("retention.tombstones=1 month", "refit.growth=9")
    with pytest.raises(Pending):
        erased(place, mode="deferred")
    asked = requests_of(place)["request-1"]
    held = tombstones.holding(place.lake)
    assert asked.subject in held
    [row] = place.lake.read(catalog.TOMBSTONES).where(f"tombstone = '{asked.subject}'").collect()
    assert 28 <= (row["expires_at"] - row["made_at"]).days <= 31
    retained(place, now=asked.at + timedelta(days=6))
    assert requests_of(place)["request-1"].state is ErasureState.LOGICAL
    due = [p for p in passed(place, asked.at + 8 * DAY) if p.unit == "requests"]
    assert [each.held for each in due] == [1]
    retained(place, now=asked.at + 8 * DAY)
    assert requests_of(place)["request-1"].state is ErasureState.CERTIFIED
    assert tombstones.holding(place.lake) == held
    retained(place, now=asked.at + 32 * DAY)
    assert place.lake.source(catalog.TOMBSTONES).count() == 0
    send(place.landing, {"again.jpg": jpeg(0)})
    assert place.run("bronze")["bronze"].counts["stored"] == 1


def test_old_files_go_once_no_version_within_the_retention_has_them(place, command):
    """The rows go first; their files stay for time travel, and go when that has ended."""
    retained(place)
    first = (
        place.lake.version_source(catalog.PHOTOS, 1).frame().select("photo_id", "subject").collect()
    )
    subject = next(row["subject"] for row in first if row["subject"])
    words = ("--lake", str(place.root / "lake"), "--landing", str(place.landing))
    code, out, err = command("retain", "--dry-run", *words)
    assert (code, err, "old files" in out) == (0, "", False)
    later = datetime.now(UTC) + timedelta(days=8)
    quiet = place.set("retention.photos=", "retention.rejected=", "refit.growth=9")
    files = retention.old_files(quiet.lake, quiet.settings, now=later)
    assert {each.place for each in files} >= {"bronze/photos", "silver/embeddings"}
    stray = max(
        (place.root / "lake/bronze/photos").glob("*.parquet"), key=lambda p: p.stat().st_size
    )
    with undeletable(stray), pytest.raises(LeftBehind, match=stray.name):
        retained(quiet, now=later)
    retained(quiet, now=later)
    assert "old files" in quiet.screen
    assert places([subject.encode()], place.root / "lake") == []
    assert sums(place.files).disagreements() == []


def test_on_the_command_line(place, command):
    """The settings' own ages, of years: nothing is past them, and a dry run writes nothing."""
    words = ("--lake", str(place.root / "lake"), "--landing", str(place.landing))
    before = {table.name: place.lake.version(table) for table in catalog.TABLES}
    with place.writing():
        code, out, err = command("retain", "--dry-run", *words)
        assert (code, err) == (0, "")
        assert command("retain", *words)[0] == 4
    assert "would go" in out
    assert {table.name: place.lake.version(table) for table in catalog.TABLES} == before
    code, out, err = command("retain", *words)
    assert (code, err) == (0, "")
    after = {table.name: place.lake.version(table) for table in catalog.TABLES}
    assert {name for name in after if after[name] != before[name]} == {"ops/runs"}


def test_a_command_that_is_stopped_is_recorded_as_stopped(place):
    with place.writing() as context, pytest.raises(Stopped):
        stopped(context)
    [row] = place.lake.read(catalog.RUNS).where(F.col("layer") == RETAIN).collect()
    assert (row["status"], row["error"]) == ("stopped", "stopped: SIGTERM")


def stopped(context):
    with recorded(context, RETAIN):
        raise Stopped(signal.SIGTERM)


@pytest.mark.parametrize("age", ["3 yrs", "0 days", "-1 day", "1 day; x", "soon"])
def test_an_age_that_is_none_is_refused(age):
    with pytest.raises(BadSettings, match='give an age such as "90 days"'):
        Settings.load("local", environment={}, overrides=[f"retention.photos={age}"])


def test_the_words():
    assert parse(["retain", "--dry-run"]).dry_run
    assert not parse(["retain"]).dry_run
