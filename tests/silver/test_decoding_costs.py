"""What decoding takes is known from the header: phones' photos of 200 megapixels pass, and bombs don't."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conf.settings import Settings
from lake import photo_formats
from lake.enums import PixelWay
from silver import jpeg_pixels, pixels
from silver.decoder_process import Decoder
from silver.decoding_costs import least_bytes, least_file_bytes
from silver.pixels import READERS, DecodedPhoto, Limits, RefusalReason, RefusedPhoto
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_files import encoded

linux = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")

SIZE = 224
PHONE, LARGEST = (12_000, 9_000), (16_320, 12_240)
MB = 1_000_000


def gradient(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def faded(size: tuple[int, int]) -> Image.Image:
    """A gradient whose transparency is one, too."""
    image = gradient(size)
    image.putalpha(image.getchannel(0).transpose(Image.Transpose.ROTATE_180))
    return image


def default_limits(name: str) -> Limits:
    return Limits(**Settings.load(name, environment={}).photos.model_dump())


def declaring(photo: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame declares another size."""
    at = next(photo.index(mark) for mark in (b"\xff\xc0\0\x11", b"\xff\xc2\0\x11") if mark in photo)
    return photo[: at + 5] + struct.pack(">HH", height, width) + photo[at + 9 :]


# Large photos


@pytest.fixture(scope="module", params=[PHONE, LARGEST], ids=["108 megapixels", "200 megapixels"])
def large(request: pytest.FixtureRequest) -> dict[str, bytes]:
    image = gradient(request.param)
    return {
        "baseline": encoded(image, "JPEG", quality=80),
        "progressive": encoded(image, "JPEG", quality=80, progressive=True),
        "grey": encoded(image.getchannel(0), "JPEG", quality=80),
    }


def of_defaults(name: str, photo: bytes) -> DecodedPhoto | RefusedPhoto:
    decoder = Decoder(pixels.decode, size=SIZE, limits=default_limits(name), way=PixelWay.HAMMING)
    try:
        [found] = decoder.decoded([photo])
    finally:
        decoder.close()
    return found


@pytest.mark.parametrize("name", ["local", "emr"])
@pytest.mark.parametrize("kind", ["baseline", "grey"])
def test_a_phones_largest_photos_are_decoded_with_the_default_settings(
    large: dict[str, bytes], kind: str, name: str
) -> None:
    found = of_defaults(name, large[kind])
    assert isinstance(found, DecodedPhoto)
    rows = found.pixels.mean(axis=(1, 2))
    assert rows[0] < 3
    assert rows[-1] > 252
    assert (np.diff(rows) >= 0).all()


def test_progressive_ones_are_decoded_where_memory_allows_it(large: dict[str, bytes]) -> None:
    assert isinstance(of_defaults("local", large["progressive"]), DecodedPhoto)
    refused = of_defaults("emr", large["progressive"])
    assert (
        str(refused) == "pixel_bomb: would take more than photos.decoder_memory (300000000 bytes)"
    )


# Estimates

KINDS = {
    "png bilevel": (gradient((4000, 3000), "1"), "PNG", {}),
    "png grey": (gradient((4000, 3000), "L"), "PNG", {}),
    "png palette": (gradient((4000, 3000), "P"), "PNG", {}),
    "png": (gradient((4000, 3000)), "PNG", {}),
    "png grey and alpha": (gradient((4000, 3000), "LA"), "PNG", {}),
    "png alpha": (gradient((4000, 3000), "RGBA"), "PNG", {}),
    "png 16 bit": (
        Image.fromarray(np.tile(np.arange(4000, dtype=np.uint16) * 16, (3000, 1))), "PNG", {}),
    "png bilevel, a colour transparent": (
        gradient((4000, 3000), "1"), "PNG", {"transparency": 255}),
    "png grey, a colour transparent": (gradient((4000, 3000), "L"), "PNG", {"transparency": 3}),
    "png palette, a colour transparent": (
        gradient((4000, 3000), "P"), "PNG", {"transparency": 3}),
    "png, a colour transparent": (
        gradient((4000, 3000)), "PNG", {"transparency": (3, 3, 3)}),
    "heic": (gradient((4000, 3000)), "HEIC", {}),
    "heic grey": (gradient((4000, 3000), "L"), "HEIC", {}),
    "heic alpha": (faded((4000, 3000)), "HEIC", {}),
    "heic, full colours": (gradient((4000, 3000)), "HEIC", {"chroma": 444}),
    "avif": (gradient((4000, 3000)), "AVIF", {"speed": 10}),
    "avif grey": (gradient((4000, 3000), "L"), "AVIF", {"speed": 10}),
    "avif alpha": (faded((4000, 3000)), "AVIF", {"speed": 10}),
    "avif, full colours": (
        gradient((4000, 3000)), "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
    "webp": (gradient((4000, 3000)), "WEBP", {"method": 0}),
    "webp alpha": (faded((4000, 3000)), "WEBP", {"method": 0}),
    "webp lossless": (gradient((4000, 3000)), "WEBP", {"lossless": True, "method": 0}),
    "jpeg at an eighth": (gradient((8000, 6000)), "JPEG", {}),
    "jpeg in full": (gradient((440, 20000)), "JPEG", {}),
    "jpeg grey in full": (gradient((440, 20000), "L"), "JPEG", {}),
    "jpeg cmyk in full": (gradient((440, 20000), "CMYK"), "JPEG", {}),
    "jpeg progressive": (gradient((8000, 6000)), "JPEG", {"progressive": True}),
    "jpeg progressive, full colours": (
        gradient((8000, 6000)), "JPEG", {"progressive": True, "subsampling": 0}),
    "jpeg progressive grey": (gradient((8000, 6000), "L"), "JPEG", {"progressive": True}),
    "jpeg progressive cmyk": (gradient((8000, 6000), "CMYK"), "JPEG", {"progressive": True}),
}  # fmt: skip

SLENDER = {
    "png wide": (gradient((120_000, 100)), "PNG", {}),
    "png tall": (gradient((100, 120_000)), "PNG", {}),
    "png wide grey": (gradient((120_000, 100), "L"), "PNG", {}),
    "png tall alpha": (gradient((100, 120_000), "RGBA"), "PNG", {}),
}
"""Between its two passes, a resizer may hold an image of the side that is long and the target's."""

KINDS |= SLENDER

BICUBIC = (
    *SLENDER,
    "png grey",
    "png",
    "png grey and alpha",
    "png alpha",
    "png palette, a colour transparent",
    "jpeg at an eighth",
    "jpeg in full",
    "jpeg grey in full",
    "jpeg cmyk in full",
)
"""The kinds that are resized in every mode; what others take until then is the same in both ways."""

MEASURED = """
import sys
from pathlib import Path
from lake.enums import PixelWay
from silver.pixels import Limits, decode
def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])
content = Path(sys.argv[1]).read_bytes()
limits = Limits(10**9, 10**9, 8, 0, 60, 10**12)
way = PixelWay(sys.argv[3])
decode(Path(sys.argv[2]).read_bytes(), size=224, limits=limits, way=way)  # what is loaded once
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
decode(content, size=224, limits=limits, way=way)
print((kilobytes("VmHWM") - before) * 1024)
"""


@linux
@pytest.mark.parametrize(
    ("kind", "way"),
    [(kind, PixelWay.HAMMING) for kind in KINDS] + [(kind, PixelWay.BICUBIC) for kind in BICUBIC],
)
def test_the_estimate_is_what_the_process_takes(tmp_path: Path, kind: str, way: PixelWay) -> None:
    image, form, options = KINDS[kind]
    photo = encoded(image, form, **options)
    (tmp_path / "large").write_bytes(photo)
    (tmp_path / "small").write_bytes(encoded(image.resize((64, 64)), form, **options))
    paths = [str(tmp_path / name) for name in ("large", "small")]
    command = [sys.executable, "-c", MEASURED, *paths, way]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    taken, least = int(done.stdout), estimated(photo)
    assert least <= taken + 2 * MB
    assert taken <= least * 4 / 3 + 15 * MB


def estimated(photo: bytes) -> int:
    photo_format = photo_formats.format_of(photo)
    assert photo_format
    image = READERS[photo_format.name](io.BytesIO(photo))
    full_size = image.size
    return least_bytes(jpeg_pixels.drafted(image, SIZE).image, full_size)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_no_jpeg_has_fewer_bytes_than_its_blocks_take(mode: str) -> None:
    photo = encoded(Image.new(mode, (3000, 2000)), "JPEG", quality=1, optimize=True)
    least = least_file_bytes(READERS["JPEG"](io.BytesIO(photo)), (3000, 2000))
    assert len(photo) / 3 < least < len(photo)


# Bombs


@pytest.mark.parametrize("name", ["local", "emr"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_twenty_bombs_of_few_bytes_cost_next_to_nothing(name: str, options: dict) -> None:
    bomb = declaring(encoded(gradient((64, 48)), "JPEG", **options), 65_000, 65_000)
    whole = encoded(gradient((64, 48)), "JPEG")
    decoder = Decoder(pixels.decode, size=SIZE, limits=default_limits(name), way=PixelWay.HAMMING)
    start = time.monotonic()
    try:
        *refused, last = decoder.decoded([bomb] * 20 + [whole])
    finally:
        decoder.close()
    assert {photo.reason for photo in refused} == {RefusalReason.PIXEL_BOMB}
    assert isinstance(last, DecodedPhoto)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("name", ["local", "emr"])
def test_a_jpeg_that_no_scale_makes_small_is_a_bomb(name: str) -> None:
    photo = declaring(encoded(gradient((64, 48)), "JPEG"), 65_000, 2_000)
    refused = of_defaults(name, photo)
    assert isinstance(refused, RefusedPhoto)
    assert refused.reason is RefusalReason.PIXEL_BOMB


def test_the_pixels_that_count_are_those_that_are_decoded() -> None:
    photo = encoded(gradient((4000, 3000)), "JPEG")
    limits = Limits(10**8, 500 * 375, 32, 8, 30, 10**9)
    assert decoded_pixels(photo, size=100, limits=limits).shape == (100, 100, 3)  # at an eighth
    one_less = Limits(10**8, 500 * 375 - 1, 32, 8, 30, 10**9)
    with pytest.raises(
        RefusedPhoto,
        match=r"pixel_bomb: would be decoded to more than photos.max_pixels \(187499\)",
    ):
        decoded_pixels(photo, size=100, limits=one_less)
