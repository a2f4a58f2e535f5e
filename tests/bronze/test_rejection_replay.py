"""Rejected objects that are taken again: once, also where the replay dies anywhere, and the sums hold."""

import os
import shutil
from functools import partial

import pytest

from bronze import rejection_causes
from cli.commands.replay import replay_rejected
from cli.step_runner import run_steps
from conf.errors import BadInput
from lake import catalog
from lake.chunks import ChunkState
from privacy import chunk_withdrawal
from report.lake_counts import sums
from tests.support.bad_photos import picture
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.table_contents import repeated, rows, same_tables

SMALL, LARGE = 12_000, 60_000
"""The most bytes of a photo before and after: each large photo has more than the first."""

TABLES = (catalog.PHOTOS, catalog.REJECTED, catalog.OBJECTS)
POINTS = (
    "bronze: planned",
    "bronze: before staged",
    "bronze: staged",
    "bronze: bronze/photos committed",
    "bronze: bronze/rejected committed",
    "bronze: bronze/objects committed",
    "bronze: before published",
    "bronze: published",
)


def fill(place):
    """Two photos, three too large ones, of which two are the same, one of an uncertain person, and a text."""
    for name, side in (("a", 48), ("b", 52), ("large", 100), ("larger", 110)):
        picture((side, side)).save(place.landing / f"{name}.png")
    shutil.copy(place.landing / "large.png", place.landing / "large too.png")
    (place.landing / "user=anna").mkdir()
    picture((56, 56)).save(place.landing / "user=anna" / "c.png")
    (place.landing / "text.jpg").write_text("I am no photo")


def replay(place, reason=None):
    with place.writing() as context:
        [did] = run_steps(context, [("replay", partial(replay_rejected, reason=reason))])
    return did


def now(place, *more):
    return place.set(f"photos.max_bytes={LARGE}", 'subjects.plain_keys=["user"]', *more)


@pytest.fixture(scope="module")
def refused(empty_lake, tmp_path_factory, spark):
    """A lake that has rejected what is large, whose path is uncertain, and what is no photo."""
    root = tmp_path_factory.mktemp("refused") / "place"
    shutil.copytree(empty_lake.root, root)
    place = Place.of(root, spark, f"photos.max_bytes={SMALL}")
    fill(place)
    place.run()
    held = sums(place.files, place.settings.photos)
    assert held.rejected == {"not_a_photo": 1, "too_large": 3, "uncertain_subject": 1}
    assert held.open_ends == []
    return place


@pytest.fixture
def copy(refused, tmp_path, spark):
    """A copy of that lake under other settings."""
    shutil.copytree(refused.root, tmp_path, dirs_exist_ok=True)
    return now(Place.of(tmp_path, spark))


@pytest.fixture(scope="module")
def let_in(refused, tmp_path_factory, spark):
    """A lake that had those settings from the start."""
    root = tmp_path_factory.mktemp("let-in")
    shutil.copytree(refused.root, root, dirs_exist_ok=True)
    shutil.rmtree(root / "lake")
    place = now(Place.of(root, spark))
    place.run()
    return place


def test_a_replay_that_dies_anywhere_ends_like_a_lake_with_those_settings_from_the_start(
    copy, let_in
):
    told = copy.run()["bronze"].notes
    assert told == [
        "4 rejected objects may be photos by the settings and the code of now; run.py replay --rejected "
        "takes them through bronze again."
    ]
    [waits] = sums(copy.files, copy.settings.photos).open_ends
    assert waits.startswith("3 rejected objects may be photos")
    for point in POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            replay(copy)
        copy.bury()
        if point == POINTS[4]:
            assert sums(copy.files).disagreements()  # bronze/objects is behind
    did = replay(copy)
    assert did.counts["in"] == 1
    assert copy.lake.source(catalog.PHOTOS).count() == 5
    copy.run()
    same_tables(copy, let_in)
    assert copy.run()["bronze"].notes == []
    assert sums(copy.files, copy.settings.photos).open_ends == []


def test_a_reason_takes_its_own_and_what_fails_again_keeps_its_row(copy):
    did = replay(copy, "too_large")
    assert did.counts == {"in": 3, "kept": 2, "stored": 2, "duplicate": 1}
    assert "2 objects are photos now; run.py --layer all" in did.notes[0]
    held = sums(copy.files)
    assert held.rejected == {"not_a_photo": 1, "uncertain_subject": 1}
    assert held.disagreements() == []
    before = rows(copy.lake, catalog.REJECTED)
    did = replay(copy, "not_a_photo")
    assert (did.counts["kept"], did.reasons) == (0, {"not_a_photo": 1})
    after = rows(copy.lake, catalog.REJECTED)
    assert (len(after), after == before) == (2, False)  # it says by what it was read
    with pytest.raises(BadInput, match=r"the reason too_large; .*not_a_photo, uncertain_subject"):
        replay(copy, "too_large")


def test_what_an_earlier_replay_left_is_counted_and_is_nothing_that_has_gone(copy):
    with dies("bronze: staged"), pytest.raises(Killed):
        replay(copy)
    copy.bury()
    did = replay(copy)
    assert (did.counts["in"], did.counts["kept"]) == (5 + 1, 3)
    [told] = did.notes
    assert told.startswith("3 objects are photos now")


def test_an_object_whose_path_is_certain_now_is_found_by_its_path_where_it_is_no_photo(copy):
    (copy.landing / "user=anna" / "d.png").write_text("I am no photo")
    copy.set("subjects.plain_keys=[]").run("bronze")
    held = copy.lake.records(catalog.REJECTED)
    assert {r["path"] for r in held if r["reason"] == "uncertain_subject"} == {""}
    replay(copy, "uncertain_subject")
    held = {row["path"]: row["reason"] for row in copy.lake.records(catalog.REJECTED)}
    assert held["user=anna/d.png"] == "not_a_photo"
    assert sums(copy.files).disagreements() == []


def test_what_has_left_the_landing_folder_is_counted_and_not_told_for_ever(copy):
    for name in ("large.png", "large too.png", "larger.png"):
        (copy.landing / name).unlink()
    did = replay(copy, "too_large")
    assert did.counts == {"in": 0, "kept": 0}
    assert did.notes[0].startswith("3 rejected objects have left the landing folder")
    held = sums(copy.files, copy.settings.photos)
    assert (held.rejected["too_large"], held.open_ends, held.disagreements()) == (3, [], [])


def test_a_file_that_fails_in_another_way_gets_the_reason_of_now(copy):
    content = (copy.landing / "large.png").read_bytes()
    facts = (copy.landing / "larger.png").stat()
    broken = content[:20] + bytes(len((copy.landing / "larger.png").read_bytes()) - 20)
    (copy.landing / "larger.png").write_bytes(broken)
    os.utime(copy.landing / "larger.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    did = replay(copy, "too_large")
    assert (did.counts["kept"], sum(did.reasons.values())) == (1, 1)
    held = sums(copy.files)
    assert ("too_large" in held.rejected, held.disagreements()) == (False, [])
    assert repeated(copy.lake) == {}


def test_other_code_is_told_once_and_a_replay_ends_it(refused, tmp_path, spark, monkeypatch):
    shutil.copytree(refused.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark, f"photos.max_bytes={SMALL}")
    monkeypatch.setattr(rejection_causes, "code_digest", lambda: "mended")
    assert place.run()["bronze"].notes[0].startswith("1 rejected objects may be photos")
    replay(place, "not_a_photo")
    assert place.run()["bronze"].notes == []


def test_an_erased_subjects_object_stays_out_of_a_replay(place, command):
    place = place.set(f"photos.max_bytes={SMALL}")
    (place.landing / "subject=anna").mkdir()
    picture((100, 100)).save(place.landing / "subject=anna" / "large.png")
    picture((48, 48)).save(place.landing / "a.png")
    place.run()
    words = ("--landing", str(place.landing), "--lake", place.settings.paths.lake)
    code, _, error = command("erase", "--subject", "anna", "--request", "R", *words)
    assert code == 7, error
    place = now(place)
    place.run("bronze")
    with place.writing() as context:
        run_steps(context, [("replay", partial(replay_rejected, reason=None))])
    held = sums(place.files)
    assert (held.photos, held.rejected, held.disagreements()) == (1, {}, [])


@pytest.mark.parametrize("point", POINTS[3:5])
def test_a_second_try_whose_staged_files_are_lost_is_withdrawn_and_taken_again(copy, let_in, point):
    with dies(point), pytest.raises(Killed):
        replay(copy)
    copy.bury()
    shutil.rmtree(copy.root / "lake/staging")
    [chunk] = copy.lake.ledger.unfinished()
    with copy.writing() as context:
        chunk_withdrawal.drop(context, chunk.number)
    assert sums(copy.files).disagreements() == []
    assert copy.lake.ledger.chunks()[chunk.number].state is ChunkState.PLANNED
    copy.run()
    replay(copy)
    copy.run()
    same_tables(copy, let_in)
