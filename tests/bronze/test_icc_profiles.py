"""Colour profiles: nothing private stays in them, and a colour-managed reader sees the same colours."""

from __future__ import annotations

import io
import itertools
import struct
import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bronze.formats import icc_profiles
from bronze.formats.icc_profiles import rebuilt
from bronze.formats.metadata_removal import clean
from tests.support.colour_profiles import (
    display,
    element_lut,
    grey,
    matrix_tags,
    printer,
    profile,
    scanner,
    table_lut,
    xyz,
)
from tests.support.photo_files import (
    before_end,
    chunk,
    encoded,
    frames,
    jpeg,
    opened,
    picture,
    png,
    riff,
    riff_chunk,
    segment,
)

NEEDLE = b"Jeanne-Canari-48.8566N"
ICC = b"ICC_PROFILE\0"
MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
KINDS = {
    "display": (display, {}),
    "display of version 2": (display, {"version": 2}),
    "grey": (grey, {}),
    "scanner": (scanner, {}),
    "printer": (printer, {}),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def private(kind: str) -> bytes:
    """A profile with the needle in its header, its texts, behind its tags and between their parts."""
    make, options = KINDS[kind]
    return make(**options, private=NEEDLE, behind=NEEDLE + b"..")


def leaks(content: bytes) -> bool:
    """Whether any five characters in a row of the needle are there, in UTF-8 or UTF-16."""
    pieces = [NEEDLE[at : at + 5].decode() for at in range(len(NEEDLE) - 4)]
    return any(piece.encode(form) in content for piece in pieces for form in ("utf-8", "utf-16-be"))


def colours(icc: bytes, intent: int) -> tuple[bytes, bytes]:
    """What a reader shows of all kinds of pixels, and which ink or light it wants for colours of sRGB."""
    mode = MODES[icc[16:20]]
    shown = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    screen = ImageCms.createProfile("sRGB")
    read = ImageCms.buildTransform(shown, screen, mode, "RGB", renderingIntent=intent)
    pixels = picture(mode, size=(64, 48))
    seen = ImageCms.applyTransform(pixels, read).tobytes()
    try:
        write = ImageCms.buildTransform(screen, shown, "RGB", mode, renderingIntent=intent)
    except ImageCms.PyCMSError:
        return seen, b""
    return seen, ImageCms.applyTransform(picture("RGB", size=(64, 48)), write).tobytes()


@each_kind
def test_nothing_private_stays_in_a_profile(kind: str) -> None:
    original = private(kind)
    assert original.count(NEEDLE) > 5
    assert not leaks(rebuilt(original))


@pytest.mark.parametrize("intent", range(4))
@each_kind
def test_a_reader_sees_the_same_colours(kind: str, intent: int) -> None:
    original = private(kind)
    before, after = colours(original, intent), colours(rebuilt(original), intent)
    assert after == before
    assert np.frombuffer(before[0], np.uint8).std() > 40


@each_kind
def test_a_rebuilt_profile_stays_as_it_is(kind: str) -> None:
    fresh = rebuilt(private(kind))
    assert rebuilt(fresh) == fresh
    assert int.from_bytes(fresh[:4]) == len(fresh) <= len(private(kind))


@each_kind
def test_two_owners_of_one_kind_of_device_have_one_profile(kind: str) -> None:
    make, options = KINDS[kind]
    assert rebuilt(private(kind)) == rebuilt(make(**options))


def test_a_rebuilt_profile_has_neutral_texts_and_the_rendering_intent() -> None:
    read = ImageCms.ImageCmsProfile(io.BytesIO(rebuilt(private("display")))).profile
    assert (read.profile_description, read.copyright) == ("Colours of a photo", "None")
    assert (read.rendering_intent, read.header_manufacturer) == (1, "\0" * 4)
    assert (read.target, read.manufacturer, read.model) == (None, None, None)
    assert read.creation_date.year == 2000


def test_the_profile_of_a_common_library_stays_in_use() -> None:
    original = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert [colours(rebuilt(original), n) for n in range(4)] == [
        colours(original, n) for n in range(4)
    ]


# Profiles that can't be rebuilt

PLAIN, NAMED = display(), display(private=NEEDLE)
WITHOUT_BLUE = {name: tag for name, tag in matrix_tags().items() if name != b"bXYZ"}
LUT = table_lut(3, 3, points=3, bits=8)
ELEMENTS = element_lut(b"mAB ", (3, 3), points=3, gap=b"")
BROKEN = {
    "nothing": b"",
    "no profile": NEEDLE * 40,
    "cut off": PLAIN[:300],
    "no signature": PLAIN[:36] + b"none" + PLAIN[40:],
    "version 5": PLAIN[:8] + b"\5" + PLAIN[9:],
    "a device link": profile(matrix_tags(), kind=b"link"),
    "another space": profile(matrix_tags(), space=b"Lab "),
    "another connection": profile(matrix_tags(), connection=b"RGB "),
    "no tags": profile({}),
    "no blue": profile(WITHOUT_BLUE),
    "a curve broken beside a LUT": profile(matrix_tags() | {b"A2B0": LUT, b"rTRC": xyz(1, 1, 1)}),
    "a broken LUT before primaries": profile(matrix_tags() | {b"A2B0": b"mft2" + bytes(12)}),
    "a tag twice": NAMED[:132] + NAMED[144:156] + NAMED[144:],
    "too many tags": profile(matrix_tags() | {b"%04d" % n: b"" for n in range(100)}),
    "another type": profile(matrix_tags() | {b"rXYZ": b"text" + bytes(16)}),
    "an unknown curve": profile(matrix_tags() | {b"rTRC": b"para\0\0\0\0\0\5" + bytes(40)}),
    "no curve": profile(matrix_tags() | {b"rTRC": xyz(1, 1, 1)}),
    "a curve past the end": profile(
        matrix_tags() | {b"rTRC": b"curv" + bytes(4) + struct.pack(">I", 2**31)}
    ),
    "a LUT of other channels": profile({b"A2B0": table_lut(4, 3, points=2, bits=8)}),
    "a LUT past the end": profile({b"A2B0": LUT[:-1]}),
    "a LUT of an unknown type": profile({b"A2B0": b"mft3" + LUT[4:]}),
    "elements without B curves": profile({b"A2B0": ELEMENTS[:12] + bytes(4) + ELEMENTS[16:]}),
    "elements past the end": profile(
        {b"A2B0": ELEMENTS[:24] + b"\xff\xff\xff\xff" + ELEMENTS[28:]}
    ),
    "numbers of three bytes": profile({b"A2B0": ELEMENTS[:48] + b"\3" + ELEMENTS[49:]}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_cannot_be_rebuilt_is_none(name: str) -> None:
    assert rebuilt(BROKEN[name]) is None


def test_the_broken_profiles_would_be_whole_otherwise() -> None:
    assert rebuilt(PLAIN)
    assert rebuilt(NAMED)
    assert rebuilt(profile({b"A2B0": LUT}))
    assert rebuilt(profile({b"A2B0": ELEMENTS}))


def outside(icc: bytes, tag: bytes, start: int = 2**31, length: int = 99) -> bytes:
    """The profile with that entry of its table pointing past the end."""
    entry = icc.index(tag, 128)
    return icc[: entry + 4] + struct.pack(">II", start, length) + icc[entry + 12 :]


SWAPPED = matrix_tags() | {b"rXYZ": matrix_tags()[b"gXYZ"], b"gXYZ": matrix_tags()[b"rXYZ"]}
EXTRA = SWAPPED | {b"A2B0": LUT, b"B2A2": LUT}
OPTIONAL = {
    "B2A0 broken": profile(SWAPPED | {b"B2A0": b"mft2" + bytes(12)}),
    "A2B2 of an unknown type": profile(SWAPPED | {b"A2B2": b"mpet" + bytes(40)}),
    "B2A2 outside": outside(profile(EXTRA), b"B2A2"),
    "A2B0 outside": outside(profile(EXTRA), b"A2B0"),
    "A2B0 at nothing": outside(profile(EXTRA), b"A2B0", 0, 0),
    "chad short": profile(SWAPPED | {b"chad": SWAPPED[b"chad"][:20]}),
    "chad of another type": profile(SWAPPED | {b"chad": xyz(1, 1, 1)}),
    "chad outside": outside(profile(SWAPPED), b"chad"),
    "wtpt of another type": profile(SWAPPED | {b"wtpt": b"sf32" + bytes(40)}),
    "cicp short": profile(SWAPPED | {b"cicp": b"cicp" + bytes(4)}),
    "version 3": profile(SWAPPED, version=3),
    "a matrix that connects to Lab": profile(SWAPPED, connection=b"Lab "),
}


def shown(icc: bytes, intent: int, flags: int = 0) -> bytes | None:
    """What LittleCMS shows of a photo with that profile, or None where it can't read it."""
    try:
        return ImageCms.profileToProfile(
            picture("RGB", size=(64, 48)),
            io.BytesIO(icc),
            ImageCms.createProfile("sRGB"),
            renderingIntent=intent,
            flags=flags,
        ).tobytes()
    except ImageCms.PyCMSError:
        return None


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_tag_that_decides_no_colours_may_be_broken(name: str) -> None:
    fresh = rebuilt(OPTIONAL[name])
    assert fresh
    assert rebuilt(fresh) == fresh
    read = [intent for intent in range(4) if shown(OPTIONAL[name], intent)]
    assert len(read) >= 3
    for intent, flags in itertools.product(read, (0, 0x2000)):
        assert shown(fresh, intent, flags) == shown(OPTIONAL[name], intent, flags), intent
    assert shown(fresh, 0) != picture("RGB", size=(64, 48)).tobytes()


@pytest.mark.parametrize("tag", [b"wtpt", b"A2B1"])
def test_a_tag_of_one_intent_is_left_out_and_the_other_intents_stay(tag: bytes) -> None:
    """LittleCMS reads a white point on behind the tag's end, where private bytes may stand."""
    broken = {b"wtpt": SWAPPED[b"wtpt"][:12], b"A2B1": b"mpet" + bytes(40)}[tag]
    original = profile(SWAPPED | {tag: broken})
    fresh = rebuilt(original)
    assert tag not in fresh
    for intent in (0, 2):
        assert shown(fresh, intent) == shown(original, intent) is not None


def test_a_longer_file_than_the_profile_says_counts_up_to_there() -> None:
    assert rebuilt(PLAIN + NEEDLE) == rebuilt(PLAIN)
    assert rebuilt(struct.pack(">I", 300) + PLAIN[4:]) is None


def test_a_profile_longer_than_any_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icc_profiles, "LONGEST", len(PLAIN) - 1)
    assert rebuilt(PLAIN) is None


def test_tags_that_share_their_bytes_can_make_no_longer_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lut = table_lut(3, 3, points=9, bits=8)
    shared = profile({b"A2B0": lut} | dict.fromkeys((b"A2B1", b"A2B2", b"B2A0"), b""))
    for number in range(1, 4):
        at = 136 + 12 * number
        shared = shared[:at] + struct.pack(">II", 132 + 4 * 12, len(lut)) + shared[at + 8 :]
    assert len(rebuilt(shared)) < len(shared) + 200
    monkeypatch.setattr(icc_profiles, "LONGEST", 4 * len(lut) - 1)
    assert rebuilt(shared) is None


@given(st.data())
@settings(max_examples=200)
def test_damaged_profiles_are_rebuilt_or_none(data: st.DataObject) -> None:
    damaged = bytearray(private(data.draw(st.sampled_from(list(KINDS)))))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    fresh = rebuilt(bytes(damaged))
    assert fresh is None or rebuilt(fresh) == fresh


# Photos with profiles


def parts(icc: bytes, size: int) -> list[bytes]:
    """The segments of a profile, each with so many of its bytes."""
    pieces = [icc[at : at + size] for at in range(0, len(icc), size)]
    return [
        segment(0xE2, ICC + bytes([number + 1, len(pieces)]) + piece)
        for number, piece in enumerate(pieces)
    ]


def photos(kind: str) -> dict[str, bytes]:
    """A photo with the profile in each format that can hold one of its colours."""
    icc = private(kind)
    image = picture(MODES[icc[16:20]])
    found = {
        "jpeg": jpeg(image=image, icc_profile=icc),
        "jpeg in parts": jpeg(*reversed(parts(icc, 120 + len(icc) // 99)), image=image),
    }
    if image.mode != "CMYK":
        name = chunk(b"iCCP", NEEDLE + b"\0\0" + zlib.compress(icc) + NEEDLE)
        found |= {"png": png(name, image=image)}
    if image.mode == "RGB":
        found |= {"webp": encoded(image, "WEBP", icc_profile=icc)}
    return found


@each_kind
def test_a_photo_keeps_its_pixels_and_the_rebuilt_profile(kind: str) -> None:
    for name, original in photos(kind).items():
        content = clean(original).content
        assert not leaks(content), name
        assert frames(content) == frames(original), name
        assert opened(content).info["icc_profile"] == rebuilt(private(kind)), name
        assert clean(content).content == content, name


def test_a_long_profile_takes_several_segments() -> None:
    icc = printer(points=30)
    content = clean(jpeg(image=picture("CMYK"), icc_profile=icc)).content
    assert content.count(ICC) == 4
    assert opened(content).info["icc_profile"] == rebuilt(icc)


PNG_PROFILE = b"icc\0\0" + zlib.compress(PLAIN)
LOST = {
    "jpeg: text": jpeg(segment(0xE2, ICC + b"\1\1" + NEEDLE)),
    "jpeg: text without a number": jpeg(segment(0xE2, ICC + NEEDLE)),
    "jpeg: nothing": jpeg(segment(0xE2, ICC)),
    "jpeg: a part that lacks": jpeg(*parts(PLAIN, 300)[1:]),
    "jpeg: a part twice": jpeg(*parts(PLAIN, 300), parts(PLAIN, 300)[0]),
    "jpeg: 300 parts": jpeg(*(segment(0xE2, ICC + bytes([n % 256, 44])) for n in range(300))),
    "jpeg: behind the scan": jpeg()[:-2] + parts(PLAIN, 9999)[0] + b"\xff\xd9",
    "png: text": png(chunk(b"iCCP", b"icc\0\0" + zlib.compress(NEEDLE * 9))),
    "png: no zlib stream": png(chunk(b"iCCP", b"icc\0\0" + NEEDLE)),
    "png: a name alone": png(chunk(b"iCCP", NEEDLE)),
    "png: another compression": png(chunk(b"iCCP", b"icc\0\1" + NEEDLE)),
    "png: behind the image": before_end(png(), chunk(b"iCCP", PNG_PROFILE)),
    "webp: text": encoded(picture(), "WEBP", icc_profile=NEEDLE),
    "webp: two": encoded(picture(), "WEBP", icc_profile=NEEDLE)[:-1] + b"\0",
}


@pytest.mark.parametrize("name", LOST)
def test_a_photo_whose_profile_cannot_be_rebuilt_is_stored_without_one(name: str) -> None:
    content = clean(LOST[name]).content
    assert not leaks(content)
    assert ICC not in content
    assert b"iCCP" not in content
    assert b"ICCP" not in content
    assert "icc_profile" not in opened(content).info


def test_a_profile_of_a_webp_counts_with_its_flag_alone_and_once() -> None:
    photo = encoded(picture(), "WEBP", icc_profile=PLAIN)
    unflagged = photo[:20] + b"\0" + photo[21:]
    assert b"ICCP" not in clean(unflagged).content
    twice = riff(photo[12:] + riff_chunk(b"ICCP", NEEDLE))
    assert clean(twice).content == clean(photo).content


@pytest.mark.parametrize("level", [1, 9])
def test_a_profile_that_unpacks_to_no_end_is_left_out_and_the_photo_is_kept(level: int) -> None:
    packer = zlib.compressobj(level)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(24)) + packer.flush()
    photo = png(chunk(b"iCCP", b"icc\0\0" + bomb))
    tracemalloc.start()
    content = clean(photo).content
    assert tracemalloc.get_traced_memory()[1] < 3 * icc_profiles.LONGEST
    tracemalloc.stop()
    assert content == clean(png()).content


def test_a_reader_without_colour_management_is_told_nothing_new() -> None:
    """The profile's place is where the first segment of it was: behind JFIF, before the tables."""
    content = clean(jpeg(icc_profile=PLAIN)).content
    assert content[2:4] + content[20:22] == b"\xff\xe0\xff\xe2"
    assert Image.open(io.BytesIO(content)).info["jfif"] == 0x0101
