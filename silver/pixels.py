"""Pixels of one photo: the whole image, upright, RGB, square; or a refusal with its reason.

Formats and limits are told from the header, before anything is decoded. Without Spark and without
TensorFlow: bytes and NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

# On 1,142 shop photos of 28 kinds the nearest centroid of MobileNetV2's embeddings was right alike
# often with all filters (0.82 to 0.83); Hamming takes bilinear's time, half of bicubic's, and gives
# bicubic's embeddings (cosine 0.9985). Box is faster still and worse on photos to be enlarged.
FILTER = Image.Resampling.HAMMING

DRAFT_GAP = 2
"""A JPEG is decoded at 1/2, 1/4 or 1/8 scale as long as that leaves this multiple of `size`."""

REDUCING_GAP = 3.0
"""Larger images are first averaged down to this multiple of `size`; no visible difference."""

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

JPEG_END = b"\xff\xd9"
PNG_END = b"IEND\xae\x42\x60\x82"

GREY_FILLING = {127, 128}
"""What libjpeg puts where data is missing. CMYK comes inverted, hence two."""


class RefusalReason(StrEnum):
    """Why a photo got no pixels. The values are stable: silver/quarantine holds them."""

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
    """A refusal. `detail` speaks of formats and limits and holds nothing of the file's contents."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class Limits:
    """What a photo may cost and must show. `min_side` in pixels.

    `blank_range`: the difference of the brightest and the darkest luminance, in levels of 255, at
    or below which a photo counts as blank. `decode_seconds` is kept by whoever calls `decode`.
    """

    max_bytes: int
    max_pixels: int
    min_side: int
    blank_range: int
    decode_seconds: float


class _Format(NamedTuple):
    """One of the formats that are read. `lacks_end` tells a file that stops early."""

    name: str
    reader: Callable[[BytesIO], ImageFile]
    lacks_end: Callable[[bytes], bool]


# Pillow's classes by name, where Image.open would warn of bombs by a limit that is global to the
# process. The limit here is the settings'.
JPEG = _Format("JPEG", JpegImageFile, lambda content: not content.endswith(JPEG_END))
PNG = _Format("PNG", PngImageFile, lambda content: content.rfind(PNG_END) < 0)
WEBP = _Format(
    "WebP",
    WebPImageFile,
    lambda content: int.from_bytes(content[4:8], "little") > len(content) - 8,
)
SIGNATURES = ((b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"RIFF", WEBP))


def decode(content: bytes, *, size: int, limits: Limits) -> NDArray[np.uint8]:
    """uint8[size, size, 3], RGB, read-only; the aspect ratio is not kept.

    EXIF orientation is applied. Transparent pixels stand on white; 16-bit grey is divided by 257;
    CMYK and palettes are converted by Pillow; of an animation the first frame counts. Colour
    profiles are not applied.

    Raises RefusedPhoto, and nothing else for any bytes.
    """
    if len(content) > limits.max_bytes:
        raise RefusedPhoto(RefusalReason.TOO_LARGE, f"more than {limits.max_bytes} bytes")
    form = _format(content)
    try:
        image = _square(content, form, size=size, limits=limits)
    except (RefusedPhoto, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedPhoto(RefusalReason.PIXEL_BOMB, "more pixels than Pillow decodes") from None
    except Exception as error:  # a decoder may fail in any way on foreign bytes
        reason = RefusalReason.TRUNCATED if form.lacks_end(content) else RefusalReason.UNDECODABLE
        raise RefusedPhoto(reason, f"the {form.name} decoder gave up") from error
    if np.ptp(np.asarray(image.convert("L"))) <= limits.blank_range:
        raise RefusedPhoto(RefusalReason.BLANK, f"at most {limits.blank_range} levels of luminance")
    return np.asarray(image)


def _format(content: bytes) -> _Format:
    for signature, form in SIGNATURES:
        if content[: len(signature)] == signature[: len(content)]:
            if len(content) < 12:
                raise RefusedPhoto(RefusalReason.TRUNCATED, "shorter than any header")
            if form is not WEBP or content[8:12] == b"WEBP":
                return form
    raise RefusedPhoto(RefusalReason.UNSUPPORTED, "neither JPEG, PNG nor WebP")


def _square(content: bytes, form: _Format, *, size: int, limits: Limits) -> Image.Image:
    image = form.reader(BytesIO(content))
    if image.width * image.height > limits.max_pixels:
        raise RefusedPhoto(
            RefusalReason.PIXEL_BOMB, f"declares more than {limits.max_pixels} pixels"
        )
    if min(image.size) < limits.min_side:
        raise RefusedPhoto(RefusalReason.TOO_SMALL, f"a side of less than {limits.min_side} pixels")
    # A PNG without its last chunk and a WebP without its last bytes may decode all the same.
    if form is not JPEG and form.lacks_end(content):
        raise RefusedPhoto(RefusalReason.TRUNCATED, f"the {form.name} lacks its end")
    box = _load(image, size)
    if form is JPEG and _is_padded(image, content, size):
        raise RefusedPhoto(RefusalReason.TRUNCATED, "the JPEG ends within its image data")
    orientation = _orientation(image)
    square = _without_palette(image).resize((size, size), FILTER, box, REDUCING_GAP)
    if square.mode == "RGBA":
        white = Image.new("RGBA", square.size, "white")
        square = Image.alpha_composite(white, square).convert("RGB")
    # Turned last: the target is square, so this is the cheapest place.
    return square.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else square


def _load(image: ImageFile, size: int) -> tuple[float, float, float, float] | None:
    """Decode, a large JPEG at a reduced scale; the box of the result that the photo covers."""
    draft = image.draft(None, (DRAFT_GAP * size, DRAFT_GAP * size))
    image.load()
    return draft[1] if draft else None


def _is_padded(image: ImageFile, content: bytes, size: int) -> bool:
    """Whether libjpeg ran out of image data before the end marker, and filled up with a warning.

    Then more data before that marker changes the pixels; in a whole JPEG it is skipped. That costs
    a second decoding, so it is tried where it may be so: in a progressive JPEG, and where the last
    pixel is as grey as the filling.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    bands = set(last) if isinstance(last, tuple) else {last}
    if "progressive" not in image.info and not bands <= GREY_FILLING:
        return False
    end = content.rfind(JPEG_END)
    longer = JpegImageFile(BytesIO(content[:end] + bytes(range(1, 255)) * 4 + JPEG_END))
    _load(longer, size)
    return longer.tobytes() != image.tobytes()


def _orientation(image: ImageFile) -> object:
    try:
        return image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # EXIF that can't be read turns nothing; the pixels are whole
        return None


def _without_palette(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where something is transparent: what can be resized."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint32)
        values[values == image.info.get("transparency")] = 65535
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[h, w, 3] RGB -> uint8[h, w] by ITU-R 601. What is luminance already stays as it is."""
    return pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))


def brightness(pixels: NDArray[np.uint8]) -> float:
    """Mean luminance in [0, 1]. Like the two below, of RGB pixels or of their `luminance`."""
    return float(luminance(pixels).mean()) / 255


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the luminance, in levels squared; low where nothing is in focus.

    Four neighbours, inner pixels only. Comparable among photos of one size.
    """
    grey = luminance(pixels).astype(np.int16)
    laplacian = 4 * grey[1:-1, 1:-1]
    laplacian -= grey[:-2, 1:-1]
    laplacian -= grey[2:, 1:-1]
    laplacian -= grey[1:-1, :-2]
    laplacian -= grey[1:-1, 2:]
    # Twice as fast as `var`, and exact enough: a Laplacian's mean is near zero.
    values = laplacian.ravel().astype(np.float32)
    return max(0.0, float(values @ values) / values.size - float(values.mean()) ** 2)


def dhash(pixels: NDArray[np.uint8]) -> int:
    """Difference hash, a signed 64-bit integer: similar photos differ in few bits.

    Bit by bit, row by row: whether a cell of a 9x8 grid of luminance is darker than the next one.
    """
    cells = Image.fromarray(luminance(pixels)).resize((9, 8), Image.Resampling.BOX)
    grid = np.asarray(cells)
    return int.from_bytes(np.packbits(grid[:, :-1] < grid[:, 1:]).tobytes(), "big", signed=True)
