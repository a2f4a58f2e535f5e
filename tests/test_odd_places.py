"""Machines and folders of other kinds: Windows, and lakes whose paths have odd characters."""

import subprocess
import sys

import pytest

import run
from conf.errors import BadInput
from lake import catalog
from lake.delta_rs_reader import check_address
from report.lake_counts import sums
from tests.support.photo_files import picture
from tests.support.place import Place

WINDOWS = """
import runpy, sys
sys.platform = "win32"
for name in ("fcntl", "pwd", "resource"):
    sys.modules[name] = None
sys.argv = [{path!r}, *{words!r}]
runpy.run_path({path!r}, run_name="__main__")
"""

UNFIT = ["%20", "a%2fb", "50%", "[1]", "a\nb", "tab\there", "back\\slash", "\x7f", "`", "\udcff"]


@pytest.mark.parametrize("words", [(), ("--help",), ("status",), ("--layer", "all")])
def test_on_windows_every_command_says_one_sentence(words):
    code = WINDOWS.format(path=run.__file__, words=list(words))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Fruit lake runs on Linux, macOS and WSL, not on Windows")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("words", [("--layer", "all", "--samples", "3"), ("status",)])
def test_a_lake_that_could_not_be_read_is_refused_before_it_is_made(command, tmp_path, name, words):
    lake = tmp_path / "over" / name / "lake"
    code, _, told = command(*words, "--landing", str(tmp_path / "in"), "--lake", str(lake))
    assert code == 2
    assert told.startswith("error: The path ")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_landing_folder_whose_path_is_no_utf_8_gets_one_sentence(place, command):
    lake, landing = place.settings.paths.lake, place.root / "\udcff"
    landing.mkdir()
    code, _, told = command("--layer", "bronze", "--lake", lake, "--landing", str(landing))
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith(f"error: The path {str(landing)!r} is no UTF-8")


@pytest.mark.parametrize("below", ["", "lake"])
def test_a_link_to_a_folder_that_could_not_be_read_is_refused(command, tmp_path, below):
    (tmp_path / "%20").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "%20")
    words = ("--landing", str(tmp_path / "in"), "--lake", str(tmp_path / "link" / below))
    code, _, told = command("--layer", "all", "--samples", "3", *words)
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith(f"error: The path {tmp_path.resolve() / '%20' / below} has % in it")
    assert list((tmp_path / "%20").iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["%20", "link"]


def test_a_lake_in_a_bucket_needs_a_prefix():
    with pytest.raises(BadInput, match="with a prefix of its own"):
        check_address("s3://bucket")


@pytest.mark.parametrize("landing", ["plain", "%20 \n\\ 100%"])
def test_a_lake_of_another_name_works(tmp_path, spark, landing):
    """Spaces, signs, umlauts and quotes in the folder of the lake; anything in that of the photos."""
    root = tmp_path / "a b#c?d ü 'e' \"f\" {a,b} g:h & $i"
    settings = Place.of(root, spark).settings
    place = Place.of(root, spark, f"paths.landing={tmp_path / landing}")
    assert place.settings.paths.lake == settings.paths.lake
    folder = tmp_path / landing / "kiwi"
    folder.mkdir(parents=True)
    picture(size=(64, 64)).save(folder / "1.jpg", "JPEG")
    picture(size=(65, 64)).save(folder / "2.jpg", "JPEG")
    assert place.run("bronze")["bronze"].counts["kept"] == 2
    held = sums(place.files)
    assert (held.photos, held.disagreements()) == (2, [])
    assert place.lake.read(catalog.PHOTOS).count() == 2
    assert place.run("bronze")["bronze"].counts == {}
