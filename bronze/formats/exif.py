"""The facts that are read from EXIF and XMP before both are removed, and the EXIF that replaces them.

The facts are the orientation and the capture date. The replacement holds the orientation alone.
"""

from __future__ import annotations

import re
import struct
import warnings
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from PIL import Image, TiffImagePlugin  # noqa: F401 - Pillow loads it late, for EXIF

ORIENTATION = 0x0112
DATE_TIME = 0x0132
DETAILS = 0x8769
DATE_TIME_ORIGINAL = 0x9003
DATE_TIME_DIGITIZED = 0x9004

UPRIGHT = 1
TURNED = {orientation: orientation for orientation in range(2, 9)}
EARLIEST_YEAR = 1990
"""Earlier dates are older than digital cameras: a camera writes them if its clock was never set."""

EXIF_BYTES = 1 << 16
"""The first bytes of an EXIF block that are read. One segment of a JPEG holds no more. What a parser makes of
the values in a block takes up to thirty times the memory of their bytes."""

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_DAY = re.compile(r"\s*([0-9]{4})[:/.-]([0-9]{1,2})[:/.-]([0-9]{1,2})(?![0-9])")


class CaptureFacts(NamedTuple):
    """The orientation as EXIF counts it, from 1 (upright) to 8, and the days that may be the capture date.

    `days` are those from EARLIEST_YEAR on, the one to prefer first. Some may lie in the future: nothing in
    the file tells when it arrived.
    """

    orientation: int
    days: tuple[date, ...]


def capture_facts(exif: bytes, xmp: bytes) -> CaptureFacts:
    """Return the facts that are kept of an EXIF block and an XMP packet, as Pillow reads them.

    The orientation in the XMP packet counts only where EXIF has none. Both arguments may be empty
    or garbage: the function never raises.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = _tags(exif)
        orientation = _exif_orientation(tags)
        if orientation is None:
            orientation = _xmp_orientation(xmp)
        return CaptureFacts(orientation, _days(tags))


def orientation_alone(orientation: int) -> bytes:
    """Return a TIFF block (EXIF without its `Exif` prefix) of 26 bytes with the orientation, 1 to 8."""
    entry = struct.pack(">HHIHxx", ORIENTATION, 3, 1, orientation)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


# Pillow documents no error class for hostile bytes, so any exception means "the field is not there".


def _tags(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    with suppress(Exception):
        tags.load(exif[:EXIF_BYTES])
    return tags


def _exif_orientation(tags: Image.Exif) -> int | None:
    with suppress(Exception):
        if ORIENTATION in tags:
            return TURNED.get(tags[ORIENTATION], UPRIGHT)
    return None


def _xmp_orientation(xmp: bytes) -> int:
    match = _XMP_ORIENTATION.search(xmp)
    return TURNED.get(int(match[1]), UPRIGHT) if match else UPRIGHT


def _days(tags: Image.Exif) -> tuple[date, ...]:
    values: list[object] = []
    with suppress(Exception):
        details = tags.get_ifd(DETAILS)
        values += [details.get(DATE_TIME_ORIGINAL), details.get(DATE_TIME_DIGITIZED)]
    with suppress(Exception):
        values.append(tags.get(DATE_TIME))
    return tuple(dict.fromkeys(day for value in values if (day := _day(value))))


def _day(value: object) -> date | None:
    """Return the date in the value of an EXIF tag, or None where there is none from EARLIEST_YEAR on."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    match = _DAY.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day = map(int, match.groups())
    try:
        return date(year, month, day) if year >= EARLIEST_YEAR else None
    except ValueError:
        return None
