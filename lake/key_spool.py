"""Rows with a key of 16 bytes, more of them than fit into memory, given back by ranges of their keys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lake.spool_file import OutsideMemory, Place, SpoolFile

KEY = pa.binary(16)
"""The type of a key: 16 bytes of a hash, so that keys are spread evenly."""

RANGES = 256
"""The ranges of keys by which the rows lie in the file."""

HELD = 1 << 17
"""The rows that are in memory before they go to the file."""

READ = 1 << 15
"""The rows of some ranges that are read at a time, unless a single range has more."""


class KeySpool(OutsideMemory):
    """The rows of a schema whose column `key` is a KEY, to be added in any order and read in that of keys.

    In memory are `held` rows while they are added, and READ of them while they are read, or one of RANGES
    ranges. Up to `held` rows need no file.
    """

    def __init__(self, schema: pa.Schema, *, held: int = HELD) -> None:
        self._held = held
        self._waiting: list[pa.Table] = []
        self._file = SpoolFile(schema)
        self._places: list[list[Place]] = [[] for _ in range(RANGES)]
        self._rows = [0] * RANGES

    def close(self) -> None:
        """Gives the file up."""
        self._file.close()

    @property
    def is_in_file(self) -> bool:
        """Whether the rows are more than may be in memory."""
        return any(self._places)

    def add(self, rows: pa.Table) -> None:
        """Takes rows in. Raises OSError where the disk is full."""
        schema = self._file.schema
        self._waiting.append(rows.select(schema.names).cast(schema))
        if sum(part.num_rows for part in self._waiting) > self._held:
            self._write_waiting()

    def ranges(self) -> Iterator[pa.Table]:
        """Returns all rows, sorted by their keys, a table for ranges of keys with READ rows together. Raises
        OSError where the disk is full, before the first one is asked for."""
        if self.is_in_file:
            self._write_waiting()
            return (self._file.read(places).sort_by("key") for places in self._read_together())
        waiting = [part for part in self._waiting if part.num_rows]
        return iter([pa.concat_tables(waiting).sort_by("key")] if waiting else [])

    def _read_together(self) -> Iterator[list[Place]]:
        """Yields the places of neighbouring ranges, of no more than READ rows unless it is one range."""
        together: list[Place] = []
        held = 0
        for places, rows in zip(self._places, self._rows, strict=True):
            if together and held + rows > READ:
                yield together
                together, held = [], 0
            together = together + places
            held += rows
        if together:
            yield together

    def _write_waiting(self) -> None:
        """Writes each range's rows, of those in memory, to the file."""
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting).sort_by("key")
        self._waiting = []
        ends = np.searchsorted(_range_of(rows["key"]), np.arange(RANGES), side="right")
        begin = 0
        for number, end in enumerate(ends.tolist()):
            for batch in rows.slice(begin, end - begin).combine_chunks().to_batches():
                self._places[number].append(self._file.write(batch))
            self._rows[number] += end - begin
            begin = end


def as_numpy(keys: pa.FixedSizeBinaryArray) -> np.ndarray:
    """Return keys without nulls as bytes of NumPy, dtype S16 of shape [n], which are ordered as Arrow's."""
    width = KEY.byte_width
    content = keys.buffers()[1]
    return np.frombuffer(content, f"S{width}", len(keys), keys.offset * width)


def _range_of(keys: pa.ChunkedArray) -> np.ndarray:
    """Return the range of each key, int64 of shape [n]."""
    first = as_numpy(keys.combine_chunks()).view(np.uint8)[:: KEY.byte_width]
    return first.astype(np.int64) * RANGES >> 8
