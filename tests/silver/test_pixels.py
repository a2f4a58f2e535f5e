"""Decoding: the whole photo or a refusal by its reason, whatever the bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from lake.enums import PixelWay
from silver.fingerprints import brightness, dhash, luminance, sharpness
from silver.pixels import Limits, RefusalReason, RefusedPhoto
from silver.resizing import FILTER
from tests.support.decoded_photos import decoded_pixels

LIMITS = Limits(
    max_bytes=2_000_000,
    max_pixels=20_000_000,
    min_side=16,
    blank_range=4,
    decode_seconds=30,
    decoder_memory=10**9,
)
BIG = replace(LIMITS, max_bytes=50_000_000)
ANY_RANGE = replace(LIMITS, blank_range=0)
JPEG_END = b"\xff\xd9"

FILTERS = {PixelWay.HAMMING: FILTER, PixelWay.BICUBIC: Image.Resampling.BICUBIC}
"""Pillow's filters for both ways."""

ways = pytest.mark.parametrize("way", PixelWay)


def scene(width=120, height=96, seed=0):
    """A photo-like RGB image: soft shapes, edges and some grain."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    soft = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    soft[height // 4 : height // 2, width // 3 : width // 2] = (220, 40, 30)
    return Image.fromarray((soft + rng.integers(-6, 7, soft.shape)).clip(0, 255).astype(np.uint8))


def saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def square(image, size=64, way=PixelWay.HAMMING):
    """What `decode` promises of an image that Pillow decoded whole."""
    return np.asarray(image.convert("RGB").resize((size, size), FILTERS[way])).astype(int)


def reason(content, *, size=64, limits=LIMITS, way=PixelWay.HAMMING):
    with pytest.raises(RefusedPhoto) as refusal:
        decoded_pixels(content, size=size, limits=limits, way=way)
    return refusal.value.reason


SCENE = scene()
PHOTOS = {
    "baseline": saved(SCENE, "JPEG", quality=90),
    "progressive": saved(SCENE, "JPEG", quality=90, progressive=True),
    "restarts": saved(SCENE, "JPEG", quality=90, restart_marker_blocks=4),
    "grey": saved(SCENE.convert("L"), "JPEG", quality=90),
    "cmyk": saved(SCENE.convert("CMYK"), "JPEG", quality=90),
    "png": saved(SCENE, "PNG"),
    "palette": saved(SCENE.quantize(64), "PNG"),
    "webp": saved(SCENE, "WEBP", quality=90),
    "lossless": saved(SCENE, "WEBP", lossless=True),
    "avif": saved(SCENE, "AVIF"),
}
JPEGS = ("baseline", "progressive", "restarts", "grey", "cmyk")
ONE_SCAN = tuple(name for name in JPEGS if name != "progressive")


# What comes back


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("size", [24, 64, 224])
@ways
def test_pixels_are_rgb_of_the_size_asked_for(name, size, way):
    pixels = decoded_pixels(PHOTOS[name], size=size, limits=LIMITS, way=way)
    assert (pixels.shape, pixels.dtype) == ((size, size, 3), np.uint8)


@pytest.mark.parametrize("name", PHOTOS)
@ways
def test_pixels_are_those_that_pillow_decodes(name, way):
    expected = square(Image.open(io.BytesIO(PHOTOS[name])), way=way)
    found = decoded_pixels(PHOTOS[name], size=64, limits=LIMITS, way=way)
    assert np.abs(found - expected).max() <= 1


@ways
def test_the_aspect_ratio_is_not_kept(way):
    halves = Image.new("RGB", (200, 50), "red")
    halves.paste("blue", (100, 0, 200, 50))
    pixels = decoded_pixels(saved(halves, "PNG"), size=64, limits=LIMITS, way=way)
    assert (pixels[:, :31] == (255, 0, 0)).all()
    assert (pixels[:, 33:] == (0, 0, 255)).all()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shape", [(4032, 3024), (1000, 3000), (897, 1200)])
@ways
def test_a_large_jpeg_at_reduced_scale_is_close_to_the_whole(shape, progressive, way):
    large = saved(scene(*shape), "JPEG", quality=85, progressive=progressive)
    whole = square(Image.open(io.BytesIO(large)), 224, way)
    difference = np.abs(decoded_pixels(large, size=224, limits=LIMITS, way=way) - whole)
    assert difference.mean() < 0.5
    assert difference.max() <= 12


@pytest.mark.parametrize("shape", [(2000, 1500), (3000, 4000)])
@ways
def test_a_large_png_is_close_to_the_whole(shape, way):
    large = scene(*shape)
    content = saved(large, "PNG", compress_level=1)
    decoded = decoded_pixels(content, size=224, limits=BIG, way=way)
    assert np.abs(decoded - square(large, 224, way)).mean() < 0.5


# Colours


def two(first, second, mode="RGB"):
    """A 64 x 64 image, its left half of one value and its right half of another."""
    image = Image.new(mode, (64, 64), first)
    image.paste(second, (32, 0, 64, 64))
    return image


def two_16_bit(first, second):
    values = np.full((64, 64), first, np.uint16)
    values[:, 32:] = second
    return Image.fromarray(values)


def two_of_palette(**options):
    image = two(0, 1, "P")
    image.putpalette([200, 10, 20, 0, 90, 250])
    return saved(image, "PNG", **options)


def two_frames(form, **options):
    red, blue = two("red", "black"), two("blue", "black")
    return saved(red, form, save_all=True, append_images=[blue], duration=100, **options)


@pytest.mark.parametrize(
    ("content", "left", "right"),
    [
        (saved(two("red", "blue"), "PNG"), (255, 0, 0), (0, 0, 255)),
        (saved(two(7, 250, "L"), "PNG"), (7, 7, 7), (250, 250, 250)),
        (saved(two(0, 1, "1"), "PNG"), (0, 0, 0), (255, 255, 255)),
        (two_of_palette(), (200, 10, 20), (0, 90, 250)),
        (two_of_palette(transparency=1), (200, 10, 20), (255, 255, 255)),
        (two_of_palette(transparency=b"\xff\x00"), (200, 10, 20), (255, 255, 255)),
        (saved(two("red", "blue"), "PNG", transparency=(0, 0, 255)), (255, 0, 0), (255,) * 3),
        (saved(two((0, 255), (0, 0), "LA"), "PNG"), (0, 0, 0), (255, 255, 255)),
        (saved(two((9, 8, 7, 255), (9, 8, 7, 0), "RGBA"), "PNG"), (9, 8, 7), (255,) * 3),
        (saved(two((0, 0, 0, 127), (0, 0, 0, 255), "RGBA"), "PNG"), (128,) * 3, (0, 0, 0)),
        (saved(two((0, 0, 0, 0), (0, 0, 0, 255), "RGBA"), "WEBP", lossless=True), (255,) * 3, 0),
        (saved(two_16_bit(257 * 90, 65535), "PNG"), (90, 90, 90), (255, 255, 255)),
        (saved(two_16_bit(257 * 90 - 128, 257 * 90 + 129), "PNG"), (90, 90, 90), (91, 91, 91)),
        (saved(two_16_bit(100, 60000), "PNG"), (0, 0, 0), (233, 233, 233)),
        (saved(two_16_bit(100, 60000), "PNG", transparency=100), (255,) * 3, (233, 233, 233)),
        (two_frames("PNG"), (255, 0, 0), (0, 0, 0)),
        (two_frames("WEBP", lossless=True), (255, 0, 0), (0, 0, 0)),
        (saved(two("red", "blue"), "JPEG", quality=95), (254, 0, 0), (0, 0, 254)),
        (saved(two("red", "blue").convert("CMYK"), "JPEG", quality=95), (254, 0, 0), (0, 0, 254)),
    ],
    ids=[
        "rgb", "grey", "bilevel", "palette", "palette, transparent index", "palette, alphas",
        "rgb, transparent colour", "grey and alpha", "rgba", "half transparent", "webp with alpha",
        "16 bit", "16 bit, rounded", "16 bit, unequal", "16 bit, transparent grey", "apng",
        "animated webp", "jpeg", "cmyk",
    ],
)  # fmt: skip
@ways
def test_every_mode_becomes_rgb(content, left, right, way):
    pixels = decoded_pixels(content, size=64, limits=ANY_RANGE, way=way).astype(int)
    tolerance = 1 if content.startswith(b"\xff\xd8") else 0
    assert np.abs(pixels[8:-8, 8:24] - left).max() <= tolerance
    assert np.abs(pixels[8:-8, 40:56] - right).max() <= tolerance


def test_cmyk_counts_as_inverted_also_without_adobes_marker():
    content = PHOTOS["cmyk"]
    start = content.index(b"\xff\xee")
    bare = content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]
    np.testing.assert_array_equal(
        decoded_pixels(bare, size=64, limits=LIMITS),
        decoded_pixels(content, size=64, limits=LIMITS),
    )


# Orientation


def turned(orientation, form, image=SCENE, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, form, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize(
    ("form", "options"), [("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("AVIF", {})]
)
@pytest.mark.parametrize("size", [24, 64])  # at 24 a JPEG is decoded at half scale
@ways
def test_photos_stand_upright(orientation, form, options, size, way):
    content = turned(orientation, form, **options)
    expected = square(ImageOps.exif_transpose(Image.open(io.BytesIO(content))), size, way)
    difference = np.abs(decoded_pixels(content, size=size, limits=LIMITS, way=way) - expected)
    assert difference.mean() < 1
    assert difference.max() <= (12 if form == "JPEG" and size == 24 else 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("tags", [b"", b"MM\0*\0\0\xff\xff", b"\xff" * 40])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_exif_that_cannot_be_read_turns_nothing(form, tags):
    broken = saved(SCENE, form, exif=b"Exif\0\0" + tags)
    np.testing.assert_array_equal(
        decoded_pixels(broken, size=64, limits=LIMITS),
        decoded_pixels(saved(SCENE, form), size=64, limits=LIMITS),
    )


# Refusals


def png(width, height, data=b""):
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + data)
    framed = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (*chunks, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def jpeg_of(width, height):
    start = PHOTOS["baseline"].index(b"\xff\xc0") + 5
    size = struct.pack(">HH", height, width)
    return PHOTOS["baseline"][:start] + size + PHOTOS["baseline"][start + 4 :]


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


GREY = two(128, 128, "L")
NOISE = Image.fromarray(np.random.default_rng(1).integers(126, 131, (64, 64), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", RefusalReason.TRUNCATED),
        (b"\xff", RefusalReason.TRUNCATED),
        (b"\x89PNG", RefusalReason.TRUNCATED),
        (b"RIFF\0\0", RefusalReason.TRUNCATED),
        (b"a text, and no photo at all", RefusalReason.UNSUPPORTED),
        (bytes(100), RefusalReason.UNSUPPORTED),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(50), RefusalReason.UNSUPPORTED),
        (saved(SCENE, "GIF"), RefusalReason.UNSUPPORTED),
        (two_frames("GIF"), RefusalReason.UNSUPPORTED),
        (saved(SCENE, "BMP"), RefusalReason.UNSUPPORTED),
        (saved(SCENE, "TIFF"), RefusalReason.UNSUPPORTED),
        (PHOTOS["png"] + bytes(LIMITS.max_bytes), RefusalReason.TOO_LARGE),
        (png(60_000, 60_000), RefusalReason.PIXEL_BOMB),
        (png(2**31 - 1, 2**31 - 1), RefusalReason.PIXEL_BOMB),
        (jpeg_of(65_000, 65_000), RefusalReason.PIXEL_BOMB),
        (saved(Image.new("L", (5000, 4001)), "WEBP"), RefusalReason.PIXEL_BOMB),
        (saved(Image.new("RGB", (1, 1)), "PNG"), RefusalReason.TOO_SMALL),
        (saved(scene(15, 100), "JPEG"), RefusalReason.TOO_SMALL),
        (saved(scene(100, 15), "WEBP"), RefusalReason.TOO_SMALL),
        (saved(Image.new("RGB", (64, 64), "white"), "PNG"), RefusalReason.BLANK),
        (saved(GREY, "JPEG"), RefusalReason.BLANK),
        (saved(NOISE, "PNG"), RefusalReason.BLANK),
        (saved(Image.new("RGBA", (64, 64), (9, 99, 199, 0)), "PNG"), RefusalReason.BLANK),
        (png(64, 64, b"no deflated data"), RefusalReason.UNDECODABLE),
        (png(64, 64), RefusalReason.UNDECODABLE),
        (flipped(PHOTOS["webp"], 25), RefusalReason.UNDECODABLE),
        (
            flipped(PHOTOS["baseline"], PHOTOS["baseline"].index(b"\xff\xc4") + 3),
            RefusalReason.UNDECODABLE,
        ),
        (b"\xff\xd8\xff\xe0 nothing of a JPEG" + JPEG_END, RefusalReason.UNDECODABLE),
    ],
)
@ways
def test_what_cannot_be_used_is_refused_by_its_reason(content, expected, way):
    assert reason(content, way=way) is expected


def test_one_level_more_than_blank_is_a_photo():
    within = two(100, 104, "L")
    beyond = two(100, 105, "L")
    assert reason(saved(within, "PNG")) is RefusalReason.BLANK
    decoded_pixels(saved(beyond, "PNG"), size=64, limits=LIMITS)


@pytest.mark.parametrize("side", [15, 16])
def test_the_smallest_side_decides(side):
    content = saved(scene(side, 40), "PNG")
    if side < LIMITS.min_side:
        assert reason(content) is RefusalReason.TOO_SMALL
    else:
        decoded_pixels(content, size=64, limits=LIMITS)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("size", [24, 64])  # at 24 a JPEG is decoded at half scale
def test_a_cut_photo_is_refused_wherever_it_is_cut(name, size):
    content = PHOTOS[name]
    ends = {*range(1, len(content), len(content) // 40), *range(len(content) - 14, len(content))}
    if name in ONE_SCAN:  # all pixels are there, see below
        ends -= {len(content) - 1, len(content) - 2}
    found = {end: reason(content[:end], size=size) for end in ends}
    assert set(found.values()) == {RefusalReason.TRUNCATED}


@pytest.mark.parametrize("name", ONE_SCAN)
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("size", [24, 64])
def test_a_jpeg_of_one_scan_is_whole_without_its_end_marker(name, missing, size):
    content = PHOTOS[name]
    np.testing.assert_array_equal(
        decoded_pixels(content[:-missing], size=size, limits=LIMITS),
        decoded_pixels(content, size=size, limits=LIMITS),
    )


def test_a_jpeg_with_a_scan_of_each_colour_is_cut_without_its_end_marker():
    """One that lacks whole scans would be shown in grey, and no pixel tells it from a grey photo."""
    content = saved(SCENE, "JPEG", progressive=True)
    assert reason(content[:-2]) is RefusalReason.TRUNCATED


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("size", [24, 64])
def test_a_jpeg_that_ends_within_its_data_is_refused_despite_its_end_marker(name, size):
    """libjpeg fills what is missing with grey, and only warns."""
    content = PHOTOS[name]
    scan = content.rindex(b"\xff\xda") + 20
    ends = range(scan, len(content) - 20, max(1, (len(content) - scan) // 25))
    found = [reason(content[:end] + JPEG_END, size=size) for end in ends]
    assert set(found) == {RefusalReason.TRUNCATED}


@pytest.mark.parametrize("name", JPEGS)
def test_a_cut_jpeg_filled_with_zeros_is_refused(name):
    content = PHOTOS[name]
    zeros = content[: len(content) * 2 // 3] + bytes(len(content) // 3)
    assert reason(zeros) is RefusalReason.TRUNCATED


def test_a_grey_photo_is_no_cut_photo():
    grey = two(128, 30, "L").transpose(Image.Transpose.FLIP_LEFT_RIGHT).convert("RGB")
    for progressive in (False, True):
        content = saved(grey, "JPEG", progressive=progressive)
        assert decoded_pixels(content, size=64, limits=LIMITS)[-1, -1].tolist() == [128] * 3


@pytest.mark.parametrize("name", PHOTOS)
def test_what_follows_the_end_does_not_matter(name):
    content = PHOTOS[name]
    longer = decoded_pixels(content + b"a trailer", size=64, limits=LIMITS)
    np.testing.assert_array_equal(longer, decoded_pixels(content, size=64, limits=LIMITS))


def test_a_refusal_holds_nothing_of_the_file():
    exif = Image.Exif()
    exif[0x010E] = "secret"
    content = saved(SCENE, "JPEG", exif=exif)
    for broken in (content[:-300], content[:200], content + bytes(LIMITS.max_bytes)):
        with pytest.raises(RefusedPhoto) as refusal:
            decoded_pixels(broken, size=64, limits=LIMITS)
        assert "secret" not in str(refusal.value)


# Pillow's own bomb limit is global to the process; the settings' limit is what counts.


@pytest.mark.parametrize("name", ["baseline", "png"])
def test_more_pixels_than_pillow_likes_are_fine_where_the_settings_allow(name, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings(action="error"):
        decoded_pixels(PHOTOS[name], size=64, limits=LIMITS)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_pillows_own_refusal_counts_as_a_bomb(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert reason(PHOTOS["webp"]) is RefusalReason.PIXEL_BOMB


# Whatever the bytes


def pixels_or_refusal(content):
    for way in PixelWay:
        try:
            pixels = decoded_pixels(content, size=32, limits=LIMITS, way=way)
        except RefusedPhoto:
            continue
        assert (pixels.shape, pixels.dtype) == ((32, 32, 3), np.uint8)


@settings(max_examples=200)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"]), st.binary())
def test_any_bytes_give_pixels_or_a_refusal(signature, content):
    pixels_or_refusal(signature + content)


@settings(max_examples=400)
@given(
    st.sampled_from([*PHOTOS.values(), two_frames("PNG"), two_frames("WEBP"), turned(6, "JPEG")]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6)), max_size=4),
    st.floats(0, 1),
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_any_mutation_gives_pixels_or_a_refusal(content, edits, end):
    mutated = bytearray(content)
    for place, new in edits:
        start = int(place**3 * len(mutated))  # headers, more often than pixels
        mutated[start : start + len(new)] = new
    pixels_or_refusal(bytes(mutated[: int(end**0.1 * len(mutated)) + 1]))


# Quality


def array(image):
    return np.asarray(image.resize((224, 224)).convert("RGB"))


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("black", 0.0), ("white", 1.0), ((51, 51, 51), 0.2), ("red", 0.299), ("lime", 0.587)],
)
def test_brightness_is_the_mean_luminance(colour, expected):
    pixels = array(Image.new("RGB", (64, 64), colour))
    assert brightness(pixels) == pytest.approx(expected, abs=0.003)


def test_sharpness_is_the_variance_of_the_laplacian():
    grey = np.random.default_rng(5).integers(0, 256, (64, 64)).astype(np.uint8)
    wide = grey.astype(float)
    laplacian = (
        4 * wide[1:-1, 1:-1] - wide[:-2, 1:-1] - wide[2:, 1:-1] - wide[1:-1, :-2] - wide[1:-1, 2:]
    )
    assert sharpness(grey) == pytest.approx(laplacian.var(), rel=1e-5)


def test_a_flat_photo_has_no_sharpness():
    assert sharpness(np.full((224, 224, 3), 200, np.uint8)) == 0.0


def test_blur_lowers_sharpness():
    blurred = [array(scene(448, 448).filter(ImageFilter.GaussianBlur(r))) for r in (0, 1, 2, 4)]
    values = [sharpness(pixels) for pixels in blurred]
    assert values == sorted(values, reverse=True)
    assert values[0] > 4 * values[-1]


@pytest.mark.parametrize(("ramp", "expected"), [(range(224), -1), (range(223, -1, -1), 0)])
def test_dhash_tells_where_it_gets_brighter(ramp, expected):
    rows = np.tile(np.array(ramp, np.uint8), (224, 1))
    assert dhash(rows) == expected


def test_dhash_reads_row_by_row_from_the_highest_bit():
    rows = np.zeros((224, 224), np.uint8)
    rows[:28, 20:] = 200  # the first row's second cell is brighter than its first
    assert dhash(rows) == -(2**63)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_dhash_fits_a_bigint_and_survives_compression(seed):
    image = scene(224, 224, seed)
    found = dhash(np.asarray(image))
    again = dhash(np.asarray(Image.open(io.BytesIO(saved(image, "JPEG", quality=60)))))
    assert -(2**63) <= found < 2**63
    assert ((found ^ again) & (2**64 - 1)).bit_count() <= 6


def test_quality_is_the_same_of_pixels_and_of_their_luminance():
    pixels = array(SCENE)
    grey = luminance(pixels)
    assert grey.shape == (224, 224)
    assert luminance(grey) is grey
    for quality in (brightness, sharpness, dhash):
        assert quality(grey) == quality(pixels)
