"""HEIC and AVIF are decoded as libheif and Pillow show them, upright, within the limits and in the child."""

from __future__ import annotations

import pwd
import struct
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from bronze.formats.metadata_removal import clean
from lake.enums import PixelWay
from silver.decoder_process import Decoder
from silver.pixels import DecodedPhoto, Limits, RefusalReason, RefusedPhoto, decode
from silver.resizing import FILTER
from tests.support.decoded_photos import decoded_pixels
from tests.support.heif_files import ALPHA, aux, box, coded, grid, heif, imir, irot, ispe, tiled
from tests.support.other_user import as_nobody
from tests.support.photo_files import encoded, picture

LIMITS = Limits(10_000_000, 20_000_000, 16, 4, 20.0, 200_000_000)
KINDS = {"heic": (b"hvc1", b"heic"), "avif": (b"av01", b"avif")}

both = pytest.mark.parametrize(("kind", "brand"), KINDS.values(), ids=KINDS)


def scene(size: tuple[int, int] = (64, 80)) -> Image.Image:
    """A smooth picture without any symmetry."""
    down, across = np.mgrid[0 : size[1], 0 : size[0]]
    bands = [down * 255 // size[1], across * 255 // size[0], (down * across) % 256 // 4]
    return Image.fromarray(np.dstack(bands).astype(np.uint8))


def refusal(content: bytes, limits: Limits = LIMITS) -> RefusalReason:
    with pytest.raises(RefusedPhoto) as refused:
        decoded_pixels(content, size=64, limits=limits)
    return refused.value.reason


@both
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_photo_is_turned_by_its_boxes_once(
    kind: bytes, brand: bytes, quarters: int, axis: int | None
) -> None:
    upright = scene().rotate(90 * quarters, expand=True)
    if axis is not None:
        upright = ImageOps.mirror(upright) if axis else ImageOps.flip(upright)
    expected = np.asarray(upright.resize((48, 48), FILTER)).astype(int)
    mirror = [] if axis is None else [imir(axis)]
    original = heif([coded(scene(), kind).also(irot(quarters), *mirror)], brand=brand)
    for content in (original, clean(original).content):
        pixels = decoded_pixels(content, size=48, limits=LIMITS).astype(int)
        assert np.abs(pixels - expected).mean() < 6


@both
def test_transparent_pixels_are_white(kind: bytes, brand: bytes) -> None:
    colours = coded(Image.new("RGB", (64, 64), "red"), kind)
    half = Image.new("L", (64, 64))
    half.paste(255, (0, 0, 32, 64))
    alphas = coded(half, kind).also(aux(ALPHA))
    content = clean(heif([colours, alphas], [(b"auxl", 2, [1])], brand=brand)).content
    pixels = decoded_pixels(content, size=64, limits=LIMITS).astype(int)
    assert np.abs(pixels[:, :24] - (255, 0, 0)).max() < 12
    assert np.abs(pixels[:, 40:] - (255, 255, 255)).max() < 12


@both
def test_the_largest_picture_counts_and_not_the_photo_alone(kind: bytes, brand: bytes) -> None:
    """A small photo may be cut from a large picture, and that one is decoded."""
    limits = replace(LIMITS, max_pixels=64 * 64 - 1)
    assert (
        refusal(clean(tiled(1, 1, 32, 32, kind=kind)).content, limits) is RefusalReason.PIXEL_BOMB
    )
    crop = box(b"clap", struct.pack(">8I", 32, 1, 32, 1, 0, 1, 0, 1))
    large = coded(picture(size=(64, 64)), kind).without(b"clap").also(crop)
    assert refusal(clean(heif([large], brand=brand)).content, limits) is RefusalReason.PIXEL_BOMB
    within = replace(LIMITS, max_pixels=64 * 64)
    assert decoded_pixels(clean(tiled(1, 1, 32, 32, kind=kind)).content, size=8, limits=within).size


@both
def test_a_header_of_many_pixels_is_a_bomb_at_once(kind: bytes, brand: bytes) -> None:
    one = coded(picture(size=(64, 64)), kind)
    huge = heif([one.instead(ispe(60_000, 60_000))], brand=brand)
    many = heif([grid(200, 200, 12_800, 12_800), one], [(b"dimg", 1, [2] * 40_000)], brand=brand)
    for content in (huge, many):
        began = time.process_time()
        assert refusal(content) in (RefusalReason.PIXEL_BOMB, RefusalReason.UNDECODABLE)
        assert time.process_time() - began < 1


@pytest.mark.parametrize("form", ["HEIC", "AVIF"])
def test_what_is_cut_off_is_truncated(form: str) -> None:
    content = encoded(picture(size=(200, 130)), form)
    for cut in (len(content) - 1, len(content) // 2):
        assert refusal(clean(content[:cut]).content) is RefusalReason.TRUNCATED


@pytest.mark.parametrize("form", ["HEIC", "AVIF"])
def test_what_is_too_small_or_blank_is_refused(form: str) -> None:
    assert refusal(encoded(picture(size=(100, 15)), form)) is RefusalReason.TOO_SMALL
    assert refusal(encoded(Image.new("RGB", (64, 64)), form)) is RefusalReason.BLANK


# In the child


def photos() -> list[bytes]:
    made = [encoded(scene((640, 480)), form) for form in ("HEIC", "AVIF")]
    return [clean(content).content for content in (*made, tiled(2, 2, 128, 128))]


def test_the_child_decodes_to_the_same_pixels() -> None:
    decoder = Decoder(decode, size=64, limits=LIMITS, way=PixelWay.HAMMING)
    try:
        found = list(decoder.decoded(photos()))
    finally:
        decoder.close()
    for content, photo in zip(photos(), found, strict=True):
        assert isinstance(photo, DecodedPhoto)
        np.testing.assert_array_equal(photo.pixels, decoded_pixels(content, size=64, limits=LIMITS))


OTHER_USER = """
import os
from lake.enums import PixelWay
from silver.decoder_process import Decoder
from silver.pixels import Limits, decode
limits = Limits(10_000_000, 20_000_000, 16, 4, 20.0, 200_000_000)
decoder = Decoder(decode, size=64, limits=limits, way=PixelWay.HAMMING)
photos = map(bytes.fromhex, sys.stdin)
print(os.getuid(), *(getattr(found, "pixels", found).shape for found in decoder.decoded(photos)))
decoder.close()
"""


def test_another_user_than_root_decodes_too() -> None:
    """A limit on processes, which doesn't hold for root, would forbid the thread that HEIC needs."""
    ran = as_nobody(OTHER_USER, given="\n".join(content.hex() for content in photos()))
    user = pwd.getpwnam("nobody").pw_uid
    assert ran.stdout.split("\n")[0] == f"{user} " + " ".join(["(64, 64, 3)"] * 3), ran.stderr
