"""A landing object that can't be read may be a copy of an erased photo: it is named, and stays. No Spark."""

import os
from types import SimpleNamespace

import pytest

from conf.settings import Settings
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import StoredKind
from lake.storage.local_folder import LocalFolder
from lake.storage.locate import folder
from privacy.erasure import landing_objects, verification
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_matcher import SubjectMatcher
from privacy.erasure.verification import SearchResult

NONE_KNOWN = KnownObjects(frozenset(), frozenset())


@pytest.fixture
def search():
    keys = Pseudonyms(b"0123456789abcdef")
    tombstone = keys.tombstone(keys.subject("anna"))
    erased = keys.tombstone(keys.originals(b"erased"))
    return SubjectMatcher(keys, tombstone, frozenset(), frozenset({tombstone, erased}))


@pytest.fixture
def landing(tmp_path):
    (tmp_path / "kiwi").mkdir()
    for name in ("closed", "erased", "other"):
        (tmp_path / "kiwi" / f"{name}.jpg").write_bytes(name.encode())
    return tmp_path


def fail_to_open(monkeypatch, error):
    """Nobody can close a file to root: opening it fails as it would for another user."""
    opened = LocalFolder.open

    def open_(self, name, **more):
        if name.endswith("closed.jpg"):
            raise error
        return opened(self, name, **more)

    monkeypatch.setattr(LocalFolder, "open", open_)


def searched(landing, search, monkeypatch):
    known = SimpleNamespace(of=lambda lake, search: NONE_KNOWN)
    monkeypatch.setattr(landing_objects, "KnownObjects", known)
    monkeypatch.setattr(verification, "KnownObjects", known)
    paths = [f"paths.landing={landing}", f"paths.lake={landing}-lake"]
    settings = Settings.load("local", environment={}, overrides=paths)
    result = SearchResult(deep=False)
    verification._search_landing(None, settings, search, result)
    return {residue.path.rpartition("/")[2]: residue.what for residue in result.residues}


def test_the_verification_names_it(landing, search, monkeypatch):
    fail_to_open(monkeypatch, PermissionError(13, "Permission denied"))
    found = searched(landing, search, monkeypatch)
    assert found.keys() == {"closed.jpg", "erased.jpg"}
    assert "can't be read: Permission denied" in found["closed.jpg"]


def test_one_that_went_meanwhile_is_no_residue(landing, search, monkeypatch):
    fail_to_open(monkeypatch, FileNotFoundError(2, "No such file"))
    assert searched(landing, search, monkeypatch).keys() == {"erased.jpg"}


def test_it_is_not_removed(landing, search, monkeypatch):
    fail_to_open(monkeypatch, PermissionError(13, "Permission denied"))
    left = landing_objects.sweep(str(landing), search, NONE_KNOWN, check_lease=lambda: None)
    assert left == []
    assert {path.name for path in landing.rglob("*.jpg")} == {"closed.jpg", "other.jpg"}


def test_a_file_whose_facts_are_closed_is_listed_as_closed(landing, monkeypatch):
    facts = os.lstat

    def lstat(path):
        if str(path).endswith("closed.jpg"):
            raise PermissionError(13, "Permission denied")
        return facts(path)

    monkeypatch.setattr("lake.storage.local_folder.os.lstat", lstat)
    kinds = {each.name: each.kind for each in folder(str(landing)).stored()}
    assert kinds["kiwi/closed.jpg"] is StoredKind.CLOSED
    assert kinds["kiwi/other.jpg"] is StoredKind.FILE
