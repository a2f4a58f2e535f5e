"""Colours: a photo with a profile is decoded to the sRGB that it shows, and one without as it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from bronze.formats.metadata_removal import clean
from lake.enums import PixelWay
from silver import colours, resizing
from silver.inference_runtime import CompiledModel
from silver.pixels import Limits, RefusalReason, RefusedPhoto
from tests.support.colour_profiles import (
    RGB_SPACES,
    curv,
    display,
    grey,
    in_space,
    printer,
    profile,
    rgb_space,
    scanner,
    srgb_of_few_points,
    xyz,
)
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_files import encoded

LIMITS = Limits(
    max_bytes=5_000_000,
    max_pixels=20_000_000,
    min_side=16,
    blank_range=0,
    decode_seconds=30,
    decoder_memory=10**9,
)
WIDE = [name for name in RGB_SPACES if name != "sRGB"]
FORMATS = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}
LCMS = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LINEAR = profile({b"wtpt": xyz(0.9642, 1.0, 0.8249), b"kTRC": curv()}, space=b"GRAY", version=2)


def scene() -> Image.Image:
    """A picture of soft, mostly muted colours, which all of the spaces hold."""
    small = np.random.default_rng(1).integers(40, 210, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC)


def decoded(content: bytes, size: int = 64, way: PixelWay = PixelWay.HAMMING) -> np.ndarray:
    return decoded_pixels(content, size=size, limits=LIMITS, way=way).astype(int)


def far(one: np.ndarray, other: np.ndarray) -> float:
    """The mean difference in levels."""
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("space", WIDE)
def test_a_copy_in_a_wider_space_has_the_pixels_of_the_original(form, space):
    plain = decoded(encoded(scene(), form, **FORMATS[form]))
    wide = in_space(scene(), space)
    copy = encoded(wide, form, icc_profile=wide.info["icc_profile"], **FORMATS[form])
    unmanaged = decoded(encoded(wide, form, icc_profile=None, **FORMATS[form]))
    assert far(decoded(copy), plain) < 1.5
    assert far(unmanaged, plain) > 5
    assert (decoded(clean(copy).content) == decoded(copy)).all()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "srgb",
    [
        LCMS,
        rgb_space("sRGB"),
        rgb_space("sRGB", version=2),
        *map(srgb_of_few_points, (26, 1024, 4096)),
    ],
    ids=["LittleCMS", "version 4", "version 2", "26 points", "1,024 points", "4,096 points"],
)
def test_a_profile_of_srgb_changes_no_bit(form, srgb):
    plain = encoded(scene(), form, **FORMATS[form])
    tagged = encoded(scene(), form, icc_profile=srgb, **FORMATS[form])
    assert len(tagged) > len(plain)
    assert (decoded(tagged) == decoded(plain)).all()


def broken_profiles() -> dict[str, bytes]:
    p3 = rgb_space("Display P3")
    return {
        "a word": b"P3",
        "zeros": bytes(500),
        "cut": p3[:200],
        "no tags": p3[:128] + bytes(4),
        "no curves": p3.replace(b"TRC", b"XXX"),
        "of grey": grey(),
        "of one colour": profile(
            dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ"), xyz(0, 0, 0))
            | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curv())
        ),
        "of a printer": printer(),
    }


@pytest.mark.parametrize("name", broken_profiles())
@pytest.mark.parametrize("form", FORMATS)
def test_a_profile_that_can_not_be_used_counts_as_srgb(form, name):
    plain = encoded(scene(), form, **FORMATS[form])
    tagged = encoded(scene(), form, icc_profile=broken_profiles()[name], **FORMATS[form])
    assert (decoded(tagged) == decoded(plain)).all()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_bytes_of_a_profile_make_a_photo_undecodable(data):
    """At most, a profile shows it in one colour, and then it is blank."""
    chosen = data.draw(st.sampled_from([(display, "RGB"), (scanner, "RGB"), (printer, "CMYK")]))
    own, mode = bytearray(chosen[0]()), chosen[1]
    for _ in range(data.draw(st.integers(1, 8))):
        own[data.draw(st.integers(0, min(len(own), 1_500) - 1))] = data.draw(st.integers(0, 255))
    content = encoded(scene().convert(mode), "JPEG", icc_profile=bytes(own))
    for each in (content, clean(content).content):
        try:
            assert decoded(each).shape == (64, 64, 3)
        except RefusedPhoto as refused:
            assert refused.reason == RefusalReason.BLANK  # noqa: PT017 - most are no refusals


def converted(image: Image.Image, own: bytes) -> np.ndarray:
    """The whole picture as LittleCMS converts it, then made small."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(own))
    target = ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return np.asarray(made.resize((64, 64), resizing.FILTER)).astype(int)


@pytest.mark.parametrize(
    ("own", "image", "form"),
    [
        (scanner(), scene(), "PNG"),
        (grey(), scene().convert("L"), "JPEG"),
        (LINEAR, scene().convert("L"), "PNG"),
        (printer(), scene().convert("CMYK"), "JPEG"),
    ],
    ids=["LUT", "grey", "linear grey", "CMYK"],
)
@pytest.mark.parametrize("way", PixelWay)
def test_profiles_of_each_kind_are_used(own, image, form, way):
    content = encoded(image, form, icc_profile=own)
    whole = converted(Image.open(io.BytesIO(content)), own)
    plain, found = decoded(encoded(image, form), way=way), decoded(content, way=way)
    assert far(found, whole) < 2
    assert far(found, whole) < far(plain, whole) / 2
    assert (decoded(clean(content).content, way=way) == found).all()


def with_alpha(image: Image.Image) -> Image.Image:
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 64, 96))
    image = image.convert("LA" if image.mode == "L" else "RGBA")
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize(
    ("image", "own"),
    [
        (with_alpha(in_space(scene(), "ProPhoto RGB")), rgb_space("ProPhoto RGB")),
        (with_alpha(scene().convert("L")), LINEAR),
    ],
    ids=["RGB", "grey"],
)
def test_what_is_transparent_is_white_and_the_rest_is_converted(image, own):
    found = decoded(encoded(image, "PNG", icc_profile=own))
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    expected = decoded(encoded(opaque, "PNG", icc_profile=own))
    assert (found[:, :30] == 255).all()
    assert far(found[:, 34:], expected[:, 34:]) < 0.5


@pytest.mark.parametrize("mode", ["P", "1", "I;16"])
def test_palettes_and_other_depths_are_converted_too(mode):
    if mode == "P":
        image, own = in_space(scene(), "ProPhoto RGB").quantize(200), rgb_space("ProPhoto RGB")
        plain = encoded(image.convert("RGB"), "PNG", icc_profile=own)
    else:
        own, levels = LINEAR, np.asarray(scene().convert("L"))
        image = Image.fromarray(levels.astype(np.uint16) * 257)
        image = scene().convert("1") if mode == "1" else image
        plain = encoded(image.convert("L") if mode == "1" else scene().convert("L"), "PNG")
        plain = encoded(Image.open(io.BytesIO(plain)), "PNG", icc_profile=own)
    found = decoded(encoded(image, "PNG", icc_profile=own))
    assert far(found, decoded(plain)) < 0.5


def test_a_turned_photo_is_converted():
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = in_space(scene(), "Display P3")
    options = {"icc_profile": wide.info["icc_profile"], "quality": 95}
    turned = decoded(encoded(wide, "JPEG", exif=exif, **options))
    assert (turned == np.rot90(decoded(encoded(wide, "JPEG", **options)), -1)).all()


def test_conversions_are_kept_for_the_next_photos_and_only_some_of_them():
    image = Image.new("RGB", (1, 1))
    image.info["icc_profile"] = rgb_space("Display P3")
    assert colours.conversion(image) is colours.conversion(image)
    for n in range(2 * colours.MOST_KEPT):
        image.info["icc_profile"] = rgb_space("Display P3") + bytes(n)
        colours.conversion(image)
    assert len(colours._kept) == colours.MOST_KEPT


KINDS = ("Kiwi", "Lemon", "Lime", "Granny-Smith", "Banana", "Avocado", "Mango", "Red-Delicious")


@pytest.mark.tensorflow
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("space", WIDE)
def test_a_photo_and_its_copy_in_a_wider_space_embed_alike(mobilenet, photos, space, form):
    model = CompiledModel(mobilenet.flatbuffer)
    found, unmanaged = [], []
    for content in [photo for kind in KINDS for photo in photos(kind)[:3]]:
        image = Image.open(io.BytesIO(content))
        wide = in_space(image, space)
        copies = [
            encoded(wide, form, icc_profile=own, **FORMATS[form])
            for own in (wide.info["icc_profile"], None)
        ]
        contents = [encoded(image, "PNG"), *(clean(copy).content for copy in copies)]
        plain, copy, bare = (
            model.embed(decoded_pixels(each, size=224, limits=LIMITS)) for each in contents
        )
        norm = np.linalg.norm(plain)
        found.append(plain @ copy / norm / np.linalg.norm(copy))
        unmanaged.append(plain @ bare / norm / np.linalg.norm(bare))
    print(f"{space} {form}: least {min(found):.4f}, unmanaged {min(unmanaged):.4f}")
    assert min(found) >= 0.99
    assert min(unmanaged) < min(found)
