"""Bytes in a JPEG that libjpeg skips: they go with the metadata, and what a decoder shows whole is kept."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bronze.formats.cleaning_results import NotAPhoto
from bronze.formats.metadata_removal import clean
from silver.pixels import Limits
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_files import changed, frames, jpeg, picture, segment

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

PRIVATE = b"Jeanne-Canari-48.8566N"
LIMITS = Limits(10**6, 10**6, 8, 0, 20.0, 10**9)
SOS, EOI = 0xDA, b"\xff\xd9"

PHOTOS = {
    "baseline": jpeg(image=picture(size=(64, 48))),
    "progressive": jpeg(image=picture(size=(64, 48)), progressive=True),
    "restarts": jpeg(image=picture(size=(64, 48)), restart_marker_blocks=1),
    "grey": jpeg(image=picture("L", size=(64, 48))),
    "cmyk": jpeg(image=picture("CMYK", size=(64, 48))),
}

STRAY = {
    "zeros": bytes(3),
    "text": PRIVATE,
    "fill bytes": b"\xff" * 5,
    "an escaped 0xFF": b"\xff\0" + PRIVATE,
    "fill bytes before text": b"\xff\xff\xff\0" + PRIVATE,
    "a restart": b"\xff\xd3",
    "a restart and text": b"\xff\xd0" + PRIVATE,
    "text and a restart": PRIVATE + b"\xff\xd7",
    "APP1 shorter than its data": b"\xff\xe1\0\x04" + PRIVATE,
    "APP5 of no length": b"\xff\xe5\0\0" + PRIVATE,
    "APP5 of an impossible length": b"\xff\xe5\0\1" + PRIVATE,
    "a comment of no length": b"\xff\xfe\0\0",
    "a height that nobody asked for": segment(0xDC, PRIVATE),
    "a height of no length": b"\xff\xdc\0\0",
}


def places(photo: bytes, *, behind_scans: bool) -> list[int]:
    """The offsets of its segments, but the first one; without those directly behind a scan's data, unless
    they are asked for: only a decoder knows where such data end."""
    found, at, scanned = [], 2, False
    while photo[at : at + 2] != EOI:
        if at > 2 and (behind_scans or not scanned):
            found.append(at)
        scanned = photo[at + 1] == SOS
        at += 2 + int.from_bytes(photo[at + 2 : at + 4])
        if scanned:
            end = re.compile(rb"\xff[^\0\xff\xd0-\xd7]").search(photo, at)
            assert end
            at = end.start()
    return [*found, at] if behind_scans else found


def with_stray(photo: bytes, at: int, stray: bytes) -> bytes:
    return photo[:at] + stray + photo[at:]


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
@pytest.mark.parametrize("name", PHOTOS)
def test_stray_bytes_between_segments_go_and_nothing_else_does(name: str, stray: bytes) -> None:
    photo = PHOTOS[name]
    for at in places(photo, behind_scans=False):
        original = with_stray(photo, at, stray)
        assert frames(original) == frames(photo)  # Pillow shows it
        assert clean(original).content == clean(photo).content


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
@pytest.mark.parametrize("name", PHOTOS)
def test_stray_bytes_behind_a_scan_change_no_pixel(name: str, stray: bytes) -> None:
    photo = PHOTOS[name]
    for at in places(photo, behind_scans=True):
        content = clean(with_stray(photo, at, stray)).content
        assert frames(content) == frames(photo)
        assert clean(content).content == content


@pytest.mark.parametrize("name", PHOTOS)
def test_text_behind_a_marker_that_ends_a_scan_goes(name: str) -> None:
    photo = PHOTOS[name]
    # Behind the last restart interval, and behind any marker, nothing is read.
    for at in set(places(photo, behind_scans=True)) - set(places(photo, behind_scans=False)):
        assert PRIVATE not in clean(with_stray(photo, at, b"\xff\xfe\0\2" + PRIVATE)).content


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_that_are_no_marker_go(data: st.DataObject) -> None:
    photo = PHOTOS[data.draw(st.sampled_from(sorted(PHOTOS)))]
    ends = [0, *places(photo, behind_scans=False), len(photo)]
    pieces = [photo[start:end] for start, end in pairwise(ends)]
    junk = st.binary(max_size=40).map(lambda drawn: re.sub(rb"\xff+[^\0\xff]", b"", drawn))
    for number in data.draw(st.sets(st.integers(0, len(pieces) - 2), max_size=4)):
        stray = data.draw(junk).rstrip(b"\xff")
        pieces[number] += stray + data.draw(st.sampled_from([b"", PRIVATE]))
    original = b"".join(pieces)
    assert frames(original) == frames(photo)
    assert clean(original).content == clean(photo).content


def test_a_temporary_marker_is_skipped_as_libjpeg_does() -> None:
    """Pillow's own reader of headers doesn't know it; browsers read headers with libjpeg."""
    for at in places(PHOTOS["baseline"], behind_scans=False):
        original = with_stray(PHOTOS["baseline"], at, b"\xff\x01" + PRIVATE)
        assert clean(original).content == clean(PHOTOS["baseline"]).content


@pytest.mark.parametrize("missing", [b"", b"\xff", EOI], ids=["end", "half an end", "no end"])
@pytest.mark.parametrize(
    "behind",
    [b"\xff\xd8", jpeg(), segment(0xF7, PRIVATE), segment(0xDB, PRIVATE), b"\xff\xe1\xff\xff" + PRIVATE],
    ids=["start", "another photo", "unknown segment", "broken table", "cut segment"],
)  # fmt: skip
@pytest.mark.parametrize("name", PHOTOS)
def test_what_stands_behind_a_whole_image_is_no_part_of_it(
    name: str, behind: bytes, missing: bytes
) -> None:
    photo = PHOTOS[name]
    content = clean(photo[: len(photo) - len(missing)] + behind).content
    assert content == clean(photo).content


@pytest.mark.parametrize("name", [name for name in PHOTOS if name != "progressive"])
def test_a_photo_that_lacks_its_end_alone_is_read(name: str) -> None:
    photo = PHOTOS[name]
    stored = clean(photo[:-2]).content
    assert (
        decoded_pixels(stored, size=32, limits=LIMITS).tobytes()
        == decoded_pixels(clean(photo).content, size=32, limits=LIMITS).tobytes()
    )


def test_a_progressive_photo_that_lacks_scans_and_breaks_off_is_refused() -> None:
    photo = PHOTOS["progressive"]
    last = photo.rindex(b"\xff\xc4")
    with pytest.raises(NotAPhoto, match="marker D8 has no place there"):
        clean(photo[:last] + photo)


@pytest.mark.parametrize("length", [b"\0\0", b"\0\1", b"\0\x04", b"\0\x0c"])
def test_a_segment_of_a_wrong_length_leaves_no_byte_of_its_data(length: bytes) -> None:
    private = jpeg(segment(0xE1, b"Exif\0\0" + PRIVATE), image=picture(size=(64, 48)))
    original = changed(private, 4, length)
    assert frames(original) == frames(private)
    assert clean(original).content == clean(private).content


def test_a_file_of_stray_bytes_takes_linear_time() -> None:
    photo = PHOTOS["baseline"]
    at = places(photo, behind_scans=False)[0]
    for stray in (b"\xff" * 10**7, b"\xff\0" * 10**7, b"\xff\xd0" * 10**6, bytes(10**7)):
        assert clean(with_stray(photo, at, stray)).content == clean(photo).content
