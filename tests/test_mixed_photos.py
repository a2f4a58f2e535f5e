"""The benchmark of files as they really come: what it makes, how it judges, and that each has its row."""

import copy
import io
import os
import struct
import zlib
from functools import partial, reduce

import pytest
from PIL import Image
from rich.console import Console

from benchmarks.mixed_files import LIMIT, OVER_LIMIT, RUBBISH, Shots, files
from benchmarks.mixed_photos import RAISED, fill, move, rows, shown, wrong_sums
from bronze.passed_over import PassedOver
from cli.commands.replay import replay_rejected
from cli.step_runner import run_steps
from conf.settings import Settings
from lake import photo_formats
from report.lake_counts import sums
from tests.support.photo_files import picture


@pytest.fixture(scope="module")
def made():
    return files(Shots(picture(size=(480, 360))))


@pytest.fixture
def photos(tmp_path_factory):
    """A folder of two photos and a text."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "Lime").mkdir()
    for seed in range(2):
        picture(size=(64, 64), seed=seed).save(folder / "Lime" / f"{seed}.jpg")
    (folder / "LICENSE").write_text("no photo")
    return folder


def unpacked(photo, kind):
    """The length of the packed content of a PNG's first chunk of a kind, which has a name before it."""
    start = photo.index(kind)
    body = photo[start + 4 : start + 4 + int.from_bytes(photo[start - 4 : start])]
    return len(zlib.decompress(body[body.index(b"\0") + 2 :]))


@pytest.mark.parametrize("conf", ["local", "emr"])
def test_each_glob_of_the_settings_has_a_file_and_each_file_a_glob(conf):
    globs = Settings.load(conf, environment={}).landing.passed_over
    for glob in globs:
        assert any(map(PassedOver((glob,)).matches, RUBBISH)), glob
    assert all(map(PassedOver(globs).matches, RUBBISH))


def test_the_files_differ_but_for_those_that_are_meant_to_be_the_same(made):
    found = [each for some in made.values() for each in some]
    assert len({each.path for each in found}) == len(found)
    assert len({each.content for each in found}) == len(found) - 1
    assert all(len(os.fsencode(each.path.rpartition("/")[2])) <= 255 for each in found)


def test_each_kind_is_what_it_is_called(made):
    [[heic], [avif], [large], [wide], [stray], [profile], [text]] = list(made.values())[:7]
    assert [photo_formats.format_of(each.content).name for each in (heic, avif)] == ["HEIC", "AVIF"]
    assert struct.unpack_from(">HH", large.content, large.content.index(b"\xff\xc0") + 5) == (
        9_000,
        12_000,
    )
    with Image.open(io.BytesIO(wide.content)) as photo:
        assert len(photo.info["icc_profile"]) > 300
    assert stray.content[20:24] == b"\0\0\0\xff"
    assert unpacked(profile.content, b"iCCP") > 1 << 20
    assert unpacked(text.content, b"zTXt") >= 2 << 20
    assert b"2563:01:01" in made["a photo of the year 2563"][0].content
    assert len(made[OVER_LIMIT][0].content) > LIMIT


def test_rows_that_differ_are_counted_and_shown(made):
    screen = io.StringIO()
    found = {each.path: each.row for some in made.values() for each in some}
    assert shown(Console(file=screen, width=200), made, found) == 0
    assert "WRONG" not in screen.getvalue()
    wrong = found | {"Kiwi/phone.avif": "rejected: not_a_photo", "Kiwi/empty.jpg": "no row"}
    assert shown(Console(file=screen, width=200), made, wrong) == 2
    assert screen.getvalue().count("WRONG") == 2


def test_each_file_has_its_row_and_wrong_sums_are_told(place, photos):
    made = fill(place.landing, photos)
    place.run()
    move(place.landing, made)
    raised = place.set(RAISED)
    with raised.writing() as context:
        run_steps(context, [("replay", partial(replay_rejected, reason="too_large"))])
    raised.run()
    found = rows(place.root, made)
    assert found == {each.path: each.row for some in made.values() for each in some}
    status = sums(raised.files, raised.settings.photos).facts()
    assert list(wrong_sums(status, made, photos=3)) == []
    assert list(wrong_sums(status, made, photos=4))
    for *path, name in (
        *(("landing", "listed"), ("landing", "parts", "known"), ("landing", "parts", "links")),
        *(("landing", "parts", "passed over"), ("landing", "parts", "new"), ("objects",)),
        *(("outcomes", "duplicate"), ("rejected", "empty"), ("photos",)),
        ("label_conflicts",),
    ):
        other = copy.deepcopy(status)
        reduce(dict.__getitem__, path, other)[name] += 1
        assert list(wrong_sums(other, made, photos=3)), name
    assert list(wrong_sums(status | {"disagreements": ["x"]}, made, photos=3)) == ["x"]
