"""The objects of a chunk, read and cleaned by workers, which write the photos as files of bronze/photos.

Nothing but facts comes back to the driver, which decides by them: the photos themselves are written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from bronze.bronze_rows import ARRIVED, CONTENT, Admission, read_one, size
from bronze.cleaning_process import cleaned_rows
from bronze.landing import Arrival, Landing
from bronze.rejection_causes import READ_BY, Reader
from conf.settings import ChunkSettings, PhotoSettings
from lake import catalog, parquet_files
from lake.arrow_tasks import arrow_tasks, slots
from lake.chunks import batches
from lake.file_parts import FilePart, WorkerFiles, file_schema
from lake.file_sizes import FILE_BYTES
from lake.isolated_process import ProcessLimits
from lake.parquet_files import WrittenFile
from lake.small_tables import with_values

FILE, ROW = "file", "row"
"""The columns that say where a clean photo stands: the name of its file, and the number of its row there."""

BATCH_BYTES, BATCH_ROWS = 8 << 20, 64
"""The most bytes and rows of a batch of photos."""


@dataclass(frozen=True)
class Arrived:
    """The objects of a chunk as they were read: `facts` has a row for each, with the columns of `ARRIVED`
    without the bytes, `FILE`, `ROW` and `read_by`. `photos` are the files with those that are photos."""

    facts: pa.Table
    photos: FilePart


def facts_schema() -> pa.Schema:
    """Return the columns of the facts that a worker tells."""
    fields = [field for field in to_arrow_schema(ARRIVED) if field.name != CONTENT]
    return pa.schema([*fields, pa.field(FILE, pa.string()), pa.field(ROW, pa.int64())])


def read_objects(
    spark: SparkSession,
    landing: Landing,
    arrivals: Sequence[Arrival],
    *,
    into: WorkerFiles,
    chunks: ChunkSettings,
    limits: PhotoSettings,
    admission: Admission,
    count: Callable[[int], None],
) -> Arrived:
    """Have workers read and clean the objects of a chunk, and write the photos. Workers call `count` with the
    number of objects that they have done. An object that is gone gives no row."""
    bounds = ProcessLimits(limits.max_bytes, limits.decode_seconds, limits.decoder_memory)
    row_of = partial(read_one, landing, max_bytes=limits.max_bytes, admission=admission)

    def read(share: Sequence[Arrival]) -> tuple[WrittenFile | None, pa.Table]:
        rows = _cleaned(row_of, share, landing.readers, chunks=chunks, limits=bounds)
        return _written(rows, into, count)

    found = arrow_tasks(spark, list(_shares(arrivals, slots(spark))), read)
    files = [file for file, _ in found if file]
    facts = pa.concat_tables([facts_schema().empty_table(), *(told for _, told in found)])
    photos = FilePart(catalog.PHOTOS, files, run_id=into.run_id, chunk=into.chunk)
    return Arrived(with_values(facts, {READ_BY: str(Reader.of(limits))}), photos)


def _shares(arrivals: Sequence[Arrival], tasks: int) -> Iterator[Sequence[Arrival]]:
    """Yield the objects of each task: as much as a file should have, or the same for all tasks at once."""
    total = sum(arrival.landing.size for arrival in arrivals)
    most = min(FILE_BYTES, -(-total // tasks) or 1)
    return batches(arrivals, size=size, max_bytes=most, max_photos=-(-len(arrivals) // tasks) or 1)


def _cleaned(
    row_of: Callable[[Arrival], dict[str, Any] | None],
    share: Sequence[Arrival],
    readers: int,
    *,
    chunks: ChunkSettings,
    limits: ProcessLimits,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a task's objects. Of those that are read ahead, few are held at once."""
    parts = batches(share, size=size, max_bytes=chunks.task_bytes, max_photos=chunks.task_photos)
    with ThreadPoolExecutor(readers) as pool:
        for part in parts:
            yield from cleaned_rows(pool.map(row_of, part), limits)


def _written(
    rows: Iterable[dict[str, Any]], into: WorkerFiles, count: Callable[[int], None]
) -> tuple[WrittenFile | None, pa.Table]:
    """Write the photos among the rows of a task as one file, and return it with the facts about all rows."""
    facts: list[dict[str, Any]] = []
    name, schema = parquet_files.new_name(into.folder), file_schema(catalog.PHOTOS)
    origin = into.origin("ingested_at")

    def photos() -> Iterator[pa.RecordBatch]:
        number = 0
        for some in _some(rows):
            kept = [row for row in some if row["reason"] is None]
            yield pa.RecordBatch.from_pylist([row | origin for row in kept], schema)
            for row in kept:
                row |= {FILE: name, ROW: number}
                number += 1
            facts.extend({**row, CONTENT: None} for row in some)
            count(len(some))

    file = parquet_files.write(into.files, name, photos(), schema)
    return file, pa.Table.from_pylist(facts, facts_schema())


def _some(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in lists of a limited size (`BATCH_BYTES`, `BATCH_ROWS`). A photo of more is alone."""
    some: list[dict[str, Any]] = []
    total = 0
    for row in rows:
        length = len(row[CONTENT] or b"")
        if some and (total + length > BATCH_BYTES or len(some) >= BATCH_ROWS):
            yield some
            some, total = [], 0
        some.append(row)
        total += length
    if some:
        yield some
