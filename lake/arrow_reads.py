"""Reads of Arrow that go on where S3 throttles in the middle of one.

Arrow asks S3 again by itself, but not after one kind of answer: it takes the body of each answer into a
buffer of the size that it asked for, and where S3 answers 503 to a read of fewer bytes than the error's text
has, such as one of a narrow column, the client of AWS ends with an error that it doesn't know as one of S3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from lake import aws

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset, Fragment

NO_ROOM = "Failed to flush response stream"
"""What the error of that client says where the text of S3's error didn't fit into the buffer."""

Read = TypeVar("Read")

FIRST_WAIT = 0.1
"""The seconds before a read is tried a second time. Each wait is twice the one before."""


def table(rows: Dataset | Fragment, **options: Any) -> pa.Table:
    """Return rows of a dataset or of one of its files, with the options of Arrow's `scanner`.

    Raises OSError where they can't be read, also after waiting.
    """
    return asked_again(lambda: rows.to_table(**options))


def batches(rows: Dataset | Fragment, **options: Any) -> Iterator[pa.RecordBatch]:
    """Yield rows of a dataset or of one of its files in batches, in their order, each row once, with the
    options of Arrow's `scanner`. Raises OSError as `table`."""
    yield from resumed(lambda: rows.scanner(**options).to_reader())


def asked_again(read: Callable[[], Read]) -> Read:
    """Return what a function reads, which is called again where S3 throttled. Raises OSError as `table`."""
    number = 0
    while True:
        try:
            return read()
        except OSError as error:
            number += 1
            _wait(number, error)


def resumed(begin: Callable[[], Iterable[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Yield the batches that a function reads, which is called again where S3 throttled: it must give the
    same rows in the same order. Those that were yielded are left out. Raises OSError as `table`."""
    given, number = 0, 0
    while True:
        try:
            for batch in _after(begin(), given):
                given, number = given + batch.num_rows, 0
                yield batch
        except OSError as error:
            number += 1
            _wait(number, error)
        else:
            return


def _after(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the batches without so many rows at their beginning."""
    for batch in batches:
        if rows < batch.num_rows or not rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)


def _wait(number: int, error: OSError) -> None:
    """Wait after the failure of this number. Raises the error where another try makes no sense."""
    if NO_ROOM not in str(error) or number >= aws.ATTEMPTS:
        raise error
    time.sleep(FIRST_WAIT * 2 ** (number - 1))
