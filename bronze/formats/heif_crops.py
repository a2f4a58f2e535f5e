"""The sides of a picture of HEIC as libheif crops it, by its property `clap`.

The standard leaves the rounding open, so that of libheif (Box_clap) is followed.
"""

from __future__ import annotations

import struct
from fractions import Fraction

from bronze.formats.cleaning_results import malformed

CLAP = struct.Struct(">IIIIiIiI")
"""The width, the height, and how far the middle is from the picture's, across and down: four fractions."""

LARGEST_NUMERATOR, LARGEST_DENOMINATOR = 1 << 16, 64
"""Larger numbers are refused: libheif calculates with few bits, and shows something else than they say."""

HALF = Fraction(1, 2)


def cropped(clap: bytes, width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of a picture of those sides once it is cropped. Raises NotAPhoto (MALFORMED)."""
    numbers = CLAP.unpack(clap) if len(clap) == CLAP.size else (0,) * 8
    above, below = numbers[::2], numbers[1::2]
    if not all((*numbers[:4], *below)):
        raise malformed("a picture is cropped to nothing")
    if max(map(abs, above)) > LARGEST_NUMERATOR or max(below) > LARGEST_DENOMINATOR:
        raise malformed("a picture is cropped by numbers that are too large")
    wide, high, across, down = map(Fraction, above, below)
    left = int(_start(width, wide, across))
    top = int(_start(height, high, down) + HALF)
    return _kept(width, wide, left), _kept(height, high, top)


def _start(side: int, kept: Fraction, offset: Fraction) -> Fraction:
    """Return where a crop begins. Like libheif, its users cut numbers towards zero, also below it."""
    return offset + Fraction(side - 1, 2) - (kept - 1) / 2


def _kept(side: int, kept: Fraction, start: int) -> int:
    """Return the pixels of a side that a crop from `start` on leaves. What lies outside isn't shown."""
    last = min(int(kept - 1 + start + HALF), side - 1)
    if last < max(start, 0):
        raise malformed("a picture is cropped to nothing")
    return last - max(start, 0) + 1
