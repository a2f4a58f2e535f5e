"""What EXIF and XMP tell before they go (orientation, capture date), and what replaces them."""

from __future__ import annotations

import re
import struct
import warnings
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from PIL import Image

ORIENTATION = 0x0112
DATE_TIME = 0x0132
DETAILS = 0x8769
DATE_TIME_ORIGINAL = 0x9003
DATE_TIME_DIGITIZED = 0x9004

UPRIGHT = 1
TURNED = {orientation: orientation for orientation in range(2, 9)}
EARLIEST_YEAR = 1990  # Before digital cameras: what a camera writes whose clock was never set.

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_DAY = re.compile(r"\s*([0-9]{4})[:/.-]([0-9]{1,2})[:/.-]([0-9]{1,2})(?![0-9])")


class Remembered(NamedTuple):
    """`orientation` as EXIF counts it, 1 (upright) to 8; `taken_on` where a date makes sense."""

    orientation: int
    taken_on: date | None


def remembered(exif: bytes, xmp: bytes) -> Remembered:
    """The facts that outlive an EXIF block and an XMP packet, as Pillow reads them; never raises.

    XMP counts where EXIF has no orientation. Both may be empty or garbage.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = _tags(exif)
        orientation = _exif_orientation(tags)
        if orientation is None:
            orientation = _xmp_orientation(xmp)
        return Remembered(orientation, _taken_on(tags))


def orientation_alone(orientation: int) -> bytes:
    """A TIFF block (EXIF without its `Exif` prefix) of 26 bytes with the orientation, 1 to 8."""
    entry = struct.pack(">HHIHxx", ORIENTATION, 3, 1, orientation)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


# Pillow's parser promises no error of its own for hostile bytes: any error means "nothing there".


def _tags(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    with suppress(Exception):
        tags.load(exif)
    return tags


def _exif_orientation(tags: Image.Exif) -> int | None:
    with suppress(Exception):
        if ORIENTATION in tags:
            return TURNED.get(tags[ORIENTATION], UPRIGHT)
    return None


def _xmp_orientation(xmp: bytes) -> int:
    match = _XMP_ORIENTATION.search(xmp)
    return TURNED.get(int(match[1]), UPRIGHT) if match else UPRIGHT


def _taken_on(tags: Image.Exif) -> date | None:
    written: list[object] = []
    with suppress(Exception):
        details = tags.get_ifd(DETAILS)
        written += [details.get(DATE_TIME_ORIGINAL), details.get(DATE_TIME_DIGITIZED)]
    with suppress(Exception):
        written.append(tags.get(DATE_TIME))
    return next((day for value in written if (day := _day(value))), None)


def _day(written: object) -> date | None:
    text = written.decode("latin-1") if isinstance(written, bytes) else written
    match = _DAY.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day = map(int, match.groups())
    try:
        return date(year, month, day) if year >= EARLIEST_YEAR else None
    except ValueError:
        return None
