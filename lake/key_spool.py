"""Rows with a key of 16 bytes, more of them than fit into memory, given back by ranges of their keys.

The rows wait in a file without a name: when the process ends, however it ends, they are gone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

KEY = pa.binary(16)
"""The type of a key: 16 bytes of a hash, so that keys are spread evenly."""

RANGES = 64
"""The ranges of keys by which the rows are given back."""

HELD = 1 << 17
"""The rows that are in memory before they go to the file."""


class KeySpool:
    """The rows of a schema whose column `key` is a KEY, to be added in any order and then read once, by keys.

    In memory are `held` rows while they are added, and one of RANGES ranges of them while they are read. Up
    to `held` rows need no file.
    """

    def __init__(self, schema: pa.Schema, *, held: int = HELD) -> None:
        self._schema = schema
        self._held = held
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (`__exit__` closes it)
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(RANGES)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, rows: pa.Table) -> None:
        """Takes rows in. Raises OSError where the disk is full."""
        self._waiting.append(rows.select(self._schema.names).cast(self._schema))
        self._rows += rows.num_rows
        if self._rows > self._held:
            self._write(self._taken())

    def ranges(self) -> Iterator[pa.Table]:
        """Yields all rows, sorted by their keys, a table for each range of keys that has any."""
        rest = self._taken()
        if not any(self._places):
            if rest.num_rows:
                yield rest.sort_by("key")
            return
        self._write(rest)
        for places in self._places:
            if places:
                yield pa.Table.from_batches(map(self._read, places)).sort_by("key")

    def _taken(self) -> pa.Table:
        """The rows in memory, which leave it with the caller."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        return pa.concat_tables(waiting) if waiting else self._schema.empty_table()

    def _write(self, rows: pa.Table) -> None:
        """Writes each range's rows to the end of the file."""
        rows = rows.sort_by("key")
        first = _range_of(rows["key"])
        ends = np.searchsorted(first, np.arange(RANGES), side="right")
        self._file.seek(0, 2)
        begin = 0
        for places, end in zip(self._places, ends.tolist(), strict=True):
            for batch in rows.slice(begin, end - begin).combine_chunks().to_batches():
                content = batch.serialize()
                places.append((self._file.tell(), content.size))
                self._file.write(content)
            begin = end

    def _read(self, place: tuple[int, int]) -> pa.RecordBatch:
        offset, size = place
        self._file.seek(offset)
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), self._schema)


def as_numpy(keys: pa.FixedSizeBinaryArray) -> np.ndarray:
    """Return keys without nulls as bytes of NumPy, dtype S16 of shape [n], which are ordered as Arrow's."""
    width = KEY.byte_width
    content = keys.buffers()[1]
    return np.frombuffer(content, f"S{width}", len(keys), keys.offset * width)


def _range_of(keys: pa.ChunkedArray) -> np.ndarray:
    """Return the range of each key, int64 of shape [n]."""
    first = as_numpy(keys.combine_chunks()).view(np.uint8)[:: KEY.byte_width]
    return first.astype(np.int64) * RANGES >> 8
