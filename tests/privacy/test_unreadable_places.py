"""What can't be listed or read may hold an erased photo: it is a residue, and never removed. No Spark."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conf.settings import Settings
from lake import working_files
from lake.lease import start_time
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import StoredKind
from lake.storage.local_folder import LocalFolder
from lake.working_files import PREFIX
from privacy.erasure import landing_objects, verification
from privacy.erasure.file_search import FileSearch
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_matcher import SubjectMatcher
from privacy.erasure.verification import SearchResult

NONE_KNOWN = KnownObjects(frozenset(), frozenset())
ERASED, OTHER = b"the erased photo", b"another photo"


@pytest.fixture
def search():
    keys = Pseudonyms(b"0123456789abcdef")
    subject = keys.tombstone(keys.subject("anna"))
    copy = keys.tombstone(keys.originals(ERASED))
    return SubjectMatcher(keys, subject, frozenset(), frozenset({subject, copy}))


@pytest.fixture
def landing(tmp_path):
    root = tmp_path / "landing"
    (root / "kiwi").mkdir(parents=True)
    (root / "kiwi" / "closed.jpg").write_bytes(OTHER)
    (root / "kiwi" / "copy.jpg").write_bytes(ERASED)
    (root / "kiwi" / "other.jpg").write_bytes(OTHER)
    return root


@pytest.fixture
def place(tmp_path):
    working_files.use(str(tmp_path / "working"))
    yield tmp_path / "working"
    working_files.use("")


def fail_to_open(monkeypatch, number):
    """No file can be closed to root: opening it fails here as it does for others."""
    opened = LocalFolder.open

    def fail(self, name, *, version=None):
        if os.path.basename(name).startswith("closed"):
            raise OSError(number, os.strerror(number), name)
        return opened(self, name, version=version)

    monkeypatch.setattr(LocalFolder, "open", fail)


def fail_to_enter(monkeypatch, folder):
    """A folder that may be listed and not entered, as one of the mode 444 is for others than root."""
    facts = os.lstat

    def fail(path, **given):
        if os.path.dirname(path) == str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return facts(path, **given)

    monkeypatch.setattr(os, "lstat", fail)


def residues(files, search):
    """What the search of files says, by the path from the root."""
    result = SearchResult(deep=False)
    for stored in files:
        verification._search_file(stored, FileSearch(search), result, store="lake")
    return {os.path.basename(each.path): each.what for each in result.residues}


def residues_of_landing(monkeypatch, landing, search):
    monkeypatch.setattr(KnownObjects, "of", lambda *_: NONE_KNOWN)
    settings = Settings.load("local", overrides=[f"paths.landing={landing}"])
    result = SearchResult(deep=False)
    verification._search_landing(None, settings, search, result)
    return {os.path.basename(each.path): each.what for each in result.residues}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_landing_object_is_named_and_stays(monkeypatch, landing, search, number):
    fail_to_open(monkeypatch, number)
    told = residues_of_landing(monkeypatch, landing, search)
    assert told.keys() == {"closed.jpg", "copy.jpg"}
    assert told["closed.jpg"] == "it can't be read, so it may be a copy"
    swept = landing_objects.sweep(str(landing), search, NONE_KNOWN, check_lease=lambda: None)
    assert swept == []
    assert sorted(path.name for path in landing.rglob("*.jpg")) == ["closed.jpg", "other.jpg"]


def test_a_landing_object_that_went_meanwhile_is_no_residue(monkeypatch, landing, search):
    fail_to_open(monkeypatch, errno.ENOENT)
    assert residues_of_landing(monkeypatch, landing, search).keys() == {"copy.jpg"}


def test_a_landing_folder_that_can_not_be_entered_is_named_and_stays(monkeypatch, landing, search):
    fail_to_enter(monkeypatch, landing / "kiwi")
    assert residues_of_landing(monkeypatch, landing, search).keys() == {"kiwi"}
    [left] = landing_objects.sweep(str(landing), search, NONE_KNOWN, check_lease=lambda: None)
    assert (left.name, left.kind) == ("kiwi", StoredKind.CLOSED)
    assert len(list(landing.rglob("*.jpg"))) == 3


@pytest.mark.parametrize(
    ("number", "is_residue"), [(errno.EACCES, True), (errno.EIO, True), (errno.ENOENT, False)]
)
def test_a_file_of_the_lake(monkeypatch, tmp_path, search, number, is_residue):
    (tmp_path / "closed.json").write_bytes(b"{}")
    fail_to_open(monkeypatch, number)
    told = residues(verification._files_of(LocalFolder(str(tmp_path))), search)
    assert told == (
        {"closed.json": f"it can't be read: {os.strerror(number)}"} if is_residue else {}
    )


def test_a_parquet_file_that_is_broken(tmp_path, search):
    (tmp_path / "part.parquet").write_bytes(b"PAR1 and nothing that a footer says PAR1")
    told = residues(verification._files_of(LocalFolder(str(tmp_path))), search)
    assert told["part.parquet"].startswith("a Parquet file that can't be read")


def test_a_folder_of_the_lake_that_can_not_be_entered(monkeypatch, tmp_path, search):
    (tmp_path / "bronze").mkdir()
    (tmp_path / "bronze" / "a").write_bytes(b"")
    (tmp_path / "bronze" / "b").write_bytes(b"")
    fail_to_enter(monkeypatch, tmp_path / "bronze")
    listed = list(verification._files_of(LocalFolder(str(tmp_path))))
    assert residues(listed, search) == {"bronze": "a folder that can't be listed"}
    assert len(listed) == 1


def test_a_link_to_a_folder_is_not_passed_over(tmp_path, search):
    """The walk doesn't follow it: what lies behind it was searched by nobody."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "copy").write_bytes(b"subject=anna")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "bronze").symlink_to(tmp_path / "elsewhere")
    told = residues(verification._files_of(LocalFolder(str(tmp_path / "lake"))), search)
    assert told == {"bronze": f"it can't be read: {os.strerror(errno.EISDIR)}"}


def test_a_link_whose_file_is_gone_is_no_residue(tmp_path, search):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert residues(verification._files_of(LocalFolder(str(tmp_path))), search) == {}


def test_a_place_of_working_files_that_can_not_be_listed(monkeypatch, place, search):
    def fail(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(working_files.os, "listdir", fail)
    [stored] = verification._working_files()
    assert stored.kind is StoredKind.CLOSED
    assert residues([stored], search) == {"": "a folder that can't be listed"}
    assert working_files.sweep() == [place]


def test_working_files_of_killed_runs_are_searched(monkeypatch, place, search):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = place / f"{PREFIX}{process.pid}-12345"
    (dead / "blocks").mkdir(parents=True)
    (dead / "blocks" / "closed").write_bytes(b"subject=bert")
    (dead / "blocks" / "name").write_bytes(b"subject=anna")
    Path(f"{dead}.log").write_bytes(b"subject=anna")
    living = place / f"{PREFIX}{os.getpid()}-{start_time(os.getpid())}"
    living.mkdir()
    (living / "own").write_bytes(b"subject=anna")
    fail_to_open(monkeypatch, errno.EACCES)
    told = residues(verification._working_files(), search)
    assert told.keys() == {"closed", "name", f"{dead.name}.log"}
