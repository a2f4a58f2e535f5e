"""Photos that a decoder fails on as real ones can't be made to, in a module that Spark's workers import."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
from cykooz_resizer import ImageData, PixelType
from PIL import Image

from lake.enums import PixelWay
from silver import pixels
from silver.fingerprints import Fingerprint
from silver.pixels import DecodedPhoto, Limits

Image.init()  # the child can load nothing later

NAP = 0.4
"""Seconds that the decoder sleeps over a `SLOW` photo, and then refuses it."""

KILLED, HANGING, SLOW = b"trap: killed", b"trap: hanging", b"trap: slow"
LEAVING, FAILING, OUT_OF_MEMORY = b"trap: leaving", b"trap: failing", b"trap: out of memory"
PANICKING = b"trap: panicking"

KILLED_SIZE, HANGING_SIZE = (61, 67), (71, 73)
"""Width and height."""


def decode(content: bytes, *, size: int, limits: Limits, way: PixelWay) -> DecodedPhoto:
    """`pixels.decode`, but for the traps."""
    if content == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if content == HANGING:
        time.sleep(600)
    if content == SLOW:
        time.sleep(NAP)
    if content == LEAVING:
        raise SystemExit(0)
    if content == FAILING:
        raise KeyError("a secret of the photo")
    if content == PANICKING:
        ImageData(2**32 - 1, 2**32 - 1, PixelType.F32x4)  # more than Rust can count
    if content == OUT_OF_MEMORY:
        raise MemoryError("a secret of the photo")
    return pixels.decode(content, size=size, limits=limits, way=way)


def decode_unforeseen(content: bytes, *, size: int, limits: Limits, way: PixelWay) -> DecodedPhoto:
    """`pixels.decode`, but for the memory that a photo's header says that it takes."""
    return pixels.decode(content, size=size, limits=replace(limits, decoder_memory=10**15), way=way)


def decode_but_for_sizes(
    content: bytes, *, size: int, limits: Limits, way: PixelWay
) -> DecodedPhoto:
    """`pixels.decode`, but for photos of two sizes: for those that went through bronze, which cuts marks."""
    shown = Image.open(BytesIO(content)).size
    trap = {KILLED_SIZE: KILLED, HANGING_SIZE: HANGING}.get(shown, content)
    return decode(trap, size=size, limits=limits, way=way)


FORGED = {
    b"trap: no brightness": lambda photo: forged(photo, brightness=math.nan),
    b"trap: brighter than white": lambda photo: forged(photo, brightness=1.001),
    b"trap: darker than black": lambda photo: forged(photo, brightness=-0.001),
    b"trap: no sharpness": lambda photo: forged(photo, sharpness=math.nan),
    b"trap: sharper than sharp": lambda photo: forged(photo, sharpness=math.inf),
    b"trap: less sharp than flat": lambda photo: forged(photo, sharpness=-1.0),
    b"trap: fewer pixels": lambda photo: photo._replace(pixels=photo.pixels[1:]),
    b"trap: some bytes less": lambda photo: photo._replace(pixels=photo.pixels.ravel()[:-8]),
    b"trap: some bytes more": lambda photo: photo._replace(
        pixels=np.concatenate([photo.pixels.ravel(), np.zeros(24, np.uint8)])
    ),
    b"trap: more pixels": lambda photo: photo._replace(pixels=np.tile(photo.pixels, (2, 1, 1))),
    b"trap: no pixels": lambda photo: photo._replace(pixels=photo.pixels[:0]),
}
"""What a photo that has taken over the child may answer."""


def forged(photo: DecodedPhoto, **measures: float) -> DecodedPhoto:
    return photo._replace(fingerprint=photo.fingerprint._replace(**measures))


def decode_forged(content: bytes, *, size: int, limits: Limits, way: PixelWay) -> DecodedPhoto:
    """Another decoder: a dim picture of anything, which is forged where it is asked for."""
    grey = np.full((size, size, 3), 77, np.uint8)
    photo = DecodedPhoto(grey, Fingerprint.of(grey))
    return FORGED[content](photo) if content in FORGED else photo


def black(content: bytes, *, size: int, limits: Limits, way: PixelWay) -> DecodedPhoto:
    """Another decoder: it makes a black picture of anything."""
    black = np.zeros((size, size, 3), np.uint8)
    return DecodedPhoto(black, Fingerprint.of(black))
