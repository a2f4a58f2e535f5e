"""What `clean` promises: no private byte stays, no pixel changes, nothing unknown is stored."""

from __future__ import annotations

import pickle
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bronze.formats.cleaning_results import CleanPhoto, NotAPhoto, RejectionReason
from bronze.formats.icc_profiles import rebuilt
from bronze.formats.metadata_removal import clean
from tests.support.colour_profiles import display, printer
from tests.support.photo_files import (
    animation,
    before_end,
    between_scans,
    changed,
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
    upright,
)
from tests.support.real_photos import PHOTOS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

CANARY = b"Jeanne-Canari-48.8566N"
ORIENTATIONS = range(1, 9)
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"


# Photos with a canary in each place that may hold private metadata


def exif(orientation: int | None = None, /, **dates: str) -> bytes:
    """An EXIF block with prefix: owner, serial number, GPS, and a thumbnail in its IFD1."""
    tags = Image.Exif()
    tags[0x010E] = tags[0x013B] = CANARY.decode()
    if orientation is not None:
        tags[0x0112] = orientation
    details = {0xA430: CANARY.decode(), 0xA431: CANARY.decode(), 0x927C: CANARY}
    tags.get_ifd(0x8769).update(details)
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 28: CANARY})
    for name, value in dates.items():
        home = tags if name == "changed" else tags.get_ifd(0x8769)
        home[{"taken": 0x9003, "digitized": 0x9004, "changed": 0x0132}[name]] = value
    return with_thumbnail(tags.tobytes())


def with_thumbnail(block: bytes) -> bytes:
    thumbnail = encoded(picture(), "JPEG", comment=CANARY)
    tiff = bytearray(block[6:])
    link = 10 + 12 * int.from_bytes(tiff[8:10])
    tiff[link : link + 4] = len(tiff).to_bytes(4)
    start = len(tiff) + 2 + 2 * 12 + 4
    tiff += struct.pack(">HHHIIHHIII", 2, 0x201, 4, 1, start, 0x202, 4, 1, len(thumbnail), 0)
    return block[:6] + bytes(tiff) + thumbnail


def xmp(orientation: int | None = None, *, element: bool = False) -> bytes:
    turn = b"" if orientation is None else b'tiff:Orientation="%d"' % orientation
    if element:
        turn = b"<tiff:Orientation>%d</tiff:Orientation>" % (orientation or 1)
    return b"<x:xmpmeta>%s dc:creator=%s</x:xmpmeta>" % (turn, CANARY)


def jfif_with_thumbnail() -> bytes:
    plain = jpeg()
    pixels = CANARY + bytes(-len(CANARY) % 3)
    header = b"JFIF\0\1\2\1\0\x48\0\x48" + bytes([len(pixels) // 3, 1]) + pixels
    return plain[:2] + segment(0xE0, header) + plain[20:]


def adobe_rgb() -> bytes:
    """Only APP14 tells that this is RGB: its components are numbered like those of YCbCr."""
    photo = jpeg(keep_rgb=True)
    frame, scan = photo.index(b"\xff\xc0"), photo.index(b"\xff\xda")
    numbered = bytearray(photo)
    for number in range(3):
        numbered[frame + 10 + 3 * number] = numbered[scan + 5 + 2 * number] = number + 1
    adobe = photo.index(b"\xff\xee")
    longer = segment(0xEE, photo[adobe + 4 : adobe + 16] + CANARY)
    return bytes(numbered[:adobe]) + longer + bytes(numbered[adobe + 16 :])


def without_jfif(photo: bytes) -> bytes:
    return photo[:2] + photo[20:]


def raw_profile(block: bytes) -> bytes:
    return b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())


def interlaced() -> bytes:
    pixels = np.asarray(picture("L"))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row for y, x, down, right in passes for row in pixels[y::down, x::right]]
    header = struct.pack(">IIBBBBB", 24, 16, 8, 0, 0, 0, 1)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    text = chunk(b"tEXt", b"Author\0" + CANARY)
    parts = [chunk(b"IHDR", header), text, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def split_idat(photo: bytes) -> bytes:
    """The same PNG with its image data in pieces of 100 bytes."""
    start = photo.index(b"IDAT") - 4
    length = int.from_bytes(photo[start : start + 4])
    data = photo[start + 8 : start + 8 + length]
    pieces = [chunk(b"IDAT", data[at : at + 100]) for at in range(0, length, 100)]
    return photo[:start] + b"".join(pieces) + photo[start + 12 + length :]


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("Author", CANARY)
    info.add_text("Comment", CANARY, zip=True)
    info.add_itxt("XML:com.adobe.xmp", xmp())
    info.add_itxt("Description", CANARY, zip=True)
    return info


def webp(**options: object) -> bytes:
    return encoded(picture(), "WEBP", **({"exif": exif(), "xmp": xmp()} | options))


def webp_with_private_frame_chunk() -> bytes:
    photo = animation("WEBP", exif=exif(), xmp=xmp())
    start = photo.index(b"ANMF")
    size = int.from_bytes(photo[start + 4 : start + 8], "little")
    frame = photo[start + 8 : start + 8 + size] + riff_chunk(b"priv", CANARY)
    return riff(photo[12:start] + riff_chunk(b"ANMF", frame) + photo[start + 8 + size :])


def webp_with_long_header() -> bytes:
    """Canaries behind the known part of ANIM, and in the reserved bytes of VP8X."""
    photo = animation("WEBP", exif=exif())
    flags, size = photo[20:21] + CANARY[:3], photo[24:30]
    start = photo.index(b"ANMF")
    return riff(
        riff_chunk(b"VP8X", flags + size)
        + riff_chunk(b"ANIM", photo[38:44] + CANARY)
        + photo[start:]
    )


DISPLAY, PRINTER = display(private=CANARY), printer(points=24, private=CANARY)
EXIF_JPEG = jpeg(segment(0xE1, exif(6)))
PROGRESSIVE = jpeg(progressive=True, image=picture(size=(64, 48)))
CASES: dict[str, bytes] = {
    "jpeg exif": EXIF_JPEG,
    "jpeg exif before jfif": jpeg(segment(0xE1, exif(3)), segment(0xE0, b"JFXX\0\x10" + CANARY)),
    "jpeg exif without jfif": without_jfif(jpeg(exif=exif(5), xmp=xmp())),
    "jpeg exif by pillow": jpeg(exif=exif(8), xmp=xmp(), comment=CANARY),
    "jpeg exif in two segments": jpeg(
        segment(0xE1, exif(8)[:90]), segment(0xE1, b"Exif\0\0" + exif(8)[90:])
    ),
    "jpeg extended xmp": jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + CANARY)),
    "jpeg iptc": jpeg(segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0\0" + bytes(4) + CANARY)),
    "jpeg comments": jpeg(segment(0xFE, b""), segment(0xFE, CANARY), comment=CANARY),
    "jpeg every app": jpeg(*(segment(0xE0 + number, CANARY) for number in range(16))),
    "jpeg fpxr and mpf": jpeg(segment(0xE2, b"FPXR\0" + CANARY), segment(0xE2, b"MPF\0" + CANARY)),
    "jpeg jfif thumbnail": jfif_with_thumbnail(),
    "jpeg icc in parts": jpeg(segment(0xFE, CANARY), icc_profile=PRINTER),
    "jpeg adobe rgb": adobe_rgb(),
    "jpeg adobe cmyk": jpeg(segment(0xFE, CANARY), image=picture("CMYK")),
    "jpeg grey": jpeg(segment(0xE1, exif(2)), image=picture("L")),
    "jpeg progressive": between_scans(
        PROGRESSIVE, segment(0xFE, CANARY), segment(0xE1, exif(7)), b"\xff\xff"
    ),
    "jpeg restarts": jpeg(segment(0xE1, exif(4)), restart_marker_blocks=1),
    "jpeg restarts, progressive": between_scans(
        jpeg(progressive=True, restart_marker_rows=1), segment(0xED, CANARY)
    ),
    "jpeg fill bytes": jpeg(b"\xff\xff", segment(0xE1, exif(6)), b"\xff", segment(0xFE, CANARY)),
    "jpeg motion photo": EXIF_JPEG + b"\0\0\0\x18ftypmp42" + CANARY,
    "jpeg multi-picture": encoded(
        picture(), "MPO", save_all=True, append_images=[picture(seed=1)], exif=exif(6)
    ),
    "png texts": png(pnginfo=texts(), exif=exif(6)),
    "png metadata behind the image": before_end(
        png(), chunk(b"eXIf", exif(3)[6:]), chunk(b"tEXt", b"Author\0" + CANARY)
    ),
    "png raw profile": png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(
        raw_profile(exif(7))))),
    "png time and private": png(chunk(b"tIME", CANARY[:7]), chunk(b"prVt", CANARY)),
    "png after the end": png() + chunk(b"IDAT", CANARY) + CANARY,
    "png interlaced": interlaced(),
    "png palette": png(
        pnginfo=texts(), image=picture("P"), transparency=3, icc_profile=DISPLAY
    ),
    "png 16 bit": png(pnginfo=texts(), image=picture("I;16"), dpi=(72, 72)),
    "png 1 bit": png(pnginfo=texts(), image=picture("1")),
    "png grey with alpha": png(pnginfo=texts(), image=picture("LA"), exif=exif(5)),
    "png in pieces": before_end(split_idat(png(exif=exif(8))), chunk(b"zTXt", CANARY)),
    "png animated": animation("PNG", pnginfo=texts(), exif=exif(6)),
    "png animated, default image": animation("PNG", default_image=True, exif=exif(2)),
    "webp lossy": webp(exif=exif(6)),
    "webp lossless": webp(lossless=True, exif=exif(5)[6:]),
    "webp alpha": encoded(picture("RGBA"), "WEBP", exif=exif(3), xmp=xmp(), icc_profile=DISPLAY),
    "webp animated": animation("WEBP", exif=exif(6), xmp=xmp()),
    "webp animated, lossless": animation("WEBP", lossless=True, exif=exif(), xmp=xmp(7)),
    "webp private chunk in a frame": webp_with_private_frame_chunk(),
    "webp simple with more": riff(webp(exif=b"", xmp=b"")[12:] + riff_chunk(b"EXIF", exif(6)[6:])),
    "webp unknown chunks": riff(
        webp()[12:] + riff_chunk(b"priv", CANARY) + riff_chunk(b"none", b"")
    ),
    "webp long header": webp_with_long_header(),
    "webp after the end": webp(lossless=True) + CANARY,
}  # fmt: skip
each_case = pytest.mark.parametrize("original", CASES.values(), ids=CASES)


def leaks(content: bytes) -> bool:
    """Whether any five bytes in a row of the canary are there."""
    return any(CANARY[at : at + 5] in content for at in range(len(CANARY) - 4))


def outcome(content: bytes) -> CleanPhoto | NotAPhoto:
    """Anything else that is raised fails the test."""
    try:
        return clean(content)
    except NotAPhoto as refusal:
        return refusal


# Private metadata goes, pixels stay


@each_case
def test_no_private_byte_stays(original: bytes) -> None:
    assert CANARY in original or b"Raw profile" in original or b"zTXt" in original
    assert not leaks(clean(original).content)


@each_case
def test_pixels_stay_bit_exact(original: bytes) -> None:
    assert frames(clean(original).content) == frames(original)


@each_case
def test_pixels_stay_bit_exact_when_turned_upright(original: bytes) -> None:
    assert upright(clean(original).content) == upright(original)


@each_case
def test_cleaning_twice_changes_nothing(original: bytes) -> None:
    once = clean(original)
    twice = clean(once.content)
    assert twice.content == once.content
    assert twice.days == ()


@each_case
def test_size_and_format_are_those_of_the_stored_pixels(original: bytes) -> None:
    photo = clean(original)
    with opened(original) as image:
        assert (photo.width, photo.height) == image.size
        assert photo.format == {"MPO": "JPEG"}.get(str(image.format), image.format)


@pytest.mark.parametrize("name", ["jpeg icc in parts", "png palette", "webp alpha"])
def test_the_colour_profile_stays(name: str) -> None:
    before, after = opened(CASES[name]), opened(clean(CASES[name]).content)
    assert after.info["icc_profile"] == rebuilt(before.info["icc_profile"])


def test_resolution_and_animation_timing_stay() -> None:
    assert opened(clean(jpeg(dpi=(300, 300))).content).info["dpi"] == (300, 300)
    for kind in ("PNG", "WEBP"):
        moving = opened(clean(animation(kind, loop=4)).content)
        moving.load()
        assert (moving.info["loop"], moving.info["duration"]) == (4, 9)


def test_plain_photos_stay_byte_for_byte() -> None:
    plain = [jpeg(), PROGRESSIVE, jpeg(keep_rgb=True), jpeg(image=picture("CMYK")), png()]
    plain += [encoded(picture(), "WEBP"), encoded(picture(), "WEBP", lossless=True)]
    plain += [animation("PNG"), animation("WEBP")]
    assert [clean(photo).content for photo in plain] == plain


# Kept PNG chunks of an RGB image with the bytes that each holds, and the longest body that a reader takes.
COLOURS = {"tRNS": (6, 256), "gAMA": (4, 4), "cHRM": (32, 32), "sRGB": (1, 1), "sBIT": (3, 4)}
COLOURS |= {"bKGD": (6, 6), "pHYs": (9, 9), "cICP": (4, 4), "mDCV": (24, 24), "cLLI": (8, 8)}


@pytest.mark.parametrize(("kind", "lengths"), COLOURS.items())
def test_chunks_that_make_the_colours_stay_and_hold_no_more(
    kind: str, lengths: tuple[int, int]
) -> None:
    held, longest = lengths
    photo = png(chunk(kind.encode(), bytes(held)))
    assert clean(photo).content == photo
    assert clean(png(chunk(kind.encode(), bytes(longest)))).content == photo
    with pytest.raises(NotAPhoto, match=f"malformed: chunk {kind} is too long"):
        clean(png(chunk(kind.encode(), bytes(longest + 1))))


@pytest.mark.parametrize(("kind", "longest"), [("PLTE", 768), ("acTL", 8), ("fcTL", 26)])
def test_chunks_of_other_images_go(kind: str, longest: int) -> None:
    assert clean(png(chunk(kind.encode(), bytes(longest)))).content == png()
    with pytest.raises(NotAPhoto, match=f"malformed: chunk {kind} is too long"):
        clean(png(chunk(kind.encode(), bytes(longest + 1))))


# Orientation


def carriers(orientation: int) -> dict[str, bytes]:
    """One photo for each place that Pillow reads an orientation from."""
    block, packet = exif(orientation), xmp(orientation)
    profile = raw_profile(block)
    compressed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    return {
        "jpeg exif": jpeg(segment(0xE1, block)),
        "jpeg xmp": jpeg(segment(0xE1, XMP_HEADER + packet)),
        "jpeg xmp element": jpeg(segment(0xE1, XMP_HEADER + xmp(orientation, element=True))),
        "jpeg exif over xmp": jpeg(segment(0xE1, block), segment(0xE1, XMP_HEADER + xmp(2))),
        "jpeg exif without, xmp": jpeg(segment(0xE1, exif()), segment(0xE1, XMP_HEADER + packet)),
        "png exif": png(chunk(b"eXIf", block[6:])),
        "png exif behind the image": before_end(png(), chunk(b"eXIf", block[6:])),
        "png two exifs": before_end(
            png(chunk(b"eXIf", exif(2)[6:])), chunk(b"eXIf", block[6:])
        ),
        "png text profile": png(chunk(b"tEXt", b"Raw profile type exif\0" + profile)),
        "png itxt profile": png(chunk(b"iTXt", b"Raw profile type exif\0\0\0\0\0" + profile)),
        "png xmp": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)),
        "png compressed xmp": png(chunk(b"iTXt", compressed)),
        "png exif over profile": png(
            chunk(b"eXIf", block[6:]),
            chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(exif(3))),
        ),
        "png exif in a later frame": before_end(animation("PNG"), chunk(b"eXIf", block[6:])),
        "webp exif": webp(exif=block, xmp=b""),
        "webp xmp": webp(exif=b"", xmp=packet),
        "webp lossless": webp(lossless=True, exif=block),
        "webp animated": animation("WEBP", exif=block),
        "webp two exifs": riff(webp(exif=block)[12:] + riff_chunk(b"EXIF", exif(2)[6:])),
    }  # fmt: skip


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("carrier", carriers(1))
def test_orientation_outlives_its_carrier(carrier: str, orientation: int) -> None:
    original = carriers(orientation)[carrier]
    content = clean(original).content
    image = opened(original)
    image.load()  # A PNG may hold more of it behind its pixels.
    expected = image.getexif().get(0x0112, 1)
    assert dict(opened(content).getexif()) == ({0x0112: expected} if expected != 1 else {})
    assert upright(content) == upright(original)
    assert frames(content) == frames(original)
    assert not leaks(content)


def test_the_orientation_of_a_simple_or_unflagged_webp_is_none_as_for_pillow() -> None:
    unflagged = bytearray(webp(exif=exif(6)))
    unflagged[20] = 0
    for original in (CASES["webp simple with more"], bytes(unflagged)):
        assert not opened(original).getexif()
        assert not opened(clean(original).content).getexif()


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("webp")])
def test_the_flags_of_a_webp_say_what_is_there(name: str) -> None:
    before, after = CASES[name], clean(CASES[name]).content
    if after[12:16] == b"VP8X":
        kept = before[20] & 0x32
        assert after[20:24] == bytes([kept | 8 * (b"EXIF" in after), 0, 0, 0])
        assert bool(kept & 0x20) == (b"ICCP" in after)
        assert bool(kept & 0x02) == (b"ANIM" in after)


def test_reserved_parts_of_a_webp_go() -> None:
    photo = webp()
    assert clean(changed(photo, 20, bytes([photo[20] | 0xC1]))) == clean(photo)
    assert clean(CASES["webp long header"]) == clean(animation("WEBP"))


def test_orientation_stands_behind_jfif() -> None:
    content = clean(CASES["jpeg exif before jfif"]).content
    assert content[2:4] == b"\xff\xe0"
    assert content[20:22] == b"\xff\xe1"
    assert opened(content).info["jfif"] == 0x0101
    assert clean(CASES["jpeg exif without jfif"]).content[2:4] == b"\xff\xe1"


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (3, 1, b"\0\0"),
        (3, 1, b"\0\x09"),
        (3, 2, b"\0\6\0\1"),
        (1, 1, b"\6"),
        (2, 1, b"6"),
        (4, 1, b"\0\0\0\6"),
        (5, 1, b"\0\0\0\x1a" + bytes(4) + b"\0\0\0\6\0\0\0\1"),
        (9, 1, b"\xff\xff\xff\xff"),
        (11, 1, struct.pack(">f", 6.0)),
        (99, 1, b"\6"),
    ],
)
def test_odd_orientations_count_as_they_do_for_pillow(kind: int, count: int, value: bytes) -> None:
    entry = struct.pack(">HHI", 0x0112, kind, count) + value.ljust(8, b"\0")
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + entry
    original = jpeg(segment(0xE1, block), segment(0xE1, XMP_HEADER + xmp(3)))
    content = clean(original).content
    assert upright(content) == upright(original)
    assert opened(content).getexif().get(0x0112, 2) in range(2, 9)


def test_the_orientation_that_stays_is_all_that_its_block_holds() -> None:
    entry = "0112 0003 00000001 0006 0000"
    block = bytes.fromhex(f"4d4d002a 00000008 0001 {entry} 00000000")
    assert segment(0xE1, b"Exif\0\0" + block) in clean(EXIF_JPEG).content
    assert chunk(b"eXIf", block) in clean(CASES["png texts"]).content
    assert clean(CASES["webp lossy"]).content.endswith(riff_chunk(b"EXIF", block))


@given(data=st.data())
@settings(max_examples=200)
def test_damaged_exif_turns_the_photo_as_it_does_for_pillow(data: st.DataObject) -> None:
    block = bytearray(exif(6, taken="2024:05:01 10:00:00"))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, 140))] = data.draw(st.integers(0, 255))
    original = jpeg(segment(0xE1, bytes(block)))
    content = clean(original).content
    assert not leaks(content)
    try:
        expected = upright(original)
    except Exception:
        return  # Pillow gives up on the original: nothing to compare with.
    assert upright(content) == expected


def test_text_that_unpacks_to_megabytes_is_read_no_further_than_one() -> None:
    def packed(padding: int) -> bytes:
        text = zlib.compress(bytes(padding) + xmp(6))
        return clean(png(chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + text))).content

    assert opened(packed(2**20 - 200)).getexif()[0x0112] == 6
    assert not opened(packed(2**20)).getexif()


# The days that may be the capture date


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({}, []),
        ({"taken": "2024:05:01 10:11:12"}, [date(2024, 5, 1)]),
        ({"taken": "2024:05:01"}, [date(2024, 5, 1)]),
        ({"taken": "2024-05-01T10:11:12Z"}, [date(2024, 5, 1)]),
        ({"digitized": "2023:04:05 01:02:03"}, [date(2023, 4, 5)]),
        ({"changed": "2022:03:04 01:02:03"}, [date(2022, 3, 4)]),
        ({"taken": "2024:05:01 0:0:0", "digitized": "2024:05:01"}, [date(2024, 5, 1)]),
        ({"changed": "2024:05:01", "taken": "2023:04:05"}, [date(2023, 4, 5), date(2024, 5, 1)]),
        (
            {"changed": "2022:03:04", "digitized": "2023:04:05", "taken": "2563:05:01"},
            [date(2563, 5, 1), date(2023, 4, 5), date(2022, 3, 4)],
        ),
        ({"taken": "0000:00:00 00:00:00", "changed": "2022:03:04"}, [date(2022, 3, 4)]),
        ({"taken": "0000:00:00 00:00:00"}, []),
        ({"taken": "0000:05:01 00:00:00"}, []),
        ({"taken": "1904:01:01 00:00:00"}, []),
        ({"taken": "2024:13:01 10:11:12"}, []),
        ({"taken": "2023:02:29 10:11:12"}, []),
        ({"taken": "1970:01:01 00:00:00"}, []),
        ({"taken": "1989:12:31 23:59:59"}, []),
        ({"taken": "1990:01:01 00:00:00"}, [date(1990, 1, 1)]),
        ({"taken": "9999:12:31 23:59:59"}, [date(9999, 12, 31)]),
        ({"taken": "20240501"}, []),
        ({"taken": "2024:05:011"}, []),
        ({"taken": "yesterday"}, []),
        ({"taken": "    :  :     :  :  "}, []),
    ],
)
def test_capture_days(dates: dict[str, str], expected: list[date]) -> None:
    block = exif(**dates)
    photos = [jpeg(segment(0xE1, block)), png(exif=block), webp(exif=block)]
    assert [clean(photo).days for photo in photos] == [tuple(expected)] * 3


@pytest.mark.parametrize(
    "garbage", [b"", b"Exif\0\0", b"MM\0*", b"II+\0" + bytes(40), b"MM\0*\0\0\0\x08\xff\xff" * 9]
)
def test_garbage_exif_gives_no_facts_and_no_error(garbage: bytes) -> None:
    photos = [
        jpeg(segment(0xE1, b"Exif\0\0" + garbage)),
        png(chunk(b"eXIf", garbage)),
        png(chunk(b"tEXt", b"Raw profile type exif\0\nexif\n1\nxyz")),
        png(chunk(b"zTXt", b"Raw profile type exif\0\0" + CANARY)),
        riff(webp(exif=b"?" * 9, xmp=b"")[12:]),
    ]
    for photo in photos:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            assert clean(photo).days == ()
        assert not heard
        assert not opened(clean(photo).content).getexif()


# Refusals


def header_cut(photo: bytes, until: bytes) -> bytes:
    return photo[: photo.index(until)]


FRAME = jpeg().index(b"\xff\xc0")
SCAN = jpeg().index(b"\xff\xda")
NO_SIGNATURE = "no JPEG, PNG, WebP, HEIC or AVIF signature"
OTHER_HEIF = "a HEIF of another kind than HEIC and AVIF"
REFUSALS: dict[str, tuple[bytes, RejectionReason, str]] = {
    "nothing": (b"", RejectionReason.EMPTY, "the file holds no bytes"),
    "text": (b"banana\n", RejectionReason.NOT_A_PHOTO, NO_SIGNATURE),
    "start of a JPEG": (b"\xff\xd8", RejectionReason.NOT_A_PHOTO, NO_SIGNATURE),
    "wave": (b"RIFF\4\0\0\0WAVE", RejectionReason.NOT_A_PHOTO, NO_SIGNATURE),
    "gif": (encoded(picture(), "GIF"), RejectionReason.NOT_A_PHOTO, "GIF"),
    "bmp": (encoded(picture(), "BMP"), RejectionReason.NOT_A_PHOTO, "BMP"),
    "text that begins like a BMP": (
        b"BM is not enough", RejectionReason.NOT_A_PHOTO, NO_SIGNATURE),
    "tiff": (encoded(picture(), "TIFF"), RejectionReason.NOT_A_PHOTO, "TIFF"),
    "big-endian tiff": (b"MM\0*\0\0\0\x08", RejectionReason.NOT_A_PHOTO, "TIFF"),
    "heif by mif1": (b"\0\0\0\x18ftypmif1", RejectionReason.NOT_A_PHOTO, OTHER_HEIF),
    "heif by msf1": (b"\0\0\0\x18ftypmsf1", RejectionReason.NOT_A_PHOTO, OTHER_HEIF),
    "jpeg xl": (b"\0\0\0\x0cJXL \r\n", RejectionReason.NOT_A_PHOTO, "JPEG XL"),
    "jpeg 2000": (b"\0\0\0\x0cjP  \r\n", RejectionReason.NOT_A_PHOTO, "JPEG 2000"),
    "zip": (b"PK\3\4", RejectionReason.NOT_A_PHOTO, "ZIP"),
    "video": (b"\0\0\0\x18ftypmp42", RejectionReason.NOT_A_PHOTO, "MP4"),
    "pdf": (b"%PDF-1.7", RejectionReason.NOT_A_PHOTO, "PDF"),
    "svg": (b'<?xml version="1.0"?><SVG/>', RejectionReason.NOT_A_PHOTO, "SVG"),
    "jpeg: start alone": (
        b"\xff\xd8\xff", RejectionReason.MALFORMED, "the part before the first scan runs past the end"),
    "jpeg: cut header": (
        jpeg()[:30], RejectionReason.MALFORMED, "segment DQT runs past the end"),
    "jpeg: cut before the scan": (
        jpeg()[:SCAN], RejectionReason.MALFORMED, "the part before the first scan runs past the end"),
    "jpeg: cut scan header": (
        jpeg()[:SCAN + 5], RejectionReason.MALFORMED, "segment SOS runs past the end"),
    "jpeg: cut length": (EXIF_JPEG[:5], RejectionReason.MALFORMED, "segment APP1 runs past the end"),
    "jpeg: length past the end": (
        changed(EXIF_JPEG, 4, b"\xff\xff"), RejectionReason.MALFORMED, "segment APP1 runs past the end"),
    "jpeg: unknown marker": (
        jpeg(segment(0xF7, CANARY)), RejectionReason.MALFORMED, "marker F7 has no place there"),
    "jpeg: reserved marker": (
        jpeg(segment(0xC8, CANARY)), RejectionReason.MALFORMED, "marker C8 has no place there"),
    "jpeg: frame of nothing": (
        jpeg(segment(0xC0, b"\x08\0\1\0\1\0")), RejectionReason.MALFORMED,
        "segment SOF0 contradicts its own counts"),
    "jpeg: scan of nothing": (
        jpeg(segment(0xDA, bytes(4))), RejectionReason.MALFORMED,
        "segment SOS contradicts its own counts"),
    "jpeg: table without a length": (
        jpeg(b"\xff\xdb\0\1"), RejectionReason.MALFORMED, "segment DQT has no length"),
    "jpeg: nothing but skipped bytes": (
        b"\xff\xd8\xff\0" + CANARY, RejectionReason.MALFORMED,
        "the part before the first scan runs past the end"),
    "jpeg: second start": (
        jpeg(b"\xff\xd8"), RejectionReason.MALFORMED, "marker D8 has no place there"),
    "jpeg: no frame": (
        jpeg()[:FRAME] + jpeg()[FRAME + 19:], RejectionReason.MALFORMED, "a scan before any frame"),
    "jpeg: two frames": (
        jpeg()[:FRAME + 19] + jpeg()[FRAME:], RejectionReason.MALFORMED, "a second frame"),
    "jpeg: no scan": (
        jpeg()[:SCAN] + b"\xff\xd9", RejectionReason.MALFORMED, "no scan before the end of the image"),
    "jpeg: no width": (
        changed(jpeg(), FRAME + 7, b"\0\0"), RejectionReason.MALFORMED,
        "the frame has no width or no height"),
    "jpeg: no height": (
        changed(jpeg(), FRAME + 5, b"\0\0"), RejectionReason.MALFORMED,
        "the frame has no width or no height"),
    **{
        f"jpeg: more in {name}": (
            jpeg(segment(marker, body + CANARY)), RejectionReason.MALFORMED,
            f"segment {name} contradicts its own counts")
        for name, marker, body in [
            ("DQT", 0xDB, bytes(65)), ("DQT", 0xDB, b"\x10" + bytes(128)), ("DRI", 0xDD, b"\0\1"),
            ("DHT", 0xC4, bytes(17)), ("DAC", 0xCC, b"\0\1"),
            ("SOF0", 0xC0, b"\x08\0\1\0\1\1\1\x11\0"), ("SOS", 0xDA, b"\1\1\0\0\x3f\0"),
        ]
    },
    "png: signature alone": (
        png()[:8], RejectionReason.MALFORMED, "the file ends before its image data"),
    "png: cut header": (png()[:20], RejectionReason.MALFORMED, "chunk IHDR runs past the end"),
    "png: no header": (
        png()[:8] + png()[33:], RejectionReason.MALFORMED, "the first chunk is no IHDR"),
    "png: short header": (
        png()[:8] + chunk(b"IHDR", bytes(5)), RejectionReason.MALFORMED, "the first chunk is no IHDR"),
    "png: two headers": (png(png()[8:33]), RejectionReason.MALFORMED, "a second IHDR"),
    "png: no height": (
        png()[:8] + chunk(b"IHDR", b"\0\0\0\1" + bytes(9)), RejectionReason.MALFORMED,
        "the header has no width or no height"),
    "png: cut text": (
        header_cut(png(pnginfo=texts()), b"IDAT")[:-9], RejectionReason.MALFORMED,
        "chunk iTXt runs past the end"),
    "png: cut before the image": (
        header_cut(png(), b"IDAT"), RejectionReason.MALFORMED, "the file ends before its image data"),
    "png: no kind of pixels": (
        png()[:8] + chunk(b"IHDR", png()[16:24] + b"\7\2\0\0\0") + png()[33:], RejectionReason.MALFORMED,
        "the header names no kind of pixels"),
    "png: two palettes": (
        png(chunk(b"PLTE", bytes(3)), image=picture("P")), RejectionReason.MALFORMED, "a second PLTE"),
    "png: two gammas": (
        png(chunk(b"gAMA", bytes(4)) * 2), RejectionReason.MALFORMED, "a second gAMA"),
    "png: image data that can't be unpacked": (
        png()[: png().index(b"IDAT") - 4] + chunk(b"IDAT", CANARY) + png()[-12:],
        RejectionReason.MALFORMED, "the image data can't be unpacked"),
    "png: frames alone": (
        png()[: png().index(b"IDAT") - 4] + chunk(b"fdAT", bytes(9)) + png()[-12:],
        RejectionReason.MALFORMED, "no image data but those of frames"),
    "png: no image": (
        png()[:33] + chunk(b"IEND", b""), RejectionReason.MALFORMED,
        "no image data before the end of the image"),
    "png: garbage": (png(CANARY), RejectionReason.MALFORMED, "garbage in the place of a chunk"),
    "png: garbage chunk": (
        png(bytes(12)), RejectionReason.MALFORMED, "garbage in the place of a chunk"),
    "png: private chunk past the end": (
        png(b"\1\1\1\1CnrY"), RejectionReason.MALFORMED, "chunk of an unknown kind runs past the end"),
    "png: overlong chunk": (
        png(chunk(b"tEXt", b"")[:3] + b"\xff" + b"gAMA" + CANARY), RejectionReason.MALFORMED,
        "chunk gAMA is too long"),
    "png: longest chunk": (
        png(b"\x80\0\0\0tEXt"), RejectionReason.MALFORMED, "chunk tEXt is too long"),
    "png: long end": (
        png()[:-12] + chunk(b"IEND", b"1"), RejectionReason.MALFORMED, "chunk IEND is too long"),
    "png: cut exif": (
        header_cut(png(exif=exif()), b"IDAT")[:-9], RejectionReason.MALFORMED,
        "chunk eXIf runs past the end"),
    "png: wrong checksum": (
        png(chunk(b"gAMA", bytes(4))[:-1] + b"?"), RejectionReason.MALFORMED,
        "chunk gAMA fails its checksum"),
    "png: image data over the end": (
        before_end(changed(png(), png().index(b"IDAT") - 4, b"\0\1"), chunk(b"tEXt", CANARY)),
        RejectionReason.MALFORMED, "chunk IDAT runs over the end of the image"),
    "webp: header alone": (
        riff(b""), RejectionReason.MALFORMED, "the first chunk is no VP8, VP8L or VP8X"),
    "webp: another first chunk": (
        riff(riff_chunk(b"EXIF", CANARY)), RejectionReason.MALFORMED,
        "the first chunk is no VP8, VP8L or VP8X"),
    "webp: alpha first": (
        riff(riff_chunk(b"ALPH", CANARY)), RejectionReason.MALFORMED,
        "no readable header of the image data"),
    "webp: short VP8X": (
        riff(riff_chunk(b"VP8X", b"1")), RejectionReason.MALFORMED, "chunk VP8X is cut or has a wrong size"),
    "webp: long VP8X": (
        riff(riff_chunk(b"VP8X", bytes(10) + CANARY)), RejectionReason.MALFORMED,
        "chunk VP8X is cut or has a wrong size"),
    "webp: cut VP8X": (webp()[:25], RejectionReason.MALFORMED, "chunk VP8X is cut or has a wrong size"),
    "webp: no image": (
        riff(webp()[12:30] + riff_chunk(b"EXIF", CANARY)), RejectionReason.MALFORMED,
        "the file ends before its image data"),
    "webp: cut profile": (
        webp(icc_profile=CANARY)[:45], RejectionReason.MALFORMED, "chunk ICCP runs past the end"),
    "webp: cut private chunk": (
        riff(webp()[12:30] + riff_chunk(b"CnrY", CANARY * 9))[:80], RejectionReason.MALFORMED,
        "chunk of an unknown kind runs past the end"),
    "webp: a frame without its flag": (
        riff(changed(animation("WEBP"), 20, b"\0")[12:]), RejectionReason.MALFORMED,
        "no image data of the kind that the flags name"),
    "webp: an image with the flag of frames": (
        changed(webp(), 20, b"\x02"), RejectionReason.MALFORMED,
        "no image data of the kind that the flags name"),
    "webp: short frame": (
        riff(webp()[12:30] + riff_chunk(b"ANMF", b"1")), RejectionReason.MALFORMED,
        "chunk ANMF is too short"),
    "webp: cut frame": (
        header_cut(animation("WEBP"), b"ANMF") + b"ANMF\x20\0\0\0" + bytes(9), RejectionReason.MALFORMED,
        "chunk ANMF runs past the end"),
    "webp: no VP8 header": (
        riff(riff_chunk(b"VP8 ", bytes(30))), RejectionReason.MALFORMED,
        "no readable header of the image data"),
    "webp: no width": (
        changed(encoded(picture(), "WEBP"), 26, bytes(2)), RejectionReason.MALFORMED,
        "no readable header of the image data"),
    "webp: no height": (
        changed(encoded(picture(), "WEBP"), 28, bytes(2)), RejectionReason.MALFORMED,
        "no readable header of the image data"),
    "webp: no VP8L header": (
        riff(riff_chunk(b"VP8L", bytes(30))), RejectionReason.MALFORMED,
        "no readable header of the image data"),
    "webp: chunk over the end": (
        changed(webp(), webp().index(b"EXIF") + 6, b"\1"), RejectionReason.MALFORMED,
        "chunk EXIF runs past the container's end"),
    "webp: garbage at the end": (
        riff(webp()[12:] + CANARY[:6]), RejectionReason.MALFORMED, "garbage in the place of a chunk"),
    "webp: garbage chunk": (
        riff(webp()[12:] + bytes(8)), RejectionReason.MALFORMED, "garbage in the place of a chunk"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reason", "detail"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(content: bytes, reason: RejectionReason, detail: str) -> None:
    with pytest.raises(NotAPhoto) as caught:
        clean(content)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)
    assert str(caught.value) == f"{reason}: {detail}"


def test_a_refusal_travels_between_processes() -> None:
    refusal = pickle.loads(
        pickle.dumps(NotAPhoto(RejectionReason.EMPTY, "the file holds no bytes"))
    )
    assert (refusal.reason, refusal.detail) == (RejectionReason.EMPTY, "the file holds no bytes")


# Truncation


SMALL = ["jpeg exif by pillow", "jpeg progressive", "jpeg motion photo", "jpeg multi-picture",
         "png texts", "png in pieces", "png metadata behind the image", "png animated",
         "webp lossy", "webp alpha", "webp animated", "webp lossless",
         "webp private chunk in a frame"]  # fmt: skip


def decoded(content: bytes) -> object:
    with suppress(Exception):
        return frames(content)
    return None


@pytest.mark.parametrize("name", SMALL)
def test_a_cut_file_keeps_no_canary_and_stays_cut(name: str) -> None:
    original = CASES[name]
    whole = frames(original)
    stored = 0
    for length in range(0, len(original), 1 + len(original) // 700):
        photo = outcome(original[:length])
        if isinstance(photo, NotAPhoto):
            assert not stored, "a longer part of the file is refused"
            continue
        stored += 1
        assert not leaks(photo.content)
        assert outcome(photo.content) == CleanPhoto(
            photo.content, photo.format, photo.width, photo.height, ()
        )
        pixels = decoded(photo.content)
        assert pixels in (None, whole, decoded(original[:length]))
    assert stored


@pytest.mark.parametrize(
    "photo", [jpeg(), PROGRESSIVE, png(), split_idat(png()), animation("PNG"), webp()]
)
def test_a_photo_cut_inside_its_image_data_is_stored_as_far_as_it_goes(photo: bytes) -> None:
    for share in (0.8, 0.9):
        plain = clean(photo).content
        cut = plain[: int(len(plain) * share)]
        assert clean(cut).content == cut
        with pytest.raises((OSError, EOFError)):
            frames(cut)


def test_image_data_begins_with_its_header() -> None:
    start = png()[: png().index(b"IDAT") + 4]
    assert clean(start).content == start
    with pytest.raises(NotAPhoto, match="before its image data"):
        clean(start[:-1])


def test_a_webp_cut_behind_its_image_stays_undecodable() -> None:
    photo = webp()
    cut = clean(photo[: photo.index(b"EXIF") + 30])
    with pytest.raises(OSError):  # noqa: PT011 (Pillow has many texts)
        opened(cut.content)


# Sizes


def declared(width: int, height: int) -> Iterator[bytes]:
    yield changed(jpeg(), FRAME + 5, struct.pack(">HH", height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    yield png()[:8] + chunk(b"IHDR", header) + png()[33:]
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    yield changed(webp(), 24, size)


def test_a_huge_header_just_reports_its_size() -> None:
    for photo in map(clean, declared(60_000, 59_999)):
        assert (photo.width, photo.height) == (60_000, 59_999)


def test_the_scale_bits_of_a_webp_are_no_size() -> None:
    scaled = changed(changed(encoded(picture(), "WEBP"), 27, b"\x40"), 29, b"\x80")
    assert (clean(scaled).width, clean(scaled).height) == (24, 16) == opened(scaled).size


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": exif()}])
def test_each_kind_of_webp_tells_its_size(options: dict[str, object]) -> None:
    photo = clean(encoded(picture(size=(300, 257)), "WEBP", **options))
    assert (photo.width, photo.height) == (300, 257)


def test_the_height_may_follow_the_first_scan() -> None:
    late = changed(jpeg(), FRAME + 5, b"\0\0")[:-2] + segment(0xDC, b"\0\x10") + b"\xff\xd9"
    photo = clean(late)
    assert (photo.width, photo.height) == (24, 16)
    assert photo.content == late


# Hostile bytes


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBP"]),
       st.binary(max_size=400))  # fmt: skip
@settings(max_examples=200)
def test_any_bytes_are_cleaned_or_refused(start: bytes, rest: bytes) -> None:
    outcome(start + rest)


@given(st.sampled_from(list(CASES.values())), st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_changed_bytes_are_cleaned_or_refused(original: bytes, data: st.DataObject) -> None:
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    photo = outcome(bytes(damaged))
    if isinstance(photo, CleanPhoto):
        assert clean(photo.content).content == photo.content


@given(st.sampled_from(list(CASES.values())), st.floats(0, 1))
@settings(max_examples=200)
def test_no_canary_survives_a_truncation(original: bytes, share: float) -> None:
    photo = outcome(original[: int(share * len(original))])
    assert isinstance(photo, NotAPhoto) or not leaks(photo.content)


@pytest.mark.parametrize("original", [CASES["jpeg comments"], png(pnginfo=texts())])
def test_no_canary_survives_one_changed_byte_of_the_structure(original: bytes) -> None:
    for at in range(len(original)):
        for value in (0x00, 0xC4, 0xCC, 0xDA, 0xDB, 0xE2, 0xEE, 0xFF, original[at] ^ 1):
            photo = outcome(changed(original, at, bytes([value])))
            if isinstance(photo, CleanPhoto):
                assert not leaks(photo.content)


@pytest.mark.parametrize("tail", [b"\xff", b"\xff\0", b"\xff\xd0", b"\0", b"\xff\xfe\0\2"])
def test_long_scans_take_linear_time(tail: bytes) -> None:
    def seconds(length: int) -> float:
        photo = jpeg()[: SCAN + 14] + tail * (length // len(tail))
        started = time.perf_counter()
        outcome(photo)
        return time.perf_counter() - started

    assert min(seconds(400_000) for _ in range(2)) < 4


# Real photos


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the real photos are not on this machine")
def test_real_photos() -> None:
    paths = sorted(PHOTOS.rglob("*.jpg"))[::10]
    assert paths
    for path in paths:
        original = path.read_bytes()
        photo = clean(original)
        assert frames(photo.content) == frames(original)
        assert upright(photo.content) == upright(original)
        assert clean(photo.content).content == photo.content
