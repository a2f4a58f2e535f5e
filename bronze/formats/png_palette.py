"""The entries of a PNG's palette that pixels use, found without decoding the image as a whole.

Rows are unpacked and unfiltered in blocks of bounded size. Source: W3C PNG, third edition,
section 9 (filters) and 11.2.2 (PLTE).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.ma
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from bronze.formats.cleaning_results import malformed

if TYPE_CHECKING:
    from bronze.formats.png_image_data import Pass

ENTRY_BYTES, MOST_ENTRIES, OPAQUE = 3, 256, 255
SUB, UP, AVERAGE, PAETH = 1, 2, 3, 4
FIRST_ROWS, MOST_ROWS = 32, 2048
"""The rows of the first block and of the largest: most palettes show within the first rows."""

BLOCK_BYTES = 2**22
MOST_STEPS = 500_000
"""The most diagonals that are unfiltered: some seconds. An image of 100 million pixels has half of them."""


class PaletteUse:
    """Which entries of a palette are in use.

    `colours` is the body of PLTE, `depth` the bits of a pixel. `background`, the body of bKGD, is
    empty or names an entry, which is in use.
    """

    def __init__(self, colours: bytes, depth: int, *, background: bytes) -> None:
        self.depth = depth
        self.used: NDArray[np.bool_] = np.zeros(MOST_ENTRIES, np.bool_)
        self.used[list(background)] = True
        self._colours = colours[: len(colours) // ENTRY_BYTES * ENTRY_BYTES]
        self._steps = 0

    def see(self, passes: list[Pass], pieces: Iterator[bytes]) -> None:
        """Note the entries that the rows use, which come in pieces. Stops when all entries are in use.

        The rows that an image lacks may be shown in the first entry. Raises NotAPhoto (MALFORMED) for
        rows that can't be unfiltered, or that are so many or so long that it would take minutes.
        """
        waiting = bytearray()
        for rows, pixels, row_bytes in passes:
            if row_bytes > BLOCK_BYTES:
                raise malformed("the rows of a palette's pixels are too long")
            above = np.zeros(row_bytes - 1, np.uint8)
            start, block_rows = 0, FIRST_ROWS
            while start < rows:
                if self.used[: len(self._colours) // ENTRY_BYTES].all():
                    return
                size = min(block_rows, rows - start, BLOCK_BYTES // row_bytes) * row_bytes
                while len(waiting) < size and (piece := next(pieces, None)) is not None:
                    waiting += piece
                if len(waiting) < size:
                    self.used[0] = True
                    size = len(waiting) - len(waiting) % row_bytes
                if not size:
                    return
                block = np.frombuffer(waiting[:size], np.uint8).reshape(-1, row_bytes)
                del waiting[:size]
                shown = self._unfiltered(block, above)
                self._note(shown, pixels)
                above = shown[-1]
                start, block_rows = start + len(block), min(2 * block_rows, MOST_ROWS)

    def colours(self) -> bytes:
        """Return the body of PLTE up to the last entry in use, with black in the place of unused ones."""
        entries = np.frombuffer(self._colours, np.uint8).reshape(-1, ENTRY_BYTES)
        return (entries * self.used[: len(entries), None])[: self._length()].tobytes()

    def transparency(self, alphas: bytes) -> bytes:
        """Return the body of tRNS, an alpha a palette's entry, with unused entries opaque."""
        entries = np.frombuffer(alphas[: self._length()], np.uint8)
        return np.where(self.used[: len(entries)], entries, np.uint8(OPAQUE)).tobytes()

    def _length(self) -> int:
        """Return the number of entries up to the last one in use, at least 1."""
        entries = len(self._colours) // ENTRY_BYTES
        return int(np.flatnonzero(self.used[:entries]).max(initial=0)) + 1

    def _note(self, rows: NDArray[np.uint8], pixels: int) -> None:
        """Mark the entries that uint8[rows, bytes] name, of which each row holds so many pixels."""
        whole, rest = divmod(pixels, 8 // self.depth)
        self._mark(rows[:, :whole], 8 // self.depth)
        self._mark(rows[:, whole:], rest)

    def _mark(self, packed: NDArray[np.uint8], pixels: int) -> None:
        """Mark the entries that the first pixels of each byte name."""
        values = np.flatnonzero(np.bincount(packed.ravel(), minlength=256))
        for number in range(pixels):
            self.used[values >> 8 - self.depth * (number + 1) & (1 << self.depth) - 1] = True

    def _unfiltered(self, block: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return uint8[rows, bytes] of uint8[rows, 1 + bytes]; `above` is the row above the first one."""
        filters, packed = block[:, 0], block[:, 1:]
        if not filters.any():
            return packed
        self._steps += sum(packed.shape)
        if filters.max() > PAETH or self._steps > MOST_STEPS:
            raise malformed("the rows of a palette's pixels can't be unfiltered")
        return _summed(filters, packed, above)


def _summed(
    filters: NDArray[np.uint8], packed: NDArray[np.uint8], above: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the bytes of filtered rows: each is the sum of what is stored and what its filter predicts.

    A byte depends on those to its left, above, and above left. So all bytes of a diagonal are summed
    at once: with each row moved right by its number, diagonals are columns.
    """
    rows, columns = packed.shape
    moved = np.zeros(rows * (columns + rows), np.uint8)
    # The last row ends `rows` bytes before the end of `moved`, so the view stays inside it.
    view = as_strided(moved, (rows, columns), (columns + rows + 1, 1))
    view[...] = packed
    stored = np.ascontiguousarray(moved.reshape(rows, -1).T).astype(np.int16)
    over = np.zeros(columns + rows, np.int16)
    over[:columns] = above
    weights = {kind: (filters == kind).astype(np.int16) for kind in np.unique(filters)}
    summed = np.empty_like(stored, np.uint8)
    # Position 0 of a diagonal belongs to the row above the first one.
    last, before = np.zeros(rows + 1, np.int16), np.zeros(rows + 1, np.int16)
    for number in range(columns + rows):
        last[0] = over[number]
        current = np.empty(rows + 1, np.int16)
        current[1:] = stored[number] + _predicted(weights, last[1:], last[:-1], before[:-1]) & 255
        summed[number] = current[1:]
        before, last = last, current
    moved[:] = summed.T.ravel()
    return view


def _predicted(
    weights: dict[int, NDArray[np.int16]],
    left: NDArray[np.int16],
    up: NDArray[np.int16],
    corner: NDArray[np.int16],
) -> NDArray[np.int16]:
    """Return what the filters predict for the bytes of a diagonal.

    `weights` has 1 for each row of a filter, and 0 for the others.
    """
    predicted = np.zeros_like(left)
    if SUB in weights:
        predicted += weights[SUB] * left
    if UP in weights:
        predicted += weights[UP] * up
    if AVERAGE in weights:
        predicted += weights[AVERAGE] * (left + up >> 1)
    if PAETH in weights:
        by_left, by_up = np.abs(up - corner), np.abs(left - corner)
        by_corner = np.abs(left + up - 2 * corner)
        rest = np.where(by_up <= by_corner, up, corner)
        nearest = (by_left <= by_up) & (by_left <= by_corner)
        predicted += weights[PAETH] * np.where(nearest, left, rest)
    return predicted
