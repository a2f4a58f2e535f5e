"""The tags of an ICC profile that make colours, each read by its own counts and written anew.

A tag that is written anew holds its numbers and nothing else: reserved bytes are zero, nothing
stands between its parts or behind them. Source: ICC.1:2022, section 10.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

TYPE_BYTES = 8
"""The bytes of a type's signature and of the four reserved bytes behind it."""

PARAMETERS = (1, 3, 4, 5, 7)
"""The number of parameters of each kind of parametric curve."""

LUT_CURVE = 256
"""The entries of a curve in a LUT of 8 bits."""

MATRIX_BYTES = {"lut": 36, "element": 48}
GRID_BYTES = 16


class UnusableProfile(ValueError):
    """The profile can't be written anew from its colour tags."""


def part(data: memoryview, start: int, length: int) -> memoryview:
    """Return data[start : start + length]. Raises UnusableProfile where the data end before."""
    if start + length > len(data):
        raise UnusableProfile
    return data[start : start + length]


def padded(data: bytes) -> bytes:
    """Return the data, with zeros up to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def numbers(kind: bytes, length: int) -> Callable[[memoryview], bytes]:
    """Return the reader of a tag of that type that holds `length` bytes of numbers."""

    def written_anew(data: memoryview) -> bytes:
        if part(data, 0, TYPE_BYTES)[:4] != kind:
            raise UnusableProfile
        return kind + bytes(4) + part(data, TYPE_BYTES, length)

    return written_anew


def curve(data: memoryview) -> bytes:
    """Return the curve at the start of the data: a table of numbers (`curv`) or a formula (`para`)."""
    kind = bytes(data[:4])
    if kind == b"curv":
        (count,) = struct.unpack(">I", part(data, TYPE_BYTES, 4))
        return kind + bytes(4) + part(data, TYPE_BYTES, 4 + 2 * count)
    if kind == b"para":
        (formula,) = struct.unpack(">H", part(data, TYPE_BYTES, 2))
        if formula >= len(PARAMETERS):
            raise UnusableProfile
        values = part(data, TYPE_BYTES + 4, 4 * PARAMETERS[formula])
        return kind + bytes(4) + struct.pack(">Hxx", formula) + values
    raise UnusableProfile


def lut(data: memoryview, *, channels: tuple[int, int]) -> bytes:
    """Return a LUT with that number of (input, output) channels, of any of the types that there are."""
    kind = bytes(data[:4])
    if tuple(part(data, TYPE_BYTES, 2)) != channels:
        raise UnusableProfile
    if kind in (b"mft1", b"mft2"):
        return _table_lut(data, channels, kind)
    if kind in (b"mAB ", b"mBA "):
        return _element_lut(data, channels, kind)
    raise UnusableProfile


def _table_lut(data: memoryview, channels: tuple[int, int], kind: bytes) -> bytes:
    """Return a LUT of 8 bits (`mft1`) or 16 bits (`mft2`): a matrix, curves, a grid, and curves."""
    inputs, outputs = channels
    grid = part(data, TYPE_BYTES, 4)[2]
    matrix = part(data, TYPE_BYTES + 4, MATRIX_BYTES["lut"])
    start = TYPE_BYTES + 4 + MATRIX_BYTES["lut"]
    counts = bytes(part(data, start, 4)) if kind == b"mft2" else b""
    first, last = struct.unpack(">HH", counts) if counts else (LUT_CURVE, LUT_CURVE)
    values = inputs * first + grid**inputs * outputs + outputs * last
    head = kind + bytes(4) + bytes([inputs, outputs, grid, 0]) + matrix + counts
    return head + part(data, start + len(counts), values * (2 if counts else 1))


def _element_lut(data: memoryview, channels: tuple[int, int], kind: bytes) -> bytes:
    """Return a LUT of elements (`mAB `, `mBA `): B curves, a matrix, M curves, a grid, and A curves.

    All but the B curves may be missing.
    """
    device, connection = channels if kind == b"mAB " else channels[::-1]
    readers: tuple[Callable[[memoryview], bytes], ...] = (
        lambda found: _curves(found, connection),
        lambda found: bytes(part(found, 0, MATRIX_BYTES["element"])),
        lambda found: _curves(found, connection),
        lambda found: _grid(found, channels),
        lambda found: _curves(found, device),
    )
    offsets = struct.unpack(">5I", part(data, TYPE_BYTES + 4, 20))
    if not offsets[0]:
        raise UnusableProfile
    elements = [
        padded(read(data[offset:])) if offset else b""
        for offset, read in zip(offsets, readers, strict=True)
    ]
    start, written = TYPE_BYTES + 4 + 20, []
    for element in elements:
        written.append(start if element else 0)
        start += len(element)
    head = kind + bytes(4) + bytes([*channels, 0, 0]) + struct.pack(">5I", *written)
    return head + b"".join(elements)


def _curves(data: memoryview, count: int) -> bytes:
    """Return so many curves, one behind the other, each padded to a multiple of four bytes."""
    curves, start = [], 0
    for _ in range(count):
        curves.append(padded(curve(data[start:])))
        start += len(curves[-1])
    return b"".join(curves)


def _grid(data: memoryview, channels: tuple[int, int]) -> bytes:
    """Return the grid of a LUT of elements: points of each input, bytes of a number, then the numbers."""
    inputs, outputs = channels
    points, width = part(data, 0, inputs), part(data, GRID_BYTES, 1)[0]
    if width not in (1, 2):
        raise UnusableProfile
    values = part(data, GRID_BYTES + 4, math.prod(points) * outputs * width)
    return bytes(points) + bytes(GRID_BYTES - inputs) + bytes([width, 0, 0, 0]) + values
