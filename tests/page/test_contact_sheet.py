"""The page of similar photos: no person's photo, a file for this user alone, and never a browser of text."""

import stat

import pytest

from conf.errors import BadInput
from lake import catalog
from page import contact_sheet
from page.similar_photos import Neighbour, Neighbourhood
from report.thumbnails import FreePhotos
from silver.pixels import Limits
from tests.support import canary
from tests.support.photo_tables import write

LIMITS = Limits(
    max_bytes=10**7,
    max_pixels=10**7,
    min_side=16,
    blank_range=4,
    decode_seconds=20,
    decoder_memory=10**9,
)


def photo(name, seed, *, subject=None):
    path = f"subject={subject}/{name}" if subject else f"<b>kiwi</b>/{name}.jpg"
    row = {"photo_id": name, "subject": subject, "original": f"hash {seed}", "path": path}
    return row | {"content": canary.jpeg(seed)}


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    """Of four photos one may be shown: the others are a person's, a copy of one, and no photo of the lake."""
    root = tmp_path_factory.mktemp("lake")
    rows = [photo("free", 1), photo("own", 2, subject="pseudonym"), photo("copy", 2)]
    write(root, catalog.PHOTOS, rows)
    return FreePhotos.of(str(root), ["free", "own", "copy", "gone"])


@pytest.fixture(scope="module")
def text(free):
    near = [Neighbour(name, "<i>lime</i>", 0.9) for name in ("free", "own", "copy", "gone")]
    return contact_sheet.html(Neighbourhood(near, 0.4), free, model="lite", limits=LIMITS)


def test_the_path_and_the_bytes_of_a_persons_photo_and_its_copy_are_not_there(free):
    assert free.paths == {"free": "<b>kiwi</b>/free.jpg"}
    assert free.contents() == {"free": canary.jpeg(1)}


def test_a_person_is_not_in_the_sheet(text):
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count('class="none"') == 3
    for secret in ("pseudonym", "subject=", "kiwi</b>/copy", canary.MARKER):
        assert secret not in text


def test_the_sheet_loads_nothing_and_takes_names_for_text(text):
    assert "default-src 'none'" in text
    assert not [part for part in ("http:", "https:", "<script", "<link") if part in text]
    assert "<i>lime" not in text
    assert "&lt;b&gt;kiwi" in text


def test_only_this_user_may_read_the_file_whatever_stood_there(tmp_path):
    file = tmp_path / "similar.html"
    for before in (None, "an old sheet that all may read"):
        if before:
            file.write_text(before)
            file.chmod(0o666)
        contact_sheet.write("a sheet", file)
        assert file.read_text() == "a sheet"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["similar.html"]


@pytest.mark.parametrize("name", ["nowhere/similar.html", "."])
def test_a_file_that_can_not_be_written_is_one_sentence(tmp_path, name):
    with pytest.raises(BadInput, match=r"can't be written \(.*name another file with --out\."):
        contact_sheet.write("a sheet", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "10.0.0.1 22"}, "darwin", False),
    ],
)
def test_a_browser_is_started_only_where_there_is_a_display(environment, platform, expected):
    assert contact_sheet.has_display(environment, platform=platform) is expected


def test_where_there_is_a_display_the_browser_gets_the_address(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or True)
    file = tmp_path / "a b.html"
    assert contact_sheet.opened(file, environment={"DISPLAY": ":0"}, platform="linux")
    assert not contact_sheet.opened(file, environment={}, platform="linux")
    assert asked == [file.as_uri()]
