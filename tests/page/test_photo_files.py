"""The photos that names stand for: folders with all below them, and what is passed over is counted."""

import os

import pytest

from page import photo_files
from page.photo_files import PhotoFiles
from tests.support import canary


@pytest.fixture
def folder(tmp_path):
    """A folder with photos at each level, and with all that is no photo."""
    root = tmp_path / "photos"
    (root / "b" / ".hidden").mkdir(parents=True)
    (root / "empty").mkdir()
    for name in ("c.jpg", "a.PNG", "b/x.webp", "b/no ending", ".hidden.jpg", "b/.hidden/y.jpg"):
        (root / name).write_bytes(canary.jpeg(1))
    (root / "b/new\nline, [red].jpg").write_bytes(canary.jpeg(1))
    (root / "notes.txt").write_text("no photo")
    (root / "film").write_bytes(b"RIFF0000AVI ")
    (root / "phone.HEIC").write_text("a format that is not read")
    (root / "again").symlink_to(".")
    (root / "linked.jpg").symlink_to("c.jpg")
    (root / "gone.jpg").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    return root


def test_a_folder_stands_for_all_photos_below_it_by_name(folder):
    found = PhotoFiles.of([str(folder)])
    assert [os.path.relpath(path, folder) for path in found.paths] == [
        *("a.PNG", "c.jpg", "gone.jpg", "linked.jpg", "phone.HEIC"),
        *("b/new\nline, [red].jpg", "b/no ending", "b/x.webp"),
    ]
    assert found.sentence() == (
        "Not looked at: 3 files that are no photos, 1 hidden file, 1 hidden folder and 1 link to a folder."
    )
    assert not found.unusable


def test_files_and_folders_stay_in_their_order(folder):
    names = [str(folder / "notes.txt"), str(folder / "b"), "nowhere.jpg"]
    found = PhotoFiles.of(names)
    assert found.paths[0] == names[0]
    assert found.paths[-1] == "nowhere.jpg"
    assert len(found.paths) == 5


def test_a_folder_that_is_named_may_be_a_link_and_hidden(folder, tmp_path):
    (tmp_path / ".link").symlink_to(folder / "b")
    assert len(PhotoFiles.of([str(tmp_path / ".link")]).paths) == 3


def test_a_folder_without_photos_has_its_reason(folder):
    empty = str(folder / "empty")
    alone, beside = PhotoFiles.of([empty]), PhotoFiles.of([empty, str(folder / "c.jpg")])
    assert (alone.is_empty, beside.is_empty) == (True, False)
    assert alone.unusable == {empty: "no photo (JPEG, PNG, WebP, HEIC or AVIF) is in this folder"}


def test_a_folder_that_can_not_be_opened_has_its_reason(folder, monkeypatch):
    listed, closed = os.scandir, str(folder / "b")

    def scandir(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = PhotoFiles.of([str(folder)])
    assert found.unusable == {closed: "this folder can't be opened (Permission denied)"}
    assert closed in found.paths


def test_a_pipe_is_not_waited_for(folder):
    with pytest.raises(OSError, match="a pipe or a device"):
        photo_files.contents(str(folder / "pipe"), at_most=10)
    assert photo_files.contents(str(folder / "c.jpg"), at_most=10) == canary.jpeg(1)[:10]
