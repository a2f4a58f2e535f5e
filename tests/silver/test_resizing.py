"""Both ways of resizing: Pillow's Hamming filter to the bit, and a bicubic convolution that is one."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cykooz_resizer
import numpy as np
import pytest
from cykooz_resizer import CpuExtensions, FilterType, ImageData, PixelType, ResizeAlg, Resizer
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from lake.enums import PixelWay
from lake.isolated_work import LateImportError
from silver import resizing
from silver.pixels import Limits
from silver.resizing import resized
from tests.support import exact_bicubic
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_files import encoded

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(50_000_000, 20_000_000, 16, 0, 30, 10**9)
MODES = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}
SHAPES = [(348, 348), (348, 300), (300, 348), (100, 60), (224, 224), (225, 224), (17, 400)]
LARGE = [(2000, 1500), (1500, 2000), (3000, 40), (40, 3000)]
SIDE = 224

modes = pytest.mark.parametrize("mode", MODES)
shapes = pytest.mark.parametrize("shape", SHAPES + LARGE, ids=str)
boxes = pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "box"])
"""A draft of a JPEG ends within its last column and row."""


def scene(shape: tuple[int, int], mode: str) -> Image.Image:
    """Soft shapes under noise, every band, with an alpha of noise where there is one."""
    rng = np.random.default_rng(shape[0])
    noise = rng.integers(0, 256, (*shape[::-1], MODES[mode])).astype(np.uint8)
    soft = Image.fromarray(noise[:9, :7, 0]).resize(shape, Image.Resampling.BICUBIC)
    colours = noise[..., :3]
    colours[:] = 0.8 * np.asarray(soft)[..., None] + 0.2 * colours
    return Image.frombytes(mode, shape, noise.tobytes())


def box_of(image: Image.Image, is_cut: bool) -> resizing.Box | None:
    return (0, 0, image.width - 0.4, image.height - 0.7) if is_cut else None


def bands(image: Image.Image) -> np.ndarray:
    return np.asarray(image).reshape(image.height, image.width, -1).astype(float)


# Hamming


@modes
@shapes
@boxes
def test_hamming_is_pillows_to_the_bit(mode: str, shape: tuple[int, int], is_cut: bool) -> None:
    image = scene(shape, mode)
    box = box_of(image, is_cut)
    expected = image.resize((SIDE, SIDE), Image.Resampling.HAMMING, box, 3.0)
    found = resized(image, SIDE, box=box, way=PixelWay.HAMMING)
    assert (found.mode, found.tobytes()) == (mode, expected.tobytes())


@pytest.mark.parametrize("shape", [(348, 348), (1001, 901), (4032, 3024)], ids=str)
def test_a_jpeg_that_hamming_resizes_is_pillows_draft_to_the_bit(shape: tuple[int, int]) -> None:
    content = encoded(scene(shape, "RGB"), "JPEG", quality=85)
    image = JpegImageFile(BytesIO(content))
    draft = image.draft(None, (2 * SIDE, 2 * SIDE))
    image.load()
    box = draft[1] if draft else None
    expected = image.resize((SIDE, SIDE), Image.Resampling.HAMMING, box, 3.0)
    found = decoded_pixels(content, size=SIDE, limits=LIMITS, way=PixelWay.HAMMING)
    np.testing.assert_array_equal(found, np.asarray(expected))


# Bicubic


@modes
@shapes
@boxes
def test_bicubic_is_a_bicubic_convolution(mode: str, shape: tuple[int, int], is_cut: bool) -> None:
    """Each of two passes rounds once. Colours under an alpha are also rounded when they are multiplied by it
    and divided again."""
    image = scene(shape, mode)
    box = box_of(image, is_cut)
    square = resized(image, SIDE, box=box, way=PixelWay.BICUBIC)
    assert (square.mode, square.size) == (mode, (SIDE, SIDE))
    found = bands(square)
    if mode == "RGBA":
        expected = exact_bicubic.resized_on_white(bands(image), SIDE, box)
        found = found[..., :3] * found[..., 3:] / 255 + 255 - found[..., 3:]
        most, mean = 3.0, 0.55
    else:
        expected = exact_bicubic.resized(bands(image), SIDE, box)
        most, mean = 1.2, 0.32
    assert np.abs(found - expected).max() <= most
    assert np.abs(found - expected).mean() <= mean


def test_colours_of_what_is_transparent_do_not_show() -> None:
    image = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    image.paste((0, 90, 250, 255), (150, 0, 300, 300))
    square = np.asarray(resized(image, 64, box=None, way=PixelWay.BICUBIC)).astype(int)
    assert square[..., 0].max() <= 1
    assert square[:, :32, 3].min() == 0


@modes
@shapes
def test_bicubic_gives_the_same_bytes_on_every_processor(mode: str, shape: tuple[int, int]) -> None:
    """Of those that this one can be told to be."""
    image = scene(shape, mode)
    image = image.convert("RGBa") if mode == "RGBA" else image
    options = cykooz_resizer.ResizeOptions(resize_alg=ResizeAlg.convolution(FilterType.catmull_rom))
    found = set()
    for extension in {CpuExtensions.none, CpuExtensions.sse4_1, Resizer().cpu_extensions}:
        resizer = Resizer()
        resizer.cpu_extensions = extension
        target = Image.new(image.mode, (SIDE, SIDE))
        resizer.resize_pil(image, target, options)
        found.add(target.tobytes())
    assert len(found) == 1


# What may go wrong


def test_a_panic_is_an_error_like_others() -> None:
    with pytest.raises(RuntimeError, match="a panic in Rust"), resizing.panics_as_errors():
        ImageData(2**32 - 1, 2**32 - 1, PixelType.F32x4)


@pytest.mark.parametrize("error", [KeyboardInterrupt, LateImportError("PIL"), MemoryError])
def test_what_is_no_panic_stays_what_it_is(error: BaseException) -> None:
    kind = error if isinstance(error, type) else type(error)
    with pytest.raises(kind), resizing.panics_as_errors():
        raise error


WITH_LITTLE_MEMORY = """
import mmap, resource
from pathlib import Path
from PIL import Image
from lake.enums import PixelWay
from silver.resizing import resized
image = Image.new("RGB", (2000, 3000))
resized(image, 50, box=None, way=PixelWay.BICUBIC)  # what is loaded once
most = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE + 20_000_000
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    resized(image, 1500, box=None, way=PixelWay.BICUBIC)
except MemoryError:
    print("too little memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_memory_that_the_resizer_does_not_get_ends_no_process() -> None:
    """Rust would abort over what lies between its two passes."""
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True)
    assert done.stdout == "too little memory\n"


WIDE_WITH_LITTLE_MEMORY = """
import mmap, resource
from pathlib import Path
from PIL import Image
from lake.enums import PixelWay
from silver.resizing import resized
image = Image.new("RGB", (4000, 3000))
resized(image, 50, box=None, way=PixelWay.BICUBIC)  # what is loaded once
most = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE + 20_000_000
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print(resized(image, 224, box=None, way=PixelWay.BICUBIC).size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_a_photo_that_is_wider_than_high_takes_no_second_time_its_memory() -> None:
    """Of 48 MB: a first pass along its rows has nothing between itself and another one."""
    command = [sys.executable, "-c", WIDE_WITH_LITTLE_MEMORY]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True)
    assert done.stdout == "(224, 224)\n"


WITHOUT_RESIZER = """
import sys
sys.modules["cykooz_resizer"] = None  # as Python has it where a package is absent
from conf.errors import BadInput
from lake.enums import PixelWay
from silver import pixels
from silver.decoder_process import Decoder
from silver.pixels import Limits
content = sys.stdin.buffer.read()
limits = Limits(10_000_000, 20_000_000, 16, 4, 20.0, 200_000_000)
print(pixels.decode(content, size=32, limits=limits, way=PixelWay.HAMMING).pixels.shape)
for use in (pixels.decode, Decoder):
    first = content if use is pixels.decode else pixels.decode
    try:
        use(first, size=32, limits=limits, way=PixelWay.BICUBIC)
    except BadInput as error:
        print(error)
"""


def test_without_the_package_bicubic_is_refused_and_hamming_works() -> None:
    photo = encoded(scene((64, 64), "RGB"), "PNG")
    command = [sys.executable, "-c", WITHOUT_RESIZER]
    done = subprocess.run(command, input=photo, capture_output=True, check=True, cwd=ROOT)
    shape, *refusals = done.stdout.decode().splitlines()
    assert shape == "(32, 32, 3)"
    assert len(refusals) == 2
    for refusal in refusals:
        assert "the package cykooz-resizer, which this Python doesn't have" in refusal
        assert "set model.pixels=hamming" in refusal
