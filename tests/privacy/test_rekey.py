"""A lake gets a new key: whoever has the earlier one alone finds nothing, and everybody else finds all."""

import re
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from cli.commands.erase import finish_due_erasures, verify
from cli.commands.rekey import run as rekey_command
from cli.lake_access import writing
from cli.parser import parse
from conf.errors import BadInput, Inconsistent, Pending, Refused
from lake import catalog, lake_format, secret_places
from lake.enums import ERASE, ErasureMode, ErasureState, Outcome
from lake.pseudonyms import PhotoIdRule
from lake.samples.sample_photos import write_samples
from privacy import moved_rows, rekey, tombstones
from privacy.audit import audit_log
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus
from privacy.erasure import certificate, certificate_check
from privacy.erasure.erase import erase
from report.label_conflicts import label_conflicts
from report.lake_counts import sums
from tests.support.canary import OTHER, SUBJECT, jpeg, places, send
from tests.support.erasures import REQUEST, erased, requests_of
from tests.support.kills import Killed, dies
from tests.support.place import Place

ID = re.compile(r"[0-9a-f]{64}")
ERASED = "somebody-erased"
PENDING, OF_PHOTO = "request-2", "request-of-photo"
STAYS = "somebody-who-stays"
GONE, ONE = jpeg(7), jpeg(3)
"""The bytes of the photo of whom was erased, and those of an erased photo of somebody who stays."""

OVERRIDES = ("refit.growth=9", "pca.components=3")


def keys_of(place):
    return lake_format.pseudonyms_of(place.files, place.settings.subjects)


@pytest.fixture(scope="module")
def held(tmp_path_factory, spark):
    """A lake of samples, of a subject's photos, of two erased subjects, and of an erased photo of another one
    who stays. One erasure's old files are due later. Somebody has asked about the subject."""
    root = tmp_path_factory.mktemp("held") / "place"
    write_samples(root / "landing", 12)
    place = Place.of(root, spark, *OVERRIDES)
    send(place.landing, {"1.jpg": jpeg(1), "2.jpg": jpeg(2), "broken.jpg": b"x"})
    send(place.landing, {"gone.jpg": GONE}, subject=ERASED)
    send(place.landing, {"theirs.jpg": jpeg(1), "due.jpg": jpeg(8)}, subject=OTHER)
    send(place.landing, {"one.jpg": ONE, "kept.jpg": jpeg(4)}, subject=STAYS)
    place.run()
    erased(place, subject=ERASED)
    ids = keys_of(place)
    original, stays = ids.originals(ONE), ids.subject(STAYS)
    photo = ids.photo_ids.of(ONE, original=original, subject=stays)
    erased(place, subject=None, photo=photo, request=OF_PHOTO)
    with pytest.raises(Pending):
        erased(place, subject=OTHER, request=PENDING, mode=ErasureMode.DEFERRED)
    place.index_keys()
    auditor = Auditor(place.files, keys_of(place))
    audit_log.record(
        place.files, auditor.answer(AuditQuestion(subject=SUBJECT)), pseudonyms=keys_of(place)
    )
    return place


@pytest.fixture
def place(held, tmp_path, spark):
    """A copy of that lake."""
    return copied(held, tmp_path / "place", spark)


def copied(held, root, spark):
    shutil.copytree(held.root, root)
    return Place.of(root, spark, *OVERRIDES)


@contextmanager
def moving(place, name="next"):
    """A context of a run that moves the lake to the key of a name."""
    place._new_screen()
    with writing(place.settings, place.console, is_moving=True) as context:
        reference = f"file:{{lake}}.{name}.key"
        new = secret_places.load(reference, lake=place.files.root, make=True)
        keys = rekey.under(context.pseudonyms, new)
        yield replace(context, pseudonyms=keys).step("rekey")


def moved(place, name="next"):
    """The same lake after its move, under settings that name both keys."""
    with moving(place, name) as context:
        rekey.rekey(context)
    return after(place, name)


def after(place, name="next"):
    earlier = [place.settings.subjects.key, *place.settings.subjects.tombstone_keys]
    known = ", ".join(f'"{each}"' for each in earlier)
    return place.set(
        *OVERRIDES,
        f"subjects.key=file:{{lake}}.{name}.key",
        f"subjects.tombstone_keys=[{known}]",
    )


@pytest.fixture(scope="module")
def done(held, tmp_path_factory, spark):
    """The lake after a move, for tests that only look."""
    return moved(copied(held, tmp_path_factory.mktemp("done") / "place", spark))


def ids_in(place):
    """Every pseudonym, id of a photo, hash and tombstone in the rows of a lake."""
    found = set()
    for table in (*moved_rows.TABLES, *rekey.SMALL):
        columns = set(table.column_names) & {
            "photo_id",
            "subject",
            "object",
            "original",
            "tombstone",
        }
        for row in place.lake.records(table):
            found |= {row[name] for name in columns}
            found |= set(row.get("photo_ids") or ())
    return {each for each in found if each and ID.fullmatch(each)}


def facts(place):
    """The rows of all tables of photos without what a move changes, by table, in an order of their own."""
    changed = {"photo_id", "subject", "object", "original", "path"}
    return {
        table.name: sorted(
            repr({name: value for name, value in row.items() if name not in changed})
            for row in place.lake.records(table)
        )
        for table in moved_rows.TABLES
    }


PATHS = (catalog.PHOTOS, catalog.REJECTED)


def test_nothing_under_the_earlier_key_is_left_in_the_lake(held, done):
    before = ids_in(held)
    assert len(before) > 50
    needles = [each.encode() for each in before]
    assert {needle for _, needle in places(needles, held.root / "lake")} >= set(needles)
    assert places(needles, done.root / "lake") == []
    [audit] = done.files.names(audit_log.FOLDER, suffix=".json")
    keys = keys_of(done)
    about = done.files.read_json(f"{audit_log.FOLDER}/{audit}")["about"]
    assert about == {"subject": keys.tombstone(keys.subject(SUBJECT))}


def test_all_rows_are_there_with_the_pseudonyms_of_the_new_key(held, done):
    assert facts(done) == facts(held)
    keys = keys_of(done)
    assert keys.photo_id_rule is PhotoIdRule.OF_ORIGINAL
    for row in done.lake.records(catalog.PHOTOS):
        assert row["photo_id"] == keys.photo_ids.of_original(
            row["original"], subject=row["subject"]
        )
    paths = {row["path"] for table in PATHS for row in done.lake.records(table) if row["subject"]}
    sent = {f"subject={SUBJECT}/2026/11/{name}" for name in ("1.jpg", "2.jpg", "broken.jpg")}
    assert paths >= {f"subject={keys.subject(SUBJECT)}/{keys.path(each)}" for each in sent}
    own = {row["subject"] for row in done.lake.records(catalog.EMBEDDINGS)}
    assert own >= {keys.subject(SUBJECT)}
    ids = {row["photo_id"] for row in done.lake.records(catalog.PHOTOS)}
    for table in (catalog.EMBEDDINGS, catalog.FEATURES):
        assert {row["photo_id"] for row in done.lake.records(table)} <= ids
    assert sums(done.files).disagreements() == []


def test_the_scene_of_a_later_test_goes_with_the_earlier_key():
    """It is a hash of the earlier pseudonym and a day, of which there are few."""
    at = pa.array([None, datetime(2026, 5, 1, tzinfo=UTC)])
    subjects, scenes = pa.array(["a", "b"]), pa.array([3, 7])
    columns = {"subject": subjects, "scene": scenes, "labelled_at": at}
    moves = SimpleNamespace(pseudonym=lambda _, value: f"new {value}")
    found = moved_rows._moved(pa.RecordBatch.from_pydict(columns), moves).to_pylist()
    assert [(row["subject"], row["scene"]) for row in found] == [("new a", 3), ("new b", None)]


def test_the_certificates_of_before_and_the_new_one_hold(done):
    found = certificate_check.check(done.lake, keys_of(done).certificates)
    assert (found.faults, found.acknowledged) == ([], [])
    requests = requests_of(done)
    [own] = (each for each in requests.values() if each.mode == "rekey")
    assert own.state is ErasureState.CERTIFIED
    told = done.files.read_json(f"{certificate.FOLDER}/{certificate.file_name(own, is_whole=True)}")
    assert (told["result"], told["asked"]) == ("rekeyed", "a new key for the lake")
    assert told["counts"]["bronze/photos"] == len(done.lake.records(catalog.PHOTOS))
    assert told["verification"]["files"] > 20
    verify(done.lake, done.settings, done.console, REQUEST, deep=True)
    with pytest.raises(BadInput, match="There is no erasure"):
        verify(done.lake, done.settings, done.console, own.request, deep=True)


def test_an_audit_finds_the_subject_and_the_erased_one(done):
    auditor = Auditor(done.files, keys_of(done))

    def answer(name):
        return {each.table: each for each in auditor.answer(AuditQuestion(subject=name)).findings}

    assert answer(SUBJECT)["bronze/photos"].rows == 2
    assert answer(ERASED)["bronze/photos"].status is HoldingStatus.ERASED
    assert answer("nobody")["bronze/photos"].status is HoldingStatus.NOT_HELD


def outcomes(place):
    """The number of landing objects by what became of them."""
    return Counter(row["outcome"] for row in place.lake.records(catalog.OBJECTS))


def test_photos_are_known_again_and_the_erased_stay_out(place):
    photos = len(place.lake.records(catalog.PHOTOS))
    before = outcomes(place)
    place = moved(place)
    assert outcomes(place) == before
    send(place.landing, {"again.jpg": jpeg(1)})
    send(place.landing, {"back.jpg": GONE}, subject=ERASED)
    send(place.landing, {"nobody.jpg": GONE, "nobody's one.jpg": ONE}, subject=None)
    send(place.landing, {"one again.jpg": ONE}, subject=STAYS)
    place.run()
    assert outcomes(place) - before == {Outcome.DUPLICATE: 1, Outcome.TOMBSTONED: 4}
    send(place.landing, {"theirs.jpg": ONE}, subject="somebody-new")
    place.run("bronze")
    assert len(place.lake.records(catalog.PHOTOS)) == photos + 1
    assert sums(place.files).disagreements() == []


def test_an_erasure_that_is_due_later_is_completed_under_the_new_key(place):
    place = moved(place)
    due = requests_of(place)[PENDING].due_at
    with place.writing() as context:
        finish_due_erasures(context.step(ERASE, now=due + timedelta(hours=1)))
    assert requests_of(place)[PENDING].state is ErasureState.CERTIFIED
    verify(place.lake, place.settings, place.console, PENDING, deep=True)
    erased(place, request="request-3")
    held_now = {row["subject"] for row in place.lake.records(catalog.PHOTOS)}
    assert keys_of(place).subject(SUBJECT) not in held_now


POINTS = (
    "rekey: begun",
    "rekey: bronze/objects moved",
    "rekey: privacy/tombstones moved",
    "rekey: privacy/erasures moved",
    "rekey: bronze/photos moved",
    "rekey: audits moved",
    "rekey: a table vacuumed",
    "rekey: certificate written",
)


@pytest.mark.parametrize("points", [POINTS, POINTS[:1]], ids=["at each point", "at the first"])
def test_a_move_that_died_is_refused_by_others_and_goes_on(place, held, points):
    """One that dies at each point goes on from each; one that has only begun does all the rest at once."""
    for point in points:
        with pytest.raises(Killed, match=point), dies(point), moving(place) as context:
            rekey.rekey(context)
        place.bury()
        with pytest.raises(Refused, match="half way to a new key"), place.writing():
            pass
        with (
            pytest.raises(Refused, match="on its way to another key"),
            moving(place, "other") as context,
        ):
            rekey.rekey(context)
    done = moved(place)
    test_nothing_under_the_earlier_key_is_left_in_the_lake(held, done)
    test_all_rows_are_there_with_the_pseudonyms_of_the_new_key(held, done)
    test_the_certificates_of_before_and_the_new_one_hold(done)


@pytest.mark.parametrize("point", ["erase: fenced", "erase: chunks counted"])
def test_a_half_done_erasure_of_a_subject_goes_on_after_a_move(place, point):
    with pytest.raises(Killed), dies(point):
        erased(place, request="request-3")
    place.bury()
    before = ids_in(place)
    place = moved(place)
    assert places([each.encode() for each in before], place.root / "lake") == []
    assert erased(place, request="request-3").state is ErasureState.CERTIFIED
    ids = {row["photo_id"] for row in place.lake.records(catalog.PHOTOS)}
    assert not ids & requests_of(place)["request-3"].photo_ids
    verify(place.lake, place.settings, place.console, "request-3", deep=True)
    assert keys_of(place).subject(SUBJECT) not in ids_in(place)


def test_a_half_done_erasure_of_a_photo_is_finished_first(place):
    keys = keys_of(place)
    photo = keys.photo_ids.of(
        jpeg(4), original=keys.originals(jpeg(4)), subject=keys.subject(STAYS)
    )
    with pytest.raises(Killed), dies("erase: fenced"):
        erased(place, subject=None, photo=photo, request="request-3")
    place.bury()
    with (
        pytest.raises(Refused, match="request-3 for one photo is half done"),
        moving(place) as context,
    ):
        rekey.rekey(context)
    erased(place, subject=None, photo=photo, request="request-3")
    moved(place)


def test_a_photo_that_was_erased_from_the_landing_folder_alone_stays_out(place):
    keys = keys_of(place)
    send(place.landing, {"new.jpg": jpeg(9)}, subject=STAYS)
    photo = keys.photo_ids.of(
        jpeg(9), original=keys.originals(jpeg(9)), subject=keys.subject(STAYS)
    )
    erased(place, subject=None, photo=photo, request="request-3")
    photos = len(place.lake.records(catalog.PHOTOS))
    place = moved(place)
    send(place.landing, {"new again.jpg": jpeg(9)}, subject=STAYS)
    place.run("bronze")
    assert len(place.lake.records(catalog.PHOTOS)) == photos


def test_what_others_wrote_stops_no_move_and_is_found_after_it(place):
    """A note among the records of audits, tombstones that say nothing, and a row of the journal, of which
    somebody has acknowledged that it is foreign; and a certificate that is changed half way."""
    place.files.write(f"{audit_log.FOLDER}/notes.json", b'{"why": "a note"}')
    with place.writing() as context:
        lake = context.lake
        foreign = [{"tombstone": "a" * 64, "of": "something"}, {"tombstone": None, "of": "subject"}]
        lake.record(catalog.TOMBSTONES, foreign, layer="test")
        row = lake.records(catalog.ERASURES)[0]
        lake.record(catalog.ERASURES, [{**row, "entry": 99, "request": "forged"}], layer="test")
        key = context.pseudonyms.certificates
        assert len(certificate_check.check(lake, key).faults) == 1
    with pytest.raises(Inconsistent), moving(place) as context:
        rekey.rekey(context)
    with place.writing() as context:
        step = context.step(ERASE)
        whom = {"subject": "nobody-here", "request": "R-9", "mode": ErasureMode.IMMEDIATE}
        erase(step, **whom, acknowledges=True)
    with pytest.raises(Killed), dies("rekey: privacy/erasures moved"), moving(place) as context:
        rekey.rekey(context)
    place.bury()
    name = sorted(place.files.names(certificate.FOLDER, suffix=".json"))[0]
    place.files.write(f"{certificate.FOLDER}/{name}", b"{}")
    place = moved(place)
    found = certificate_check.check(place.lake, keys_of(place).certificates)
    assert [fault.partition(" ")[0] for fault in found.faults] == [name]
    assert len(found.acknowledged) >= 1


def test_a_lake_moves_twice_and_never_back(place):
    first = moved(place)
    with pytest.raises(BadInput, match="has that key already"), moving(first):
        pass
    second = moved(first, "last")
    test_an_audit_finds_the_subject_and_the_erased_one(second)
    with pytest.raises(BadInput, match="had that key before"), moving(second):
        pass
    without = second.set(*OVERRIDES, "subjects.key=file:{lake}.last.key")
    with pytest.raises(Refused, match="is named neither by"), without.writing():
        pass


def test_a_forged_certificate_keeps_a_lake_from_moving(place):
    name = sorted(place.files.names(certificate.FOLDER, suffix=".json"))[0]
    place.files.write(f"{certificate.FOLDER}/{name}", b"{}")
    with pytest.raises(Inconsistent), moving(place) as context:
        rekey.rekey(context)
    assert lake_format.rekey_of(place.files) is None


def test_tombstones_of_single_photos_by_earlier_code_must_be_lifted_first(place):
    photo = min(row["photo_id"] for row in place.lake.records(catalog.PHOTOS))
    erased(place, subject=None, photo=photo, request="P-1")
    with place.writing() as context:
        rows = [{**row, "of": tombstones.PHOTO} for row in context.lake.records(catalog.TOMBSTONES)]
        assert keys_of(place).tombstone(photo) in {row["tombstone"] for row in rows}
        context.lake.rewrite(
            catalog.TOMBSTONES,
            lambda known: known.set_column(
                known.schema.get_field_index("of"), "of", [[tombstones.PHOTO] * len(known)]
            ),
            layer="test",
        )
    with pytest.raises(Refused, match="lift them"), moving(place) as context:
        rekey.rekey(context)


def test_the_command_says_what_to_set_from_then_on(place):
    key = place.root / "next.key"
    words = parse(["rekey", "--new-key", f"file:{key}"])
    rekey_command(words, place.settings, place.console)
    assert key.exists()
    screen = " ".join(place.screen.split())
    assert f"set subjects.key to file:{key}" in screen
    assert 'subjects.tombstone_keys to ["file:{lake}.key"]' in screen
    assert "certificate" in screen


def test_a_conflict_of_labels_keeps_its_paths_under_the_new_pseudonyms(place):
    folder = place.landing / f"subject={STAYS}"
    for label in ("kiwi", "lime"):
        (folder / f"label={label}").mkdir(parents=True)
        (folder / f"label={label}" / "1.jpg").write_bytes(jpeg(11))
    place.run("bronze")
    [conflict] = label_conflicts(place.files.root)
    now = moved(place)
    [found] = label_conflicts(now.files.root)
    keys = keys_of(now)
    known = {
        f"subject={keys.subject(STAYS)}/{keys.path(f'subject={STAYS}/label={label}/1.jpg')}"
        for label in ("kiwi", "lime")
    }
    assert {each.path for each in found.objects} == known
    assert known.isdisjoint(each.path for each in conflict.objects)
    (folder / "label=kiwi" / "1.jpg").unlink()
    now.run("bronze")
    assert label_conflicts(now.files.root) == []
    erased(now, subject=STAYS, request="request-of-labels")
    rows = now.lake.records(catalog.OBJECTS)
    assert not [row for row in rows if row["path"] or row["left_at"]]
