"""Rows sorted by some columns, more of them than fit into memory: sorted parts, which are merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa

from lake.spool_file import OutsideMemory, Place, SpoolFile

HELD = 1 << 17
"""The rows that are in memory before they go to the file."""

READ = 512
"""The rows of each part that are in memory while the parts are merged."""


class SortedRuns(OutsideMemory):
    """The rows of a schema, to be added in any order and then read by the columns `by`, without nulls.

    In memory are `held` rows while they are added, and READ of each part while they are read. Up to `held`
    rows need no file.
    """

    def __init__(self, schema: pa.Schema, by: Sequence[str], *, held: int = HELD) -> None:
        self._by = by
        self._held = held
        self._waiting: list[pa.Table] = []
        self._file = SpoolFile(schema)
        self._runs: list[list[Place]] = []

    def close(self) -> None:
        """Gives the file up."""
        self._file.close()

    def add(self, rows: pa.Table) -> None:
        """Takes rows in. Raises OSError where the disk is full."""
        schema = self._file.schema
        self._waiting.append(rows.select(schema.names).cast(schema))
        if sum(part.num_rows for part in self._waiting) > self._held:
            batches = self._sorted().to_batches(max_chunksize=READ)
            self._runs.append([self._file.write(batch) for batch in batches])
            self._waiting = []

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yields all rows in their order."""
        parts = [self._read(places) for places in self._runs]
        if self._waiting:
            parts.append(_rows(self._sorted()))
        yield from heapq.merge(*parts, key=itemgetter(*self._by))

    def _sorted(self) -> pa.Table:
        """The rows in memory, in their order."""
        order = [(name, "ascending") for name in self._by]
        return pa.concat_tables(self._waiting).combine_chunks().sort_by(order)

    def _read(self, places: Sequence[Place]) -> Iterator[dict[str, Any]]:
        for place in places:
            yield from self._file.read([place]).to_pylist()


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=READ):
        yield from batch.to_pylist()
