"""The Parquet files of the large tables, as workers write and read them themselves, with Arrow.

A row may have a photo of many megabytes, so files are written and read by groups of rows of a limited size.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from lake.storage.folder import Folder

GROUP_BYTES = 8 << 20
"""The bytes of a group of rows, about. A reader has the column of a group in memory at once."""

BUFFER = 1 << 22
"""The bytes of a column that are read at a time: in S3 each time is a request."""

PAGE_BYTES = 256 << 10
"""The bytes of a page, about: what is read for one photo."""

FOOTERS_AT_ONCE = 8
"""The footers that the driver reads at once."""

BATCH_ROWS = 64
"""The rows of a batch that is read, as in Spark."""

READ_OPTIONS = pyarrow.dataset.ParquetReadOptions(coerce_int96_timestamp_unit="us")
"""How a dataset of Arrow reads files. Spark writes times as INT96, which Arrow reads in nanoseconds: those
end in 2262."""

BLOBS = ("content",)
"""The columns that hold files of a format which is compressed by itself."""

REPEATED = ("run_id", "chunk", "subject", "label", "split", "format", "extractor", "path")
"""The columns in which values occur again and again, so that a dictionary of them is smaller."""


@dataclass(frozen=True)
class WrittenFile:
    """A Parquet file: its name under the root of a lake, its rows, and its bytes."""

    name: str
    rows: int
    size: int


@dataclass(frozen=True)
class RowSpan:
    """Rows of one group of a Parquet file, from one number to another (exclusive), counted from 0 in that
    group. `name` is the file's, under the root of a lake."""

    name: str
    group: int
    first: int
    end: int

    @property
    def rows(self) -> int:
        """The number of the rows."""
        return self.end - self.first


def new_name(folder: str) -> str:
    """Return a name for a file in a folder that no other file gets, whichever try of a task writes it."""
    return f"{folder}/part-{uuid4().hex}.parquet"


def write(
    files: Folder, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> WrittenFile | None:
    """Write rows as one file, and return it; return None, and write nothing, where there is no row."""
    rows = (batch for batch in batches if batch.num_rows)
    first = next(rows, None)
    if first is None:
        return None
    with files.create(name) as raw:
        count = _write_groups(raw, first, rows, schema)
        size = raw.tell()
    return WrittenFile(name, count, size)


def _write_groups(
    raw: BinaryIO, first: pa.RecordBatch, rest: Iterable[pa.RecordBatch], schema: pa.Schema
) -> int:
    """Write batches of rows as groups of about GROUP_BYTES, and return the number of rows."""
    names = schema.names
    is_of_blobs = not set(BLOBS).isdisjoint(names)
    with pq.ParquetWriter(
        raw,
        schema,
        compression={name: "NONE" if name in BLOBS else "SNAPPY" for name in names}
        if is_of_blobs
        else "SNAPPY",
        use_dictionary=[name for name in REPEATED if name in names],
        data_page_size=PAGE_BYTES,
        # The size of a page is checked after so many values: of photos, after each.
        write_batch_size=1 if is_of_blobs else None,
        write_page_checksum=True,
    ) as writer:
        count = 0
        for group in _groups(first, rest):
            writer.write_table(pa.Table.from_batches(group, schema), row_group_size=1 << 30)
            count += sum(batch.num_rows for batch in group)
    return count


def _groups(
    first: pa.RecordBatch, rest: Iterable[pa.RecordBatch]
) -> Iterator[list[pa.RecordBatch]]:
    group, size = [first], first.nbytes
    for batch in rest:
        if size + batch.nbytes > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(batch)
        size += batch.nbytes
    yield group


def read(
    files: Folder, spans: Iterable[RowSpan], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of rows in batches of at most BATCH_ROWS rows, one group of rows in memory at a time.

    Raises OSError where a file can't be read.
    """
    for name, of_file in groupby(spans, key=lambda span: span.name):
        with (
            files.open(name) as raw,
            pq.ParquetFile(raw, pre_buffer=False, buffer_size=BUFFER) as file,
        ):
            for span in of_file:
                yield from _within(
                    span,
                    file.iter_batches(
                        batch_size=BATCH_ROWS,
                        row_groups=[span.group],
                        columns=list(columns),
                        use_threads=False,
                    ),
                )


def _within(span: RowSpan, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield what batches of the rows of a group have of a span."""
    number = 0
    for batch in batches:
        first, end = max(span.first - number, 0), min(span.end - number, batch.num_rows)
        if first < end:
            yield batch.slice(first, end - first)
        number += batch.num_rows
        if number >= span.end:
            return


def spans_of(files: Folder, name: str, *, chunks: Collection[int] | None = None) -> list[RowSpan]:
    """Return each group of rows of a file that may have rows of some chunks, by default all. Only the footer
    is read."""
    with files.open(name) as raw, pq.ParquetFile(raw, pre_buffer=False) as file:
        footer = file.metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        return [
            RowSpan(name, number, 0, group.num_rows)
            for number, group in enumerate(groups)
            if chunks is None or _may_have(group, chunks)
        ]


def _may_have(group: pq.RowGroupMetaData, chunks: Collection[int]) -> bool:
    """Return whether a group may have rows of some chunks, by its statistics."""
    for each in map(group.column, range(group.num_columns)):
        if each.path_in_schema == "chunk" and each.is_stats_set and each.statistics.has_min_max:
            bounds = each.statistics
            return any(bounds.min <= number <= bounds.max for number in chunks)
    return True


def joined(
    files: Folder, name: str, parts: Mapping[str, Collection[int]], *, schema: pa.Schema
) -> WrittenFile | None:
    """Write the rows of several files as one file called `name`, without the rows of some numbers in each,
    counted from 0; return None where no row is left."""

    def kept() -> Iterator[pa.RecordBatch]:
        for part, left_out in parts.items():
            number, gone = 0, set(left_out)
            for batch in read(files, spans_of(files, part), schema.names):
                keep = [number + row not in gone for row in range(batch.num_rows)]
                number += batch.num_rows
                yield batch if all(keep) else batch.filter(pa.array(keep))

    return write(files, name, kept(), schema)
