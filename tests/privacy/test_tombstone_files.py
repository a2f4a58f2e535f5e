"""Tombstones leave a lake as a file, and another lake keeps out whom the first one has erased."""

import json
import shutil
from datetime import timedelta

import pytest

from conf.errors import BadInput, Inconsistent, Refused
from conf.secret_values import may_be_secret
from lake import catalog, lake_format, lease
from lake.subject_names import NameRule
from privacy import tombstone_files, tombstones
from tests.support.canary import jpeg, send
from tests.support.kills import Killed, dies
from tests.support.tombstone_lakes import FORMAT_4, NOW, TombstoneLake

DAY = timedelta(days=1)


@pytest.fixture
def first(tmp_path):
    """A lake that has erased anna and one photo's bytes."""
    lake = TombstoneLake.make(tmp_path / "first")
    lake.erase("anna", b"her photo", expires_at=NOW + 30 * DAY)
    return lake


def second(first, **more):
    """Another lake, with a key of its own, that knows the key of the first."""
    return TombstoneLake.make(first.root.with_name("second"), others=(first,), **more)


def test_whom_one_lake_erased_another_keeps_out(first):
    lake = second(first)
    assert not lake.keeps_out("subject=anna/1.jpg")
    assert lake.take_in(first.exported()) == tombstone_files.Imported(added=2, known=0)
    assert lake.keeps_out("subject=anna/1.jpg")
    assert lake.keeps_out("Subject= anna/2026/1.jpg")
    assert lake.keeps_out("kiwi/1.jpg", b"her photo")
    assert not lake.keeps_out("subject=bert/1.jpg")
    assert not lake.keeps_out("kiwi/1.jpg", b"another photo")
    assert not lake.keeps_out("subject=bert/1.jpg", b"her photo")


def test_reasons_and_expiry_come_along(first):
    lake = second(first)
    lake.take_in(first.exported())
    kept = [{**row, "tombstone": None, "run_id": None} for row in lake.rows.values()]
    told = [{**row, "tombstone": None, "run_id": None} for row in first.rows.values()]
    by_kind = {"key": lambda row: row["of"]}
    assert sorted(kept, **by_kind) == sorted(told, **by_kind)
    assert lake.rows.keys().isdisjoint(first.rows)
    assert lake.keeps_out("subject=anna/1.jpg", now=NOW + 29 * DAY)
    assert not lake.keeps_out("subject=anna/1.jpg", now=NOW + 30 * DAY)


def test_the_file_names_nobody_and_has_what_holds_alone(first):
    first.erase("bert")
    first.lift("bert", now=NOW)
    first.erase("carl", now=NOW - 2 * DAY, expires_at=NOW - DAY)
    content = first.exported()
    body = json.loads(content)
    assert {row["tombstone"] for row in body["tombstones"]} == {
        *first.keys.subject_tombstones(["anna"]),
        *first.keys.photo_tombstones.of(b"her photo", first.keys.originals(b"her photo")),
    }
    assert {tuple(row) for row in body["tombstones"]} == {tombstone_files.COLUMNS}
    assert first.keys.subject("anna").encode() not in content
    assert first.keys.originals(b"her photo").encode() not in content
    assert first.keys.secret not in content


def test_an_import_is_done_once(first):
    lake = second(first)
    lake.take_in(first.exported())
    before, record = lake.rows, lake.files.read_json(lake_format.NAME)
    done = lake.take_in(first.exported(now=NOW + DAY), now=NOW + DAY)
    assert done == tombstone_files.Imported(added=0, known=2)
    assert (lake.rows, lake.files.read_json(lake_format.NAME)) == (before, record)


def test_what_was_lifted_stays_lifted_unless_the_person_is_erased_again(first):
    lake = second(first)
    lake.take_in(first.exported())
    assert lake.lift("anna", now=NOW + DAY) == 1
    assert not lake.keeps_out("subject=anna/1.jpg")
    assert lake.take_in(first.exported(), now=NOW + 2 * DAY).added == 0
    assert not lake.keeps_out("subject=anna/1.jpg")
    first.lift("anna", now=NOW + 3 * DAY)
    first.erase("anna", now=NOW + 4 * DAY)
    later = NOW + 5 * DAY
    assert lake.take_in(first.exported(now=later), now=later).added == 1
    assert lake.keeps_out("subject=anna/1.jpg")


def test_what_has_expired_is_not_imported(first):
    content, later = first.exported(), NOW + 30 * DAY
    lake = second(first)
    assert lake.take_in(content, now=later) == tombstone_files.Imported(added=0, known=0)
    # Erased once more, for good, the same tombstone takes the place of the one that came to its end.
    lake.take_in(content)
    later += DAY
    first.erase("anna", b"her photo", now=later)
    assert not lake.keeps_out("subject=anna/1.jpg", now=later)
    assert lake.take_in(first.exported(now=later), now=later).added == 2
    assert lake.keeps_out("subject=anna/1.jpg", now=later + 99 * DAY)


def test_a_lake_with_the_same_key_and_rule_takes_them_as_they_are(first):
    lake = TombstoneLake.make(first.root.with_name("second"), key_of=first)
    record = lake.files.read_json(lake_format.NAME)
    lake.take_in(first.exported())
    assert lake.rows.keys() == first.rows.keys()
    assert lake.files.read_json(lake_format.NAME) == record
    assert lake.keeps_out("subject=anna/1.jpg")
    assert lake.keeps_out("kiwi/1.jpg", b"her photo")


@pytest.mark.parametrize("shares_key", [True, False])
def test_a_new_lake_keeps_out_whom_a_lake_of_format_4_erased(tmp_path, shares_key):
    """It reads names by another rule, so that the same name has another pseudonym under the same key."""
    first = TombstoneLake.make(tmp_path / "first", names=FORMAT_4)
    first.erase("an%6Ea ", b"her photo")
    more = {"key_of": first} if shares_key else {"others": (first,)}
    lake = TombstoneLake.make(tmp_path / "second", **more)
    lake.take_in(first.exported())
    assert lake.keeps_out("subject=an%6Ea /1.jpg")
    assert lake.keeps_out("kiwi/1.jpg", b"her photo")
    assert not lake.keeps_out("subject=anna/1.jpg")
    assert lake.lift("an%6Ea ", now=NOW) == 1


def test_a_lake_that_folds_case_keeps_the_rule_of_the_other_for_its_tombstones(tmp_path):
    first = TombstoneLake.make(tmp_path / "first", names=NameRule(folds_case=True))
    first.erase("Anna")
    lake = second(first)
    lake.take_in(first.exported())
    assert lake.keeps_out("subject=ANNA/1.jpg")


def test_a_name_counts_as_it_is_written_where_the_other_lake_could_not_read_the_path(tmp_path):
    """It has no such plain key, and by its rule `Anna` isn't what this lake's rule makes of it."""
    first = TombstoneLake.make(tmp_path / "first")
    first.erase("Anna")
    rule = NameRule(folds_case=True, plain_keys=frozenset(["subjct"]))
    lake = second(first, names=rule)
    lake.take_in(first.exported())
    assert lake.keeps_out("subject=Anna/subjct=1/1.jpg")
    assert not lake.keeps_out("subject=Bert/subjct=1/1.jpg")


def test_tombstones_pass_through_several_lakes(first):
    middle = second(first)
    middle.erase("bert")
    middle.take_in(first.exported())
    last = TombstoneLake.make(first.root.with_name("last"), others=(middle, first))
    last.take_in(middle.exported())
    for path in ("subject=anna/1.jpg", "subject=bert/1.jpg"):
        assert last.keeps_out(path)
    assert last.keeps_out("kiwi/1.jpg", b"her photo")
    assert not last.keeps_out("subject=carl/1.jpg")
    same = TombstoneLake.make(first.root.with_name("same"), key_of=middle, others=(first,))
    same.take_in(middle.exported())
    assert same.keeps_out("subject=anna/1.jpg")


def test_a_lake_is_opened_with_the_keys_of_its_tombstones_alone(first):
    lake = second(first)
    content = first.exported()
    lake.others = ()
    with pytest.raises(Refused, match=r"name it in subjects\.tombstone_keys"):
        lake.take_in(content)
    assert lake.rows == {}
    lake.others = (first,)
    lake.take_in(content)
    lake.others = ()
    with pytest.raises(Refused, match=r"name it in subjects\.tombstone_keys"):
        _ = lake.keys
    lake.others = (first,)
    first.root.with_name("first.key").unlink()
    with pytest.raises(BadInput, match=r"put back the one that subjects\.tombstone_keys names"):
        _ = lake.keys


@pytest.mark.parametrize("place", ["env:NOT_SET", "0123456789abcdef", "aws-secret:arn"])
def test_a_key_that_cannot_be_had_is_told_by_its_setting(first, place):
    subjects = first.settings.subjects.model_copy(update={"tombstone_keys": (place,)})
    with pytest.raises(BadInput, match=r"^subjects\.tombstone_keys"):
        lake_format.others_by_key(subjects, lake=str(first.root))


def test_a_lake_may_import_from_several(first):
    other = TombstoneLake.make(first.root.with_name("other"))
    other.erase("bert", b"his photo")
    lake = TombstoneLake.make(first.root.with_name("second"), others=(other, first))
    for each in (first, other, first):
        lake.take_in(each.exported())
    assert lake.keeps_out("subject=anna/1.jpg")
    assert lake.keeps_out("subject=bert/1.jpg")
    assert lake.keeps_out("kiwi/1.jpg", b"his photo")
    assert len(lake.files.read_json(lake_format.NAME)[lake_format.IMPORTED]) == 2


def test_the_other_key_alone_makes_nothing_that_stands_in_the_lake(first):
    lake = second(first)
    lake.take_in(first.exported())
    theirs = first.keys
    assert lake.rows.keys().isdisjoint(theirs.subject_tombstones(["anna"]))
    assert lake.rows.keys() == {
        *lake.keys.subject_tombstones(["anna"]),
        *lake.keys.photo_tombstones.of(b"her photo", lake.keys.originals(b"her photo")),
    } - {
        lake.keys.tombstone(lake.keys.subject("anna")),
        lake.keys.tombstone(lake.keys.originals(b"her photo")),
    }


def test_a_key_that_would_be_shown_is_taken_for_a_secret():
    assert may_be_secret("subjects.tombstone_keys", ("file:a.key", "0123456789abcdef"))
    assert not may_be_secret("subjects.tombstone_keys", ("file:a.key", "env:KEY"))


HERS, KEPT = b"one photo of anna's", b"that photo as bronze keeps it"
BARRED = [
    ("subject=anna/1.jpg", HERS),
    ("Subject= an%6Ea/2026/1.jpg", HERS),
    ("subject=anna/1.jpg", KEPT),
    ("kiwi/1.jpg", HERS),
    ("kiwi/1.jpg", KEPT),
]
OBJECTS = [
    *BARRED,
    ("subject=anna/1.jpg", b"another photo"),
    ("subject=bert/1.jpg", HERS),
    ("subject=bert/1.jpg", KEPT),
    ("kiwi/1.jpg", b"another photo"),
]
"""What arrives where one photo of anna's was erased; the photo itself, from her or from nobody, is barred."""


@pytest.fixture
def of_photo(tmp_path):
    """A lake that has erased one photo of anna's, and nothing else."""
    lake = TombstoneLake.make(tmp_path / "first")
    lake.erase_photo("anna", HERS, KEPT, expires_at=NOW + 30 * DAY)
    return lake


def test_one_photo_of_a_subject_stays_out_of_every_lake_that_imports_it(of_photo):
    """Of one with another key, of the next one after that, and of one with the same key."""
    middle = second(of_photo)
    assert middle.kept_out(OBJECTS) == []
    assert middle.take_in(of_photo.exported()).added == 5
    last = TombstoneLake.make(of_photo.root.with_name("last"), others=(middle, of_photo))
    last.take_in(middle.exported())
    same = TombstoneLake.make(of_photo.root.with_name("same"), key_of=of_photo)
    same.take_in(of_photo.exported())
    for lake in (of_photo, middle, last, same):
        assert lake.kept_out(OBJECTS, now=NOW + 29 * DAY) == BARRED
        assert lake.kept_out(OBJECTS, now=NOW + 30 * DAY) == []
    assert middle.rows.keys().isdisjoint(of_photo.rows)
    assert last.rows.keys().isdisjoint(middle.rows)
    kinds = sorted(row["of"] for row in last.rows.values())
    assert kinds == ["photo", "photo", "photo_id", "subjects_photo", "subjects_photo"]


def test_one_photo_is_known_by_the_rule_for_names_of_the_lake_that_erased_it(tmp_path):
    first = TombstoneLake.make(tmp_path / "first", names=NameRule(folds_case=True))
    first.erase_photo("Anna", HERS)
    lake = second(first)
    lake.take_in(first.exported())
    paths = ("subject=ANNA/1.jpg", "subject=anna/1.jpg", "subject=bert/1.jpg")
    assert [lake.keeps_out(path, HERS) for path in paths] == [True, True, False]


def test_one_photo_that_is_lifted_comes_again_until_it_is_erased_again(of_photo):
    same = TombstoneLake.make(of_photo.root.with_name("same"), key_of=of_photo)
    other = second(of_photo)
    for lake in (same, other):
        lake.take_in(of_photo.exported())
    assert not other.lift_photo("anna", HERS)
    assert other.kept_out(OBJECTS) == BARRED
    assert not same.lift_photo("bert", HERS)
    assert same.lift_photo("anna", HERS, now=NOW + DAY)
    assert not same.lift_photo("anna", HERS, now=NOW + DAY)
    assert same.take_in(of_photo.exported(), now=NOW + 2 * DAY).added == 0
    assert same.kept_out(OBJECTS) == []
    of_photo.lift_photo("anna", HERS, now=NOW + 3 * DAY)
    of_photo.erase_photo("anna", HERS, KEPT, now=NOW + 4 * DAY)
    later = NOW + 5 * DAY
    assert same.take_in(of_photo.exported(now=later), now=later).added == 5
    assert same.kept_out(OBJECTS, now=later) == BARRED


def test_what_one_request_erased_stays_out_when_another_one_is_lifted(of_photo):
    of_photo.erase_photo("bert", HERS, request="P-2")
    of_photo.erase("carl", HERS, request="R-1")
    of_photo.erase("carl", request="R-2")
    assert len(json.loads(of_photo.exported())["tombstones"]) == 5 + 3 + 2 + 1
    assert of_photo.lift_photo("anna", HERS)
    left = json.loads(of_photo.exported())["tombstones"]
    assert sorted(row["request"] for row in left) == ["P-2"] * 3 + ["R-1"] * 2 + ["R-2"]
    assert of_photo.kept_out(OBJECTS) == [("kiwi/1.jpg", HERS), ("subject=bert/1.jpg", HERS)]
    assert of_photo.lift_photo("bert", HERS)
    assert of_photo.kept_out(OBJECTS) == [("kiwi/1.jpg", HERS)]
    assert of_photo.lift("carl", now=NOW) == 1
    assert not of_photo.keeps_out("subject=carl/1.jpg")
    assert of_photo.keeps_out("kiwi/1.jpg", HERS)


def test_a_request_that_makes_its_tombstones_again_changes_nothing(of_photo):
    before = of_photo.rows
    of_photo.erase_photo("anna", HERS, KEPT, now=NOW + DAY)
    assert of_photo.rows == before


def test_each_request_for_one_photo_is_imported(of_photo):
    """Lifting the own one leaves what the other lake's request for somebody else's photo keeps out."""
    same = TombstoneLake.make(of_photo.root.with_name("same"), key_of=of_photo)
    same.erase_photo(None, HERS, request="own")
    assert same.take_in(of_photo.exported()) == tombstone_files.Imported(added=5, known=0)
    assert same.lift_photo(None, HERS)
    assert same.kept_out(OBJECTS) == BARRED


def test_what_a_lift_of_a_subject_ended_is_also_what_other_requests_made_before(first):
    first.erase("anna", request="R-2")
    lake = TombstoneLake.make(first.root.with_name("second"), key_of=first)
    lake.erase("anna", request="own")
    assert lake.lift("anna", now=NOW + DAY) == 1
    # What is new are the bytes: they stay out without a subject, and a lift of a subject leaves them.
    assert lake.take_in(first.exported(), now=NOW + DAY).added == 1
    assert not lake.keeps_out("subject=anna/1.jpg", b"her photo")
    later = NOW + 2 * DAY
    first.erase("anna", request="R-3", now=later)
    assert lake.take_in(first.exported(now=later), now=later).added == 1
    assert lake.keeps_out("subject=anna/1.jpg")


def test_tombstones_that_earlier_code_made_of_one_photo_hold_and_are_lifted(tmp_path):
    """It made them of the photo_ids of both forms of the bytes, and called them all tombstones of a photo."""
    lake = TombstoneLake.make(tmp_path / "lake")
    keys = lake.keys
    made = [lake.photo_id("anna", HERS), lake.photo_id("anna", KEPT)]
    made += [keys.originals(HERS), keys.originals(KEPT)]
    with lake.writing() as writable:
        kinds = dict.fromkeys(map(keys.tombstone, made), tombstones.PHOTO)
        tombstones.make(writable, "P-1", kinds=kinds, now=NOW, expires_at=None)
    assert lake.kept_out(OBJECTS) == BARRED
    assert lake.lift_photo("anna", HERS)
    assert lake.kept_out(OBJECTS) == []


def test_a_file_of_the_earlier_form_is_imported(first, monkeypatch):
    monkeypatch.setattr(tombstone_files, "FORM", 1)
    content = first.exported()
    monkeypatch.undo()
    assert json.loads(content)["tombstones_file"] == 1
    assert second(first).take_in(content).added == 2


def body_changes():
    def dropped(body):
        body["tombstones"].pop()

    def exchanged(body):
        body["tombstones"][0]["tombstone"] = "0" * 64

    def prolonged(body):
        body["tombstones"][0]["expires_at"] = None

    def of_another_rule(body):
        body["names"]["case"] = "folded"

    def without_times(body):
        del body["tombstones"][0]["made_at"]

    def without_rule(body):
        del body["names"]

    return [dropped, exchanged, prolonged, of_another_rule, without_times, without_rule]


@pytest.mark.parametrize("change", body_changes(), ids=lambda each: each.__name__)
def test_a_changed_file_is_refused(first, change):
    body = json.loads(first.exported())
    change(body)
    lake = second(first)
    with pytest.raises(Inconsistent, match="was cut off or changed"):
        lake.take_in(json.dumps(body, indent=2).encode() + b"\n")
    assert lake.rows == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no file of tombstones"),
        (b"[1]", "is no file of tombstones"),
        (b'{"certificate": "1"}', "is no file of tombstones"),
        (b'{"tombstones_file": 3}', "by a later version"),
    ],
)
def test_another_file_is_refused(first, content, message):
    with pytest.raises(BadInput, match=message):
        second(first).take_in(content)
    half = first.exported()[:-40]
    with pytest.raises(BadInput, match="is no file of tombstones"):
        first.take_in(half)


def test_a_file_can_be_read_before_the_lake_is_made(first, tmp_path):
    lake = TombstoneLake(tmp_path / "second", (first,))
    files, subjects = lake.files, lake.settings.subjects
    file = tombstone_files.opened(first.exported(), name="F", files=files, subjects=subjects)
    assert len(file.rows) == 2
    with pytest.raises(Refused, match=r"name it in subjects\.tombstone_keys"):
        tombstone_files.opened(
            first.exported(),
            name="F",
            files=files,
            subjects=TombstoneLake(lake.root).settings.subjects,
        )
    shutil.copy(f"{first.root}.key", f"{lake.root}.key")
    subjects = TombstoneLake(lake.root).settings.subjects
    file = tombstone_files.opened(first.exported(), name="F", files=files, subjects=subjects)
    assert file.exporter == first.keys
    assert not lake.root.exists()


def test_an_import_that_was_killed_goes_on(first):
    lake = second(first)
    with dies("import: recorded"), pytest.raises(Killed):
        lake.take_in(first.exported())
    lake.files.delete(lease.NAME)
    lake.others = ()
    with pytest.raises(Refused):
        _ = lake.keys
    lake.others = (first,)
    assert not lake.keeps_out("subject=anna/1.jpg")
    assert lake.take_in(first.exported()).added == 2
    assert lake.keeps_out("subject=anna/1.jpg")
    assert len(lake.files.read_json(lake_format.NAME)[lake_format.IMPORTED]) == 1


def test_the_photos_of_the_erased_enter_no_new_lake(place, command, first):
    """From the export to the ingestion, as a user does it; also with another key at hand, nobody ingests."""
    words = ("--landing", "landing", "--lake", "lake")
    knows = ("--set", 'subjects.tombstone_keys=["file:first.key"]')
    first.erase("anna", jpeg(1))
    place.root.joinpath("file").write_bytes(first.exported())
    code, _, err = command("tombstones", "import", "file", *words)
    assert (code, "name it in subjects.tombstone_keys" in err) == (5, True)
    code, out, _ = command("tombstones", "import", "file", *words, *knows)
    assert (code, "3 tombstones were imported" in out) == (0, True)
    send(place.landing, {"hers.jpg": jpeg(2)}, subject="anna")
    send(place.landing, {"his.jpg": jpeg(3)}, subject="bert")
    send(place.landing, {"copy.jpg": jpeg(1), "nobodys.jpg": jpeg(4)}, subject=None)
    code, _, err = command("--layer", "bronze", *words)
    assert (code, "name it in subjects.tombstone_keys" in err) == (5, True)
    assert command("--layer", "bronze", *words, *knows)[0] == 0
    outcomes = [row["outcome"] for row in place.lake.records(catalog.OBJECTS)]
    assert sorted(outcomes) == ["stored", "stored", "tombstoned", "tombstoned"]
    kept = {(row["subject"], row["path"]) for row in place.lake.records(catalog.PHOTOS)}
    with place.set(*knows[1:]).writing() as context:
        bert = context.pseudonyms.subject("bert")
    assert {subject for subject, _ in kept} == {bert, None}
    assert "kiwi/copy.jpg" not in {path for _, path in kept}
    assert command("lift", "--subject", "anna", *words, *knows)[0] == 0
    send(place.landing, {"later.jpg": jpeg(5)}, subject="anna")
    assert command("--layer", "bronze", *words, *knows)[0] == 0
    assert place.lake.source(catalog.PHOTOS).count() == 3
