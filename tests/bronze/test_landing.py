"""Listing and reading the landing folder: any name, and every way in which an object can be gone."""

import os
import pickle

import pytest

from bronze import listing_counts
from bronze.landing import Landing, LandingObject, ListingCounts, arrival, overlap
from conf.errors import BadInput
from lake import metric_names
from lake.enums import BRONZE
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from lake.storage.folder import ObjectGone, ObjectUnreadable
from lake.subject_names import NameRule, NameRuleVersion
from tests.support.landing_folders import ODD_NAMES

KEYS = Pseudonyms(b"0123456789abcdef")


def listed(root):
    return {found.path: found for found in Landing(str(root)).objects()}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_listed_and_read(tmp_path, name):
    (tmp_path / "subject=a b").mkdir()
    with open(os.path.join(tmp_path, "subject=a b", name), "wb") as file:
        file.write(b"content")
    [found] = Landing(str(tmp_path)).objects()
    assert found.path == f"subject=a b/{name}"
    assert Landing(str(tmp_path)).read(found) == b"content"


def test_only_files_are_objects(tmp_path):
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path, tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert list(listed(tmp_path)) == ["file"]
    listing, did = ListingCounts(), LayerRun(BRONZE)
    assert [each.path for each in Landing(str(tmp_path)).objects(listing)] == ["file"]
    listing_counts.note(listing, "landing", did)
    assert did.notes == [
        "2 links or special files under landing are not followed: put the photos themselves there, or "
        "name the folder that a link leads to with --landing."
    ]
    listing_counts.measure(listing, did, new=1, unreadable=0)
    assert (did.numbers[metric_names.LISTED], did.numbers[metric_names.LINKS]) == (3, 2)


def test_a_changed_object_has_another_etag(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = listed(tmp_path)["a"]
    path.write_bytes(b"22")
    assert listed(tmp_path)["a"].etag != before.etag
    with pytest.raises(ObjectGone):
        Landing(str(tmp_path)).read(before)


@pytest.mark.parametrize("name", ["vanished", "file/under-a-file"])
def test_what_vanished_is_gone(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ObjectGone):
        Landing(str(tmp_path)).read(LandingObject(name, 0, 0))


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(ObjectGone):
        Landing(str(tmp_path)).read(LandingObject("a", 3, 0))


def test_no_permission_is_said(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ObjectUnreadable, match="Permission denied"):
        Landing(str(tmp_path)).read(LandingObject("a", 0, 0))


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("{tmp}/absent", "doesn't exist; make it and put photos there"),
        ("{tmp}/file", "doesn't exist"),
        ("gs://bucket/x", "neither a local folder nor s3://bucket/prefix"),
    ],
)
def test_a_root_that_is_none_is_refused(tmp_path, root, message):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=message):
        next(Landing(root.format(tmp=tmp_path)).objects())


@pytest.mark.parametrize(
    ("path", "label", "has_subject"),
    [
        ("Kiwi/1.jpg", "Kiwi", False),
        ("train/Kiwi/1.jpg", "Kiwi", False),
        ("label=kiwi/1.jpg", "kiwi", False),
        ("label=kiwi/2026/1.jpg", "kiwi", False),
        ("subject=anna/label=kiwi/1.jpg", "kiwi", True),
        ("label=kiwi/subject=anna/1.jpg", "kiwi", True),
        ("subject=anna/2026/11/1.jpg", None, True),
        ("subject=/1.jpg", None, False),
        ("1.jpg", None, False),
        ("SUBJECT%3D%20anna/Label=kiwi/1.jpg", "kiwi", True),
        ("subject=anna/subject=/1.jpg", None, True),
    ],
)
def test_the_path_tells_label_and_subject(path, label, has_subject):
    found = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=KEYS)
    assert found.label == label
    assert found.subject == (KEYS.subject("anna") if has_subject else None)
    assert found.stored_path == (
        f"subject={found.subject}/{KEYS.path(path)}" if has_subject else path
    )


@pytest.mark.parametrize("path", ["user=anna/label=kiwi/1.jpg", "subject-anna/1.jpg"])
def test_of_a_path_that_only_looks_like_a_subjects_nothing_is_kept(path):
    found = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=KEYS)
    assert found.is_uncertain
    assert (found.subject, found.label, found.stored_path) == (None, None, "")
    assert found.key == KEYS.path(path)


@pytest.mark.parametrize(
    ("path", "subject", "label", "stored"),
    [
        ("subject= anna/1.jpg", " anna", None, None),
        ("Subject=anna/1.jpg", None, None, "Subject=anna/1.jpg"),
        ("user=anna/1.jpg", None, None, "user=anna/1.jpg"),
        ("Golden%20One/1.jpg", None, "Golden%20One", "Golden%20One/1.jpg"),
    ],
)
def test_a_lake_of_format_4_reads_paths_as_it_did(path, subject, label, stored):
    before = Pseudonyms(KEYS.secret, NameRule(NameRuleVersion.AS_WRITTEN))
    found = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=before)
    assert (found.label, found.is_uncertain) == (label, False)
    assert found.subject == (before.subject(subject) if subject else None)
    assert found.stored_path == (stored or f"subject={found.subject}/{before.path(path)}")


@pytest.mark.parametrize(
    ("landing", "lake", "expected"),
    [
        ("a", "a", True),
        ("a", "a/b", True),
        ("a/b", "a", True),
        ("a", "b", False),
        ("a", "ab", False),
    ],
)
def test_folders_within_one_another_are_noticed(tmp_path, landing, lake, expected):
    assert overlap(str(tmp_path / landing), str(tmp_path / lake)) is expected


def test_workers_get_an_address_that_holds_in_every_working_folder(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)
    landing = Landing("photos")
    [found] = landing.objects()
    sent = pickle.dumps(landing)
    monkeypatch.chdir("/")
    assert pickle.loads(sent).read(found) == b"content"
