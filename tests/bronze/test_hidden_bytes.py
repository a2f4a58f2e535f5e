"""Bytes of a photo that no decoder reads: a needle in each such place goes, and nothing else changes."""

from __future__ import annotations

import itertools
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from bronze.formats import cleaning_results, png_image_data, png_palette
from bronze.formats.cleaning_results import NotAPhoto
from bronze.formats.metadata_removal import clean
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
)
from tests.support.real_photos import PHOTOS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

NEEDLE = b"Jeanne-Canari-48.8566N"
EOI = b"\xff\xd9"


def leaks(content: bytes) -> bool:
    """Whether any five bytes in a row of the needle are there."""
    return any(NEEDLE[at : at + 5] in content for at in range(len(NEEDLE) - 4))


def seen(content: bytes) -> object:
    """What a decoder shows, or None where it refuses the photo."""
    try:
        return frames(content)
    except OSError:
        return None


# JPEG

PLAIN = jpeg()
RESTARTS = jpeg(restart_marker_blocks=1)
PROGRESSIVE = jpeg(progressive=True, image=picture(size=(64, 48)))
HUFFMAN = bytes([0x13, len(NEEDLE), *bytes(15)]) + NEEDLE
QUANTIZATION = b"\3" + NEEDLE.ljust(64, b"1")


def last_restart(photo: bytes) -> int:
    return max(photo.rfind(bytes([0xFF, 0xD0 + number])) for number in range(8))


def behind_first_scan(photo: bytes, data: bytes) -> bytes:
    scan = photo.index(b"\xff\xda") + 2
    end = re.compile(rb"\xff[^\0]").search(photo, scan).start()
    return photo[:end] + data + photo[end:]


def next_restart(photo: bytes) -> bytes:
    return bytes([0xFF, 0xD0 + (photo[last_restart(photo) + 1] - 0xD0 + 1) % 8])


def adobe(version_and_flags: bytes) -> bytes:
    photo = jpeg(keep_rgb=True)
    return changed(photo, photo.index(b"Adobe") + 5, version_and_flags)


SCAN = PLAIN[PLAIN.index(b"\xff\xda") :][:14]
IN_JPEG = {
    "behind a restart marker of no interval": (PLAIN[:-2] + b"\xff\xd0" + NEEDLE + EOI, PLAIN),
    "behind the last interval": (
        RESTARTS[:-2] + next_restart(RESTARTS) + NEEDLE + b"\xff\0" + NEEDLE + EOI, RESTARTS),
    "behind restart markers of a progressive scan": (
        behind_first_scan(PROGRESSIVE, b"\xff\xd3" + NEEDLE + b"\xff\xd4" + NEEDLE), PROGRESSIVE),
    "in a scan behind the whole image": (PLAIN[:-2] + SCAN + NEEDLE + EOI, PLAIN),
    "in tables behind the whole image": (PLAIN[:-2] + segment(0xC4, HUFFMAN) + EOI, PLAIN),
    "in tables behind the last scan": (PROGRESSIVE[:-2] + segment(0xC4, HUFFMAN) + EOI, PROGRESSIVE),
    "in a Huffman table of no scan": (jpeg(segment(0xC4, HUFFMAN)), PLAIN),
    "in a quantization table of no component": (jpeg(segment(0xDB, QUANTIZATION)), PLAIN),
    "in a table that is defined anew": (
        jpeg(segment(0xDB, b"\0" + QUANTIZATION[1:]), segment(0xC4, b"\0" + HUFFMAN[1:])), PLAIN),
    "in one table of many": (
        PLAIN.replace(b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x84" + QUANTIZATION + b"\0", 1), PLAIN),
    "in a quantization table between scans": (
        between_scans(PROGRESSIVE, segment(0xDB, b"\0" + QUANTIZATION[1:])), PROGRESSIVE),
    "in conditions of arithmetic coding": (jpeg(segment(0xCC, b"\1J"), segment(0xFE, NEEDLE)), PLAIN),
    "in a second JFIF header": (
        PLAIN[:20] + segment(0xE0, b"JFIF\0" + NEEDLE[:9]) + PLAIN[20:], PLAIN),
    "in a JFIF header between scans": (
        between_scans(PROGRESSIVE, segment(0xE0, b"JFIF\0" + NEEDLE[:9])), PROGRESSIVE),
    "in Adobe's segment between scans": (
        between_scans(PROGRESSIVE, segment(0xEE, b"Adobe" + NEEDLE[:7])), PROGRESSIVE),
    "in Adobe's version and flags": (adobe(NEEDLE[:6]), jpeg(keep_rgb=True)),
    "in a profile between scans": (
        between_scans(PROGRESSIVE, segment(0xE2, b"ICC_PROFILE\0\1\1" + NEEDLE)), PROGRESSIVE),
}  # fmt: skip


@pytest.mark.parametrize(("original", "base"), IN_JPEG.values(), ids=IN_JPEG)
def test_no_needle_stays_in_a_jpeg_and_nothing_else_changes(original: bytes, base: bytes) -> None:
    assert leaks(original)
    assert clean(original).content == base
    # Pillow refuses a second scan behind a whole image.
    assert seen(original) in (frames(base), None)


def test_bytes_that_fill_the_way_to_a_marker_go() -> None:
    assert clean(PLAIN[:-2] + b"\xff" * 99 + EOI).content == PLAIN
    assert clean(between_scans(PROGRESSIVE, b"\xff" * 99)).content == PROGRESSIVE


def test_numbers_of_lines_and_intervals_that_no_scan_needs_go() -> None:
    behind = segment(0xDD, b"Je") + segment(0xDC, b"an")
    assert clean(PLAIN[:-2] + behind + EOI).content == PLAIN
    assert clean(jpeg(segment(0xDD, b"Je"), segment(0xDD, b"\0\0"))).content == jpeg(
        segment(0xDD, b"\0\0")
    )


SHAPES = list(
    itertools.product(
        ("L", "RGB", "CMYK"), ((1, 1), (8, 8), (17, 33), (64, 48)), ("4:4:4", "4:2:2", "4:2:0")
    )
)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_with_restarts_keeps_every_byte(progressive: bool) -> None:
    for mode, size, subsampling in SHAPES:
        options = {"subsampling": subsampling} if mode != "L" else {}
        for interval in ({"restart_marker_blocks": n} for n in (1, 2, 3, 99)):
            image = picture(mode, size=size)
            photo = jpeg(image=image, progressive=progressive, **options, **interval)
            assert clean(photo).content == photo, (mode, size, options, interval)


def test_restarts_out_of_order_stay_because_decoders_differ() -> None:
    first = RESTARTS.index(b"\xff\xd0")
    for damaged in (
        changed(RESTARTS, first + 1, b"\xd5"),
        RESTARTS[:first] + b"\xff\xd5" + RESTARTS[first:],
    ):
        assert clean(damaged).content == damaged


def test_arithmetic_coding_keeps_its_conditions_and_no_huffman_table() -> None:
    frame = PLAIN.index(b"\xff\xc0")
    original = jpeg(segment(0xCC, b"\1\x10\x11\5"))
    content = clean(original.replace(b"\xff\xc0", b"\xff\xc9", 1)).content
    assert segment(0xCC, b"\1\x10\x11\5") in content
    assert PLAIN[2:frame] in content
    assert b"\xff\xc4" not in content


def test_a_frame_whose_components_have_one_id_keeps_its_tables() -> None:
    frame = PLAIN.index(b"\xff\xc0")
    odd = changed(PLAIN, frame + 13, PLAIN[frame + 10 : frame + 11])
    odd = odd[:2] + segment(0xDB, b"\3" + bytes([1]) * 64) + odd[2:]
    assert clean(odd).content == odd


# PNG


def data_of(photo: bytes) -> tuple[bytes, bytes, bytes]:
    """A PNG before its image data, the body of its one IDAT, and the PNG behind it."""
    start = photo.index(b"IDAT") - 4
    length = int.from_bytes(photo[start : start + 4])
    return photo[:start], photo[start + 8 : start + 8 + length], photo[start + 12 + length :]


def with_data(photo: bytes, *bodies: bytes) -> bytes:
    before, _, behind = data_of(photo)
    return before + b"".join(chunk(b"IDAT", body) for body in bodies) + behind


def more_rows(photo: bytes) -> bytes:
    """The same PNG with the needle in rows behind the last one."""
    return with_data(photo, zlib.compress(zlib.decompress(data_of(photo)[1]) + NEEDLE * 9, 0))


def with_frames(photo: bytes, *frames_of: bytes, control: bytes = b"") -> bytes:
    """A PNG with chunks of an animation before and behind its image data."""
    return before_end(photo[:33] + control + photo[33:], *frames_of)


def frame_chunks(number: int, data: bytes) -> bytes:
    header = struct.pack(">IIIIIHHBB", number, 24, 16, 0, 0, 1, 100, 0, 0)
    return chunk(b"fcTL", header) + chunk(b"fdAT", struct.pack(">I", number + 1) + data)


STILL, MOVING = png(), animation("PNG")
DATA = data_of(STILL)[1]
STILL_FRAME = frame_chunks(0, DATA)
ONE = chunk(b"acTL", struct.pack(">II", 1, 0))
ONE_FRAME = with_frames(STILL, STILL_FRAME, control=ONE)
IN_PNG = {
    "behind the image data": (with_data(STILL, DATA + NEEDLE), STILL),
    "in a chunk behind the image data": (with_data(STILL, DATA, NEEDLE), STILL),
    "in chunks behind the image data": (
        with_data(STILL, DATA[:50], DATA[50:] + NEEDLE, NEEDLE, NEEDLE),
        with_data(STILL, DATA[:50], DATA[50:])),
    "behind data that end before the checksum's last byte": (
        with_data(STILL, DATA[:-1], DATA[-1:] + NEEDLE), with_data(STILL, DATA[:-1], DATA[-1:])),
    "in image data of another place": (before_end(STILL, chunk(b"IDAT", NEEDLE)), STILL),
    "in frames without acTL": (with_frames(STILL, frame_chunks(0, NEEDLE)), STILL),
    "in frames of an acTL of none": (
        with_frames(STILL, frame_chunks(0, NEEDLE), control=chunk(b"acTL", bytes(8))), STILL),
    "in a frame behind the last": (before_end(ONE_FRAME, frame_chunks(2, NEEDLE)), ONE_FRAME),
    "in a frame's data without a header": (
        with_frames(STILL, chunk(b"fdAT", bytes(4) + NEEDLE)), STILL),
    "behind a frame's data": (
        with_frames(STILL, frame_chunks(0, DATA + NEEDLE),
                    chunk(b"fdAT", struct.pack(">I", 2) + NEEDLE), control=ONE), ONE_FRAME),
    "in an acTL without frames": (png(chunk(b"acTL", NEEDLE[:8])), STILL),
    "in a palette of an RGB image": (png(chunk(b"PLTE", NEEDLE[:21])), STILL),
    "in alphas of an image with alphas": (
        png(chunk(b"tRNS", NEEDLE), image=picture("RGBA")), png(image=picture("RGBA"))),
    "in a long tRNS": (png(chunk(b"tRNS", bytes(6) + NEEDLE)), png(chunk(b"tRNS", bytes(6)))),
    "in chunks about colours behind the image": (
        before_end(STILL, *(chunk(b"pHYs", NEEDLE[at : at + 9]) for at in range(9))), STILL),
    "in an unknown chunk": (png(chunk(b"prVt", NEEDLE), chunk(b"PrVt", NEEDLE)), STILL),
}  # fmt: skip


@pytest.mark.parametrize(("original", "base"), IN_PNG.values(), ids=IN_PNG)
def test_no_needle_stays_in_a_png_and_nothing_else_changes(original: bytes, base: bytes) -> None:
    assert leaks(original)
    assert clean(original).content == base
    assert clean(base).content == base


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "RGB", "RGBA", "P"])
def test_rows_behind_the_last_go(mode: str) -> None:
    plain = png(image=picture(mode))
    original = more_rows(plain)
    content = clean(original).content
    assert leaks(original)
    assert not leaks(content)
    assert frames(content) == frames(original) == frames(plain)
    assert zlib.decompress(data_of(content)[1]) == zlib.decompress(data_of(plain)[1])


def test_frames_keep_their_pixels_when_chunks_between_them_go() -> None:
    first = MOVING.index(b"fdAT") - 4
    end = first + 12 + int.from_bytes(MOVING[first : first + 4])
    number = MOVING[first + 8 : first + 12]
    body = MOVING[first + 12 : end - 4]
    pieces = [body[:40], body[40:] + NEEDLE, NEEDLE]
    split = b"".join(chunk(b"fdAT", number + piece) for piece in pieces)
    content = clean(MOVING[:first] + split + MOVING[end:]).content
    assert not leaks(content)
    assert frames(content) == frames(MOVING)


def test_a_cut_file_loses_what_stands_behind_its_image_data() -> None:
    whole = with_data(STILL, DATA, NEEDLE * 9)
    for length in range(whole.index(NEEDLE) + 5, len(whole) - 12):
        content = clean(whole[:length]).content
        assert not leaks(content)
        assert frames(content) == frames(STILL)


# The palette

COLOURS = bytes(np.random.default_rng(1).integers(0, 256, 768, np.uint8))


def filtered(rows: NDArray[np.uint8], kinds: list[int]) -> bytes:
    """The rows (bytes of packed pixels) as they stand in a PNG, each with a filter of these in turn."""
    above = np.zeros(rows.shape[1], np.int16)
    stored = []
    for row, kind in zip(rows.astype(np.int16), itertools.cycle(kinds), strict=False):
        left, corner = np.r_[0, row[:-1]], np.r_[0, above[:-1]]
        distances = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
        nearest = np.choose(np.argmin(distances, axis=0), [left, above, corner])
        predicted = [0 * row, left, above, (left + above) // 2, nearest][kind]
        stored.append(bytes([kind]) + (row - predicted & 255).astype(np.uint8).tobytes())
        above = row
    return b"".join(stored)


def packed(pixels: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    """Rows of pixels as bytes, each row from a byte of its own on."""
    bits = (pixels[..., None] >> np.arange(depth - 1, -1, -1) & 1).reshape(len(pixels), -1)
    return np.packbits(bits, axis=1)


def palette_png(
    pixels: NDArray[np.uint8],
    *chunks: bytes,
    depth: int = 8,
    kinds: tuple[int, ...] = (0,),
    interlaced: bool = False,
    entries: int = 256,
) -> bytes:
    starts = [(0, 0, 1, 1)]
    if interlaced:
        starts = list(png_image_data.INTERLACED)
    parts = [pixels[top::down, left::across] for left, top, across, down in starts]
    rows = b"".join(filtered(packed(part, depth), list(kinds)) for part in parts if part.size)
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, interlaced)
    head = chunk(b"IHDR", header) + chunk(b"PLTE", COLOURS[: 3 * entries]) + b"".join(chunks)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def body_of(photo: bytes, kind: bytes) -> bytes:
    at = photo.index(kind)
    return photo[at + 4 : at + 4 + int.from_bytes(photo[at - 4 : at])]


@given(st.data())
@settings(max_examples=80)
def test_entries_that_no_pixel_uses_are_black_and_those_behind_the_last_go(
    data: st.DataObject,
) -> None:
    depth = data.draw(st.sampled_from([1, 2, 4, 8]))
    used = data.draw(st.lists(st.integers(0, 2**depth - 1), min_size=1, max_size=9, unique=True))
    size = data.draw(st.tuples(st.integers(1, 80), st.integers(1, 33)))
    pixels = np.random.default_rng(len(used)).choice(np.array(used, np.uint8), size)
    used = np.unique(pixels).tolist()
    original = palette_png(
        pixels,
        chunk(b"tRNS", COLOURS[: 2**depth]),
        depth=depth,
        kinds=tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))),
        interlaced=data.draw(st.booleans()),
        entries=2**depth,
    )
    content = clean(original).content
    entries = np.frombuffer(COLOURS, np.uint8).reshape(256, 3)[: used[-1] + 1].copy()
    alphas = np.frombuffer(COLOURS, np.uint8)[: used[-1] + 1].copy()
    unused = [number for number in range(used[-1] + 1) if number not in used]
    entries[unused], alphas[unused] = 0, 255
    assert body_of(content, b"PLTE") == entries.tobytes()
    assert body_of(content, b"tRNS") == alphas.tobytes()
    assert opened(content).convert("RGBA").tobytes() == opened(original).convert("RGBA").tobytes()
    assert opened(content).tobytes() == opened(original).tobytes()
    assert clean(content).content == content


def test_the_background_of_a_palette_stays_and_a_part_of_an_entry_goes() -> None:
    pixels = np.zeros((4, 4), np.uint8)
    original = palette_png(pixels, chunk(b"bKGD", b"\2"), entries=200).replace(
        chunk(b"PLTE", COLOURS[:600]), chunk(b"PLTE", COLOURS[:599])
    )
    colours = COLOURS[:3] + bytes(3) + COLOURS[6:9]
    assert body_of(clean(original).content, b"PLTE") == colours


def test_frames_of_an_animation_use_entries_too() -> None:
    still = palette_png(np.zeros((16, 24), np.uint8), entries=100)
    rows = zlib.compress(filtered(np.full((16, 24), 7, np.uint8), [0]))
    original = with_frames(still, frame_chunks(0, rows), control=ONE)
    colours = COLOURS[:3] + bytes(18) + COLOURS[21:24]
    assert body_of(clean(original).content, b"PLTE") == colours


def test_a_palette_of_a_cut_image_keeps_what_is_there_and_the_first_entry() -> None:
    pixels = np.random.default_rng(0).choice(np.array([3, 9], np.uint8), (64, 64))
    original = palette_png(pixels)
    cut = original[: original.index(b"IDAT") + 300]
    colours = body_of(clean(cut).content, b"PLTE")
    expected = np.zeros((10, 3), np.uint8)
    for number in (0, 3, 9):
        expected[number] = list(COLOURS[3 * number : 3 * number + 3])
    assert colours == expected.tobytes()


def test_pixels_that_wait_for_room_count_in_a_cut_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_image_data, "UNPACKED_BYTES", 64)
    original = palette_png(np.arange(1, 201, dtype=np.uint8)[None], kinds=(1,))
    end = original.index(b"IEND") - 8
    # Without the checksum and the mark of the end, all of the input is read before the last pixels come.
    assert len(body_of(clean(original[: end - 5]).content, b"PLTE")) == 3 * 201


@pytest.mark.parametrize(
    ("pixels", "kinds", "limit"),
    [
        (np.zeros((2, 40), np.uint8), (4,), {"MOST_STEPS": 9}),
        (np.zeros((2, 40), np.uint8), (0,), {"BLOCK_BYTES": 9}),
    ],
)
def test_a_palette_that_would_take_minutes_is_refused(
    pixels: NDArray[np.uint8],
    kinds: tuple[int, ...],
    limit: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in limit.items():
        monkeypatch.setattr(png_palette, name, value)
    with pytest.raises(NotAPhoto, match="malformed: the rows of a palette's pixels"):
        clean(palette_png(pixels, kinds=kinds))


# WebP


def chunks_of(photo: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at < len(photo):
        size = int.from_bytes(photo[at + 4 : at + 8], "little")
        yield photo[at : at + 4], photo[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def webp(*chunks: tuple[bytes, bytes], flags: int) -> bytes:
    """An extended WebP of 24 x 16 pixels with these chunks."""
    header = bytes([flags, 0, 0, 0]) + (23).to_bytes(3, "little") + (15).to_bytes(3, "little")
    parts = [(b"VP8X", header), *chunks]
    return riff(b"".join(riff_chunk(kind, body) for kind, body in parts))


LOSSY = next(chunks_of(encoded(picture(), "WEBP")))
LOSSLESS = next(chunks_of(encoded(picture(), "WEBP", lossless=True)))
FRAMES = [chunk for chunk in chunks_of(animation("WEBP")) if chunk[0] == b"ANMF"]
HEAD = (b"ANIM", bytes(6))
ALPHAS = b"\0" + bytes(np.random.default_rng(2).integers(0, 256, 24 * 16, np.uint8))
SEEN, MOVED = 0x10, 0x02


def framed(*chunks: tuple[bytes, bytes], flags: bytes = b"\0") -> tuple[bytes, bytes]:
    size = (23).to_bytes(3, "little") + (15).to_bytes(3, "little")
    data = b"".join(riff_chunk(kind, body) for kind, body in chunks)
    return b"ANMF", bytes(6) + size + bytes(3) + flags + data


IN_WEBP = {
    "in a second image": (
        webp(LOSSY, (b"VP8 ", LOSSY[1] + NEEDLE), flags=0), webp(LOSSY, flags=0)),
    "in another kind of second image": (
        webp(LOSSLESS, (b"VP8L", NEEDLE), flags=SEEN), webp(LOSSLESS, flags=SEEN)),
    "behind alphas without their flag": (
        webp((b"ALPH", ALPHAS + NEEDLE), LOSSY, flags=0),
        webp((b"ALPH", ALPHAS), LOSSY, flags=0)),
    "in alphas beside VP8L": (
        webp((b"ALPH", NEEDLE), LOSSLESS, flags=SEEN), webp(LOSSLESS, flags=SEEN)),
    "behind the alphas": (
        webp((b"ALPH", ALPHAS + NEEDLE), LOSSY, flags=SEEN),
        webp((b"ALPH", ALPHAS), LOSSY, flags=SEEN)),
    "in second alphas": (
        webp((b"ALPH", ALPHAS), (b"ALPH", NEEDLE), LOSSY, flags=SEEN),
        webp((b"ALPH", ALPHAS), LOSSY, flags=SEEN)),
    "in frames without their flag": (
        webp((b"ANIM", NEEDLE[:6]), LOSSY, framed((b"VP8 ", NEEDLE)), flags=0),
        webp(LOSSY, flags=0)),
    "in an image beside frames": (
        webp(HEAD, *FRAMES, (b"VP8 ", NEEDLE), flags=SEEN | MOVED),
        webp(HEAD, *FRAMES, flags=SEEN | MOVED)),
    "in a second header of an animation": (
        webp(HEAD, *FRAMES, (b"ANIM", NEEDLE[:6]), flags=SEEN | MOVED),
        webp(HEAD, *FRAMES, flags=SEEN | MOVED)),
    "in a second image of a frame": (
        webp(HEAD, framed(LOSSY, (b"VP8L", NEEDLE)), flags=MOVED),
        webp(HEAD, framed(LOSSY), flags=MOVED)),
    "behind the alphas of a frame": (
        webp(HEAD, framed((b"ALPH", ALPHAS + NEEDLE), LOSSY), flags=SEEN | MOVED),
        webp(HEAD, framed((b"ALPH", ALPHAS), LOSSY), flags=SEEN | MOVED)),
    "in an unknown chunk": (
        webp((b"priv", NEEDLE), LOSSY, (b"priv", NEEDLE), flags=0), webp(LOSSY, flags=0)),
}  # fmt: skip


@pytest.mark.parametrize(("original", "base"), IN_WEBP.values(), ids=IN_WEBP)
def test_no_needle_stays_in_a_webp_and_nothing_else_changes(original: bytes, base: bytes) -> None:
    assert leaks(original)
    assert clean(original).content == base
    assert frames(base)
    assert clean(base).content == base


def test_reserved_bits_of_a_frame_go() -> None:
    original = webp(HEAD, framed(LOSSY, flags=b"\xff"), flags=MOVED)
    assert clean(original).content == webp(HEAD, framed(LOSSY, flags=b"\3"), flags=MOVED)


def test_alphas_without_their_flag_keep_the_mode_that_pillow_shows() -> None:
    original = webp((b"ALPH", ALPHAS), LOSSY, flags=0)
    content = clean(original).content
    assert content == original
    assert frames(content) == frames(original)
    assert opened(content).mode == "RGBA"


def test_alphas_keep_their_pixels() -> None:
    base = webp((b"ALPH", ALPHAS), LOSSY, flags=SEEN)
    assert opened(base).getchannel("A").tobytes() == ALPHAS[1:]


# Photos that Pillow reads although they are broken


NOISE = picture("RGB", size=(160, 120))
NOISY = encoded(NOISE, "JPEG")


def stray(end: int) -> bytes:
    """A photo with a restart marker in its scan where none belongs, and bytes of its end left out."""
    at = len(NOISY) // 2
    while 0xFF in NOISY[at - 1 : at + 1]:
        at += 1
    return NOISY[:at] + b"\xff\xd3" + NOISY[at : len(NOISY) - end]


@pytest.mark.parametrize("end", [0, 2, 100])
def test_a_scan_that_is_cut_at_a_marker_is_read_as_before(end: int) -> None:
    content = clean(stray(end)).content
    assert frames(content) == frames(stray(end))
    assert content.endswith(EOI)
    assert content.count(EOI) == 1
    assert len(content) < len(stray(end)) - 100 + end
    assert clean(content).content == content


def test_a_photo_that_is_cut_off_without_a_marker_stays_cut() -> None:
    original = NOISY[: len(NOISY) // 2]
    assert seen(original) is None
    assert seen(clean(original).content) is None
    assert EOI not in clean(original).content


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_image_data_with_a_wrong_checksum_are_cut_where_pillow_reads_them(mode: str) -> None:
    photo = png(image=picture(mode))
    packed = zlib.compress(zlib.decompress(data_of(photo)[1]) + b"\0")
    original = with_data(photo, packed[:-4] + b"abcd")
    assert frames(original) == frames(photo)
    assert frames(clean(original).content) == frames(photo)


def test_image_data_that_are_packed_anew_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = zlib.decompress(DATA)
    monkeypatch.setattr(png_image_data, "LONGEST", len(rows) + 1)
    longer = with_data(STILL, zlib.compress(rows + NEEDLE))
    assert zlib.decompress(data_of(clean(longer).content)[1]) == rows


# Hostile sizes


@pytest.mark.parametrize(
    "photo",
    [
        PLAIN[:2] + segment(0xFE, b"") * 300 + PLAIN[2:],
        STILL[:33] + chunk(b"prVt", b"") * 300 + STILL[33:],
        with_data(STILL, *[b""] * 300, DATA),
        webp(LOSSY, *[(b"priv", b"")] * 300, flags=0),
        webp(HEAD, framed(LOSSY, *[(b"priv", b"")] * 300), flags=MOVED),
    ],
    ids=["jpeg", "png", "png data", "webp", "webp frame"],
)
def test_a_photo_of_very_many_parts_is_refused(
    photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clean(photo)
    monkeypatch.setattr(cleaning_results, "MOST_PARTS", 300)
    with pytest.raises(NotAPhoto, match="malformed: more than 300 "):
        clean(photo)


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def test_image_data_that_unpack_to_more_than_the_image_end_with_it() -> None:
    content = clean(with_data(STILL, bomb(16))).content
    assert len(zlib.decompress(data_of(content)[1])) == 16 * (1 + 3 * 24)


def test_images_that_unpack_to_no_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_image_data, "LONGEST", 2**22)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 59_999, 8, 2, 0, 0, 0))
    photo = with_data(STILL[:8] + header + STILL[33:], bomb(16))
    with pytest.raises(NotAPhoto, match="malformed: the image data unpack to more than 4,194,304"):
        clean(photo)
    small = with_frames(STILL, *(frame_chunks(2 * n, DATA) for n in range(9)))
    moving = small[:33] + chunk(b"acTL", struct.pack(">II", 9, 0)) + small[33:]
    assert clean(moving).content == moving
    monkeypatch.setattr(png_image_data, "LONGEST", 10 * 16 * (1 + 3 * 24) - 1)
    with pytest.raises(NotAPhoto, match="malformed: the image data unpack to more than"):
        clean(moving)


@pytest.mark.parametrize("size", [1, 7, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**18])
def test_data_are_cut_at_their_end_wherever_the_pieces_end(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the last bytes wait for room in the output while all of the input was read."""
    image = Image.fromarray(np.zeros((1, size), np.uint8))
    plain = png(image=image)
    body = data_of(plain)[1]
    for packed_bytes, unpacked_bytes in ((2**16, 2**18), (1, 64), (3, 2**18), (2**16, 1 + size)):
        monkeypatch.setattr(png_image_data, "PACKED_BYTES", packed_bytes)
        monkeypatch.setattr(png_image_data, "UNPACKED_BYTES", unpacked_bytes)
        for data in ([body], [body + NEEDLE], [body, NEEDLE], [body[:-4], body[-4:] + NEEDLE]):
            content = clean(with_data(plain, *data)).content
            assert not leaks(content)
            assert opened(content).tobytes() == image.tobytes()
            assert clean(content).content == content


# Real photos


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the real photos are not on this machine")
def test_real_photos_lose_a_needle_and_no_pixel() -> None:
    paths = sorted(PHOTOS.rglob("*.jpg"))[::150]
    assert paths
    for path in paths:
        original = path.read_bytes()
        plain = clean(original).content
        assert frames(plain) == frames(original)
        spoiled = original[:2] + segment(0xDB, QUANTIZATION) + original[2:]
        assert clean(spoiled).content == plain
        for kind in ("PNG", "WEBP"):
            again = encoded(opened(original), kind)
            assert clean(again).content == again
