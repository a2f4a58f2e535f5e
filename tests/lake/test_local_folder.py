"""Files beside the tables: swaps that several try at once, what reaches the disk, links that lead nowhere."""

import errno
import multiprocessing
import os
import stat

import pytest

from conf.errors import Inconsistent
from lake import secret_places
from lake.storage.folder import ObjectUnreadable, StoredKind, StoredObject
from lake.storage.local_folder import LocalFolder

WRITERS, TIMES = 4, 150


def test_a_swap_happens_where_the_file_holds_what_was_expected(tmp_path):
    files = LocalFolder(str(tmp_path))
    assert not files.swap("a", b"2", expected=b"1")
    assert files.swap("a", b"1", expected=None)
    assert not files.swap("a", b"2", expected=None)
    assert files.swap("a", b"2", expected=b"1")
    assert files.read("a") == b"2"
    assert files.swap("a", None, expected=b"2")
    assert not files.exists("a")


def test_of_many_swaps_at_once_none_is_lost(tmp_path):
    """Each writer counts one number up, by swaps alone: where two could succeed on one value, it ends low."""
    LocalFolder(str(tmp_path)).write("count", b"0")

    def count_up():
        files, done = LocalFolder(str(tmp_path)), 0
        while done < TIMES:
            held = files.read("count")
            done += files.swap("count", b"%d" % (int(held) + 1), expected=held)

    writers = [multiprocessing.get_context("fork").Process(target=count_up) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert int(LocalFolder(str(tmp_path)).read("count")) == WRITERS * TIMES


def steps(monkeypatch):
    """What reaches the disk, in order: which files and folders are synced and what is renamed."""
    done = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle):
        size = os.fstat(handle).st_size
        place = os.readlink(f"/proc/self/fd/{handle}")
        done.append(("sync", os.path.basename(place), None if os.path.isdir(place) else size))
        fsync(handle)

    def note_replace(source, target):
        done.append(("move", os.path.basename(source), os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    return done


def test_a_file_is_on_the_disk_before_it_is_moved_and_its_name_after(tmp_path, monkeypatch):
    done = steps(monkeypatch)
    files = LocalFolder(str(tmp_path / "lake"))
    for write in (
        lambda: files.write("privacy/certificate.json", b"four"),
        lambda: files.swap("privacy/certificate.json", b"five!", expected=b"four"),
    ):
        done.clear()
        write()
        assert done == [
            (
                "sync",
                ".certificate.json.part",
                os.path.getsize(tmp_path / "lake/privacy/certificate.json"),
            ),
            ("move", ".certificate.json.part", "certificate.json"),
            ("sync", "privacy", None),
        ]
    assert files.read("privacy/certificate.json") == b"five!"


def test_a_file_system_that_syncs_no_folders_is_written_to_all_the_same(tmp_path, monkeypatch):
    fsync = os.fsync

    def of_files_alone(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", of_files_alone)
    files = LocalFolder(str(tmp_path))
    assert files.swap("lease.json", b"one", expected=None)
    assert files.swap("lease.json", b"two", expected=b"one")


def test_a_key_file_and_its_name_are_on_the_disk_before_anything_is_made_with_it(
    tmp_path, monkeypatch
):
    done = steps(monkeypatch)
    secret_places.load("file:{lake}.key", lake=str(tmp_path / "lake"), make=True)
    assert done == [("sync", "lake.key", 64), ("sync", tmp_path.name, None)]


@pytest.mark.parametrize("content", [b"", b"{"])
def test_a_json_file_that_says_nothing_is_told(tmp_path, content):
    files = LocalFolder(str(tmp_path))
    files.write("a.json", content)
    what = "can't be understood" if content else "is empty, as if this machine had lost power"
    with pytest.raises(Inconsistent, match=rf"/a\.json {what}; put back the file from a copy"):
        files.read_json("a.json")


@pytest.mark.parametrize("place", ["", "kiwi/"])
def test_links_and_special_files_are_listed_as_such_and_not_followed(tmp_path, place):
    (tmp_path / "kiwi").mkdir()
    for name in ("a.jpg", "z.jpg"):
        (tmp_path / place / name).write_bytes(b"photo")
    links = {"loop.jpg": "loop.jpg", "leads nowhere.jpg": "nothing", "link.jpg": "a.jpg"}
    links["folder"] = str(tmp_path)
    for name, to in links.items():
        (tmp_path / place / name).symlink_to(to)
    os.mkfifo(tmp_path / place / "pipe")
    found = {each.name: each.kind for each in LocalFolder(str(tmp_path)).listing()}
    assert found == {
        **{f"{place}{name}": StoredKind.FILE for name in ("a.jpg", "z.jpg")},
        **{f"{place}{name}": StoredKind.LINK for name in (*links, "pipe")},
    }


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="no file system without sizes")
def test_a_file_whose_size_is_not_known_is_unreadable_and_stays_so():
    files = LocalFolder("/proc")
    facts = os.stat("/proc/version")
    listed = StoredObject(files, "version", facts.st_size, modified_ns=facts.st_mtime_ns)
    with pytest.raises(ObjectUnreadable, match="doesn't tell its size"):
        files.read_listed(listed)
    assert not files.can_read(listed)


def test_an_empty_file_can_be_read(tmp_path):
    (tmp_path / "empty").touch()
    [listed] = LocalFolder(str(tmp_path)).listing()
    assert LocalFolder(str(tmp_path)).can_read(listed)


BEGINS = ["2026/11/05/", "2026/11/05", "2026", "", "3", "uploads/2026-11-05", "2026/11/05/b.jpg"]
DAYS = [
    *("2025/12/31/a.jpg", "2026/11/04/z.jpg", "2026/11/05/a.jpg", "2026/11/05/b.jpg"),
    *("2026/11/05-b.jpg", "2026/11/06/a/b/c.jpg", "2026/2/1.jpg", "2026/11/.jpg", "2026-x.jpg"),
    *(
        "20261105.jpg",
        "uploads/2026-11-04/x.jpg",
        "uploads/2026-11-05",
        "uploads/2026-11-05x/y.jpg",
    ),
    *("é/x.jpg", "Zoo/x.jpg", "zoo/x.jpg", "+/x.jpg"),
]


@pytest.mark.parametrize("begin", BEGINS)
def test_a_listing_that_begins_somewhere_has_the_names_from_there_on(tmp_path, begin):
    for name in DAYS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [each.name for each in LocalFolder(str(tmp_path)).listing(begin=begin)]
    assert sorted(found) == sorted(name for name in DAYS if name.encode() >= begin.encode())


def test_folders_before_the_beginning_are_not_entered(tmp_path, monkeypatch):
    for day in range(1, 30):
        (tmp_path / f"2026/11/{day:02}").mkdir(parents=True)
    (tmp_path / "2025/11/01").mkdir(parents=True)
    entered, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: entered.append(path) or scandir(path))
    list(LocalFolder(str(tmp_path)).listing(begin="2026/11/27/"))
    below = {os.path.relpath(path, tmp_path) for path in entered}
    assert below == {".", "2026", "2026/11", "2026/11/27", "2026/11/28", "2026/11/29"}
