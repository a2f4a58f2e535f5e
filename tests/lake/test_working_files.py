"""Working files: whose they are, where they lie, and that those of killed processes are found and removed."""

import os
import subprocess
import sys

import pytest

import run
from conf.errors import BadInput
from lake import working_files
from lake.lease import start_time
from lake.working_files import PREFIX


@pytest.fixture
def place(tmp_path):
    working_files.use(str(tmp_path / "made" / "working"))
    yield tmp_path / "made" / "working"
    working_files.use("")


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def put(place, name):
    """A folder with a file, and a log."""
    (place / name).mkdir()
    (place / name / "broadcast").write_bytes(b"subject=canary")
    (place / f"{name}.log").write_text("canary")
    return {name, f"{name}.log"}


def test_what_killed_processes_left_is_removed_and_nothing_else(place, dead):
    me = os.getpid()
    own = put(place, working_files.own_folder().name)
    assert own == {f"{PREFIX}{me}-{start_time(me)}", f"{PREFIX}{me}-{start_time(me)}.log"}
    kept = own | put(place, f"{PREFIX}{me}") | put(place, f"{PREFIX}notes") | put(place, "other")
    left = put(place, f"{PREFIX}{dead}-12345") | put(place, f"{PREFIX}{dead}")
    # Another process has its number now.
    left |= put(place, f"{PREFIX}{me}-1")
    assert {path.name for path in working_files.left_behind()} == left
    assert working_files.sweep() == []
    assert {path.name for path in place.iterdir()} == kept


def test_what_can_not_be_removed_is_told(place, dead, monkeypatch):
    left = put(place, f"{PREFIX}{dead}-12345")
    monkeypatch.setattr(working_files.shutil, "rmtree", lambda *of, **how: None)
    assert [path.name for path in working_files.sweep()] == [min(left)]


def test_where_no_place_is_named_it_is_the_systems(tmp_path, monkeypatch):
    monkeypatch.setattr(working_files.tempfile, "gettempdir", lambda: str(tmp_path))
    working_files.use("")
    assert working_files.own_folder().parent == working_files.log_file().parent == tmp_path


def test_a_place_that_can_not_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match=r"paths\.working: the folder .*file/in can't be made"):
        working_files.use(str(tmp_path / "file" / "in"))
    working_files.use("")


def test_the_setting_names_the_place(tmp_path):
    wanted = tmp_path / "working"
    words = ["status", "--set", f"paths.working={wanted}", "--lake", str(tmp_path / "nowhere")]
    assert run.main(words) == 2
    assert (working_files.place(), wanted.is_dir()) == (wanted, True)
    working_files.use("")
