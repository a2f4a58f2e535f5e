"""A file without a name for record batches: when the process ends, however it ends, they are gone.

It lies in the local folder of working files (`paths.working`).
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self

import pyarrow as pa

from lake import working_files

Place = tuple[int, int]
"""Where a record batch lies in the file: its first byte, and the number of its bytes."""


class OutsideMemory(ABC):
    """What lies in a file without a name until its context ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Gives the file up."""


class SpoolFile(OutsideMemory):
    """The record batches of one schema, written one after another and read in any order."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._file = tempfile.TemporaryFile(dir=working_files.place())  # noqa: SIM115 (`close` closes it)

    def close(self) -> None:
        """Gives the file up."""
        self._file.close()

    def write(self, batch: pa.RecordBatch) -> Place:
        """Writes a batch to the end of the file. Raises OSError where the disk is full."""
        content = batch.serialize()
        begin = self._file.seek(0, os.SEEK_END)
        self._file.write(content)
        return begin, content.size

    def read(self, places: Iterable[Place]) -> pa.Table:
        """The rows of the batches in some places."""
        return pa.Table.from_batches(map(self._read, places), self.schema)

    def _read(self, place: Place) -> pa.RecordBatch:
        begin, size = place
        self._file.seek(begin)
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), self.schema)
