"""The sequence header of AV1: how large a picture is, and where the header ends.

Source: AV1 Bitstream & Decoding Process, 5.5.
"""

from __future__ import annotations

from typing import NamedTuple

from bronze.formats.bit_reader import BitReader
from bronze.formats.cleaning_results import malformed

SRGB = (1 << 16) | (13 << 8)
"""Primaries, transfer and matrix of pictures without a range of their own: BT.709, sRGB and RGB itself."""


class AV1Sequence(NamedTuple):
    """A sequence header up to its last field, and what it says: whether frames have the reduced headers of
    still pictures, and the sides of the largest frame."""

    payload: bytes
    is_reduced: bool
    width: int
    height: int


def av1_sequence(payload: bytes) -> AV1Sequence:
    """Return the header that bytes begin with, without those behind it. Raises NotAPhoto (MALFORMED)."""
    bits = BitReader(payload)
    profile, _, is_reduced = bits.next(3), bits.next(1), bool(bits.next(1))
    if profile > 2:
        raise malformed("a picture has a profile of AV1 that isn't known")
    if is_reduced:
        bits.next(5)
    else:
        _skip_points(bits)
    wide, high = bits.next(4) + 1, bits.next(4) + 1
    width, height = bits.next(wide) + 1, bits.next(high) + 1
    if not is_reduced and bits.next(1):
        bits.next(4 + 3)
    bits.next(3)
    if not is_reduced:
        _skip_tools(bits)
    bits.next(3)
    _skip_colours(bits, profile)
    bits.next(1)
    return AV1Sequence(_ended(payload, bits.read), is_reduced, width, height)


def _ended(payload: bytes, length: int) -> bytes:
    """Return the first bits of a header, and behind them the bits that end it: a one, and zeros."""
    size = length // 8 + 1
    spare = 8 * size - length
    bits = int.from_bytes(payload) >> 8 * len(payload) - length
    return ((bits << 1 | 1) << spare - 1).to_bytes(size)


def _skip_points(bits: BitReader) -> None:
    """Read on behind the times and the operating points of a whole sequence header."""
    has_model, delay = 0, 0
    if bits.next(1):
        bits.next(64)
        if bits.next(1):
            bits.exponential()
        has_model = bits.next(1)
        if has_model:
            delay = bits.next(5) + 1
            bits.next(32 + 5 + 5)
    has_delays = bits.next(1)
    for _ in range(bits.next(5) + 1):
        bits.next(12)
        if bits.next(5) > 7:
            bits.next(1)
        if has_model and bits.next(1):
            bits.next(2 * delay + 1)
        if has_delays and bits.next(1):
            bits.next(4)


def _skip_tools(bits: BitReader) -> None:
    """Read on behind the tools of a whole sequence header, which tell how frames depend on each other."""
    bits.next(4)
    has_order = bits.next(1)
    bits.next(2 * has_order)
    # Whether frames choose if they are of a screen, or whether they are; then the same of whole motions.
    is_screen = bits.next(1) or bits.next(1)
    if is_screen and not bits.next(1):
        bits.next(1)
    bits.next(3 * has_order)


def _skip_colours(bits: BitReader, profile: int) -> None:
    """Read on behind the colours of a sequence header."""
    is_deep = bits.next(1)
    is_twelve = profile == 2 and is_deep and bits.next(1)
    is_grey = profile != 1 and bits.next(1)
    colours = bits.next(24) if bits.next(1) else None
    if is_grey:
        bits.next(1)
        return
    if colours != SRGB:
        bits.next(1)
        across = down = int(profile == 0)
        if is_twelve:
            across = bits.next(1)
            down = across and bits.next(1)
        if across and down:
            bits.next(2)
    bits.next(1)
