"""Files beside the tables: a swap that several try at once, and links that lead nowhere."""

import multiprocessing

import pytest

from lake.storage.folder import ObjectUnreadable, StoredKind
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


@pytest.mark.parametrize("place", ["", "kiwi/"])
def test_a_link_that_leads_to_itself_is_an_object_that_can_not_be_read(tmp_path, place):
    (tmp_path / "kiwi").mkdir()
    for name in ("a.jpg", "z.jpg"):
        (tmp_path / place / name).write_bytes(b"photo")
    (tmp_path / place / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / place / "leads nowhere.jpg").symlink_to("nothing")
    (tmp_path / place / "link.jpg").symlink_to("a.jpg")
    found = {each.name: each for each in LocalFolder(str(tmp_path)).listing()}
    assert found.keys() == {f"{place}{name}.jpg" for name in ("a", "z", "loop", "link")}
    assert {each.kind for each in found.values()} == {StoredKind.FILE}
    files = LocalFolder(str(tmp_path))
    loop = found.pop(f"{place}loop.jpg")
    with pytest.raises(ObjectUnreadable):
        files.read_listed(loop)
    assert not files.can_read(loop)
    assert {files.read_listed(each) for each in found.values()} == {b"photo"}
