"""Decoding of one photo to the pixels of the whole image, upright, RGB and square, or to a refusal.

The format and the limits are checked on the header, before anything is decoded. This module works on
bytes and NumPy arrays and loads neither Spark nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, PngImagePlugin, TiffImagePlugin  # noqa: F401 - Pillow loads it late
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from lake import photo_formats
from lake.enums import PixelWay
from lake.photo_formats import JPEG, PhotoFormat
from silver import colours, jpeg_pixels, resizing
from silver.decoding_costs import least_bytes, least_file_bytes
from silver.fingerprints import Fingerprint
from silver.jpeg_pixels import Drafted

EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

STRIP_ROWS = 64
"""The rows of 16-bit grey that are converted at once."""


class RefusalReason(StrEnum):
    """Why a photo was refused. The values are stable, because silver/quarantine holds them."""

    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    PIXEL_BOMB = "pixel_bomb"
    TOO_LARGE = "too_large"
    TOO_SMALL = "too_small"
    BLANK = "blank"
    UNSUPPORTED = "unsupported"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"


class RefusedPhoto(ValueError):
    """The refusal of a photo. `detail` names formats and limits and quotes nothing of the file."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class Limits:
    """The limits on a photo's size, content and decoding time. `min_side` is in pixels.

    `max_pixels` counts those that a photo is decoded to: of a large JPEG, a 64th of those that it has.

    A photo counts as blank where its brightest and darkest luminance differ by `blank_range` levels
    of 255 or less. `decode` doesn't watch `decode_seconds`: its caller does.
    """

    max_bytes: int
    max_pixels: int
    min_side: int
    blank_range: int
    decode_seconds: float
    decoder_memory: int


class DecodedPhoto(NamedTuple):
    """A photo's pixels, uint8[size, size, 3], RGB, contiguous, read-only, and what was measured of them."""

    pixels: NDArray[np.uint8]
    fingerprint: Fingerprint


def _class(reader: str) -> Callable[[BytesIO], ImageFile]:
    """Return the class of Pillow that an entry of the table names."""
    module, _, name = reader.partition(":")
    found: Callable[[BytesIO], ImageFile] = getattr(import_module(module), name)
    return found


PngImagePlugin.MAX_TEXT_CHUNK = 1 << 25
"""The most bytes to which Pillow unpacks a chunk of a PNG. Its own 1 MB is less than the LUTs of a printer's
profile have. Bronze keeps profiles of up to 16 MB, and no text."""

# Pillow's classes are named here because Image.open would check the number of pixels against a limit that
# is global to the process. The limit that counts is that of the settings.
READERS = {each.name: _class(each.reader) for each in photo_formats.FORMATS}

# A process of Spark has one core, and a thread takes memory of the decoder's limit.
AvifImagePlugin.DEFAULT_MAX_THREADS = pi_heif.options.DECODE_THREADS = 1


def decode(content: bytes, *, size: int, limits: Limits, way: PixelWay) -> DecodedPhoto:
    """Return the photo's pixels, resized in that way, and their fingerprint. The aspect ratio is not kept.

    The EXIF orientation is applied. Colours are converted to sRGB by the photo's profile (`colours`).
    Transparent pixels are laid on white, 16-bit grey is divided by 257, palettes, and CMYK without a
    profile, are converted by Pillow, and of an animation the first frame is taken.

    Raises RefusedPhoto for a photo that can't be used, and BadInput where this machine has no such way
    (`resizing.check`). No bytes make it raise anything else but MemoryError.
    """
    resizing.check(way)
    if len(content) > limits.max_bytes:
        raise RefusedPhoto(RefusalReason.TOO_LARGE, f"more than {limits.max_bytes} bytes")
    photo_format = _format(content)
    try:
        image = _square(content, photo_format, size=size, limits=limits, way=way)
    except (RefusedPhoto, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedPhoto(RefusalReason.PIXEL_BOMB, "more pixels than Pillow decodes") from None
    except Exception as error:  # a decoder may fail in any way on foreign bytes
        is_cut = photo_format.is_cut(content)
        reason = RefusalReason.TRUNCATED if is_cut else RefusalReason.UNDECODABLE
        raise RefusedPhoto(reason, f"the {photo_format.title} decoder gave up") from error
    grey = np.asarray(image.convert("L"))
    if np.ptp(grey) <= limits.blank_range:
        raise RefusedPhoto(RefusalReason.BLANK, f"at most {limits.blank_range} levels of luminance")
    return DecodedPhoto(np.asarray(image), Fingerprint.of(grey))


def _format(content: bytes) -> PhotoFormat:
    """Return the format that the first bytes show. Raises RefusedPhoto where it isn't one that is read."""
    if photo_formats.ends_in_header(content):
        raise RefusedPhoto(RefusalReason.TRUNCATED, "shorter than any header")
    if photo_format := photo_formats.format_of(content):
        return photo_format
    raise RefusedPhoto(RefusalReason.UNSUPPORTED, f"neither {photo_formats.listed('nor')}")


def _square(
    content: bytes, photo_format: PhotoFormat, *, size: int, limits: Limits, way: PixelWay
) -> Image.Image:
    """Return the photo as an upright RGB image of size x size pixels. Raises RefusedPhoto."""
    image = READERS[photo_format.name](BytesIO(content))
    full_size = image.size
    drafted = jpeg_pixels.drafted(image, size)
    if photo_format.coded_pixels(content) > limits.max_pixels:
        raise RefusedPhoto(
            RefusalReason.PIXEL_BOMB, f"codes more than photos.max_pixels ({limits.max_pixels})"
        )
    _check_costs(image, full_size, len(content), limits)
    if min(full_size) < limits.min_side:
        raise RefusedPhoto(RefusalReason.TOO_SMALL, f"a side of less than {limits.min_side} pixels")
    # A PNG without its last chunk, or a WebP without its last bytes, may still decode without an error.
    if photo_format is not JPEG and photo_format.is_cut(content):
        raise RefusedPhoto(RefusalReason.TRUNCATED, f"the {photo_format.title} lacks its end")
    pixels, box = _loaded(drafted, content, size)
    orientation = _orientation(image)
    to_srgb = colours.conversion(image)
    whole = pixels if to_srgb and pixels.mode == "CMYK" else _without_palette(pixels)
    square = resizing.resized(whole, size, box=box, way=way)
    # Where the photo is smallest, its colours cost the least: below a millisecond.
    square = to_srgb(square) if to_srgb else square
    if square.mode == "RGBA":
        white = Image.new("RGBA", square.size, "white")
        square = Image.alpha_composite(white, square)
    square = square.convert("RGB")
    # The photo is turned last, where it is smallest. The order doesn't matter, as the target is square.
    return square.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else square


def _check_costs(image: ImageFile, full: tuple[int, int], length: int, limits: Limits) -> None:
    """Raise RefusedPhoto (PIXEL_BOMB) for a drafted image that takes too much to decode.

    `full` is (width, height) of the whole photo, and `length` the bytes of its file.
    """
    most = limits.max_pixels
    if image.width * image.height > most:
        detail = f"would be decoded to more than photos.max_pixels ({most})"
    elif full[0] * full[1] > most and length < least_file_bytes(image, full):
        detail = "declares more pixels than its bytes can code"
    elif least_bytes(image, full) > limits.decoder_memory:
        detail = f"would take more than photos.decoder_memory ({limits.decoder_memory} bytes)"
    else:
        return
    raise RefusedPhoto(RefusalReason.PIXEL_BOMB, detail)


def _loaded(drafted: Drafted, content: bytes, size: int) -> Drafted:
    """Return the image, decoded. Raises RefusedPhoto for a JPEG that isn't whole."""
    if not isinstance(drafted.image, JpegImageFile):
        drafted.image.load()
        return drafted
    if whole := jpeg_pixels.loaded(drafted, content, size):
        return whole
    raise RefusedPhoto(RefusalReason.TRUNCATED, "the JPEG ends within its image data")


def _orientation(image: ImageFile) -> object:
    """Return the EXIF orientation as the file has it, which may be no number; None without one."""
    try:
        return image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # the EXIF can't be read; the pixels are whole and stay as they are
        return None


def _without_palette(image: Image.Image) -> Image.Image:
    """Return the image in a mode that can be resized: L or RGB, or RGBA where something is transparent."""
    if image.mode.startswith("I"):
        return _eight_bits(image)
    if image.mode in ("L", "1") and not image.has_transparency_data:
        return image.convert("L")  # a quarter of the memory of RGB, and the same pixels
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image of 16-bit grey in mode L, its transparent pixels white.

    It is converted in strips: NumPy's arrays of all of it would take ten times the memory of the result.
    """
    transparent = image.info.get("transparency")
    grey = Image.new("L", image.size)
    for top in range(0, image.height, STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height)))
        values = np.asarray(strip).astype(np.uint32)
        if transparent is not None:
            values[values == transparent] = 65535
        grey.paste(Image.fromarray(((values + 128) // 257).astype(np.uint8)), (0, top))
    return grey
