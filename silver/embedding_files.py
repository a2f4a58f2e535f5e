"""The photos of a chunk of silver, embedded by workers, which read bronze's files and write silver's.

Spark schedules the tasks; no photo and no embedding passes through Java. What can't be embedded comes back to
the driver as facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import or_

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog, delta_rs_reader, parquet_files
from lake.arrow_tasks import arrow_tasks, slots
from lake.file_parts import FilePart, WorkerFiles, file_schema
from lake.layer_interfaces import WorkerModel
from lake.parquet_files import RowSpan, WrittenFile
from lake.readable_lake import Lake
from lake.small_tables import with_values
from lake.storage.folder import Folder
from silver.embedding_rows import MEASURED, NEEDED, NOT_EMBEDDED

FEWEST_ROWS, MOST_ROWS = 32, 2048
"""The fewest and the most photos of a task. What a task costs is that of one photo; with more photos than the
most, too much work is lost with a worker that dies, and the progress that is shown stands too long."""


@dataclass(frozen=True)
class BronzePhotos:
    """Photos of published chunks of bronze: all of them, or those with the ids `only`."""

    chunks: Collection[int]
    only: Collection[str] | None = None


@dataclass(frozen=True)
class Embedded:
    """The photos of a chunk that a model was tried on: `files` with embeddings, and the facts about those
    without one, with the columns `NOT_EMBEDDED`."""

    files: FilePart
    refused: pa.Table


@dataclass(frozen=True)
class Wanted:
    """Which rows of bronze/photos a task embeds: of some chunks, `only` some ids, and none `left_out`."""

    chunks: pa.Array
    left_out: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    only: pa.Array | None = field(default=None)

    def among(self, photos: pa.RecordBatch) -> pa.RecordBatch:
        """Return those rows."""
        wanted = pc.is_in(photos.column("chunk"), self.chunks)
        ids = photos.column("photo_id")
        if len(self.left_out):
            wanted = pc.and_(wanted, pc.invert(pc.is_in(ids, self.left_out)))
        if self.only is not None:
            wanted = pc.and_(wanted, pc.is_in(ids, self.only))
        return photos if pc.all(wanted).as_py() else photos.filter(wanted)

    def read(self, files: Folder, share: Sequence[RowSpan]) -> Iterator[pa.RecordBatch]:
        """Yield those rows of some rows of a lake's files, with the columns that a photo is embedded from."""
        for photos in map(self.among, parquet_files.read(files, share, [*NEEDED, "chunk"])):
            if photos.num_rows:
                yield photos.select(NEEDED)


def embedded(
    lake: Lake,
    photos: BronzePhotos,
    model: WorkerModel,
    *,
    into: WorkerFiles,
    left_out: Sequence[str],
    count: Callable[[int], None],
) -> Embedded:
    """Have workers embed photos, but for those with the ids `left_out`, and write the embeddings.

    Workers decode the pixels once, and call `count` with the number of photos that they have done.
    """
    wanted = Wanted(
        pa.array(photos.chunks, pa.int64()),
        pa.array(left_out, pa.string()),
        None if photos.only is None else pa.array(photos.only, pa.string()),
    )
    embed = partial(_embed, files=lake.files, wanted=wanted, model=model, into=into, count=count)
    rows = spans(lake, photos.chunks, partial(_has_any, lake.files, wanted))
    found = arrow_tasks(lake.spark, shares(rows, slots(lake.spark)), embed)
    files = [file for file, _ in found if file]
    refused = pa.concat_tables([_empty_facts(), *(facts for _, facts in found)])
    part = FilePart(catalog.EMBEDDINGS, files, into.run_id, into.chunk)
    return Embedded(part, refused)


def _empty_facts() -> pa.Table:
    return pa.schema([pa.field(name, pa.string()) for name in NOT_EMBEDDED]).empty_table()


def spans(
    lake: Lake, chunks: Collection[int], are_wanted: Callable[[RowSpan], bool] = lambda _: True
) -> list[RowSpan]:
    """Return the rows of bronze/photos among which those of some chunks are: the groups that are wanted."""

    def of_file(name: str) -> list[RowSpan]:
        return list(filter(are_wanted, parquet_files.spans_of(lake.files, name, chunks=chunks)))

    with ThreadPoolExecutor(parquet_files.FOOTERS_AT_ONCE) as pool:
        return [span for spans in pool.map(of_file, sorted(_names(lake, chunks))) for span in spans]


def _has_any(files: Folder, wanted: Wanted, span: RowSpan) -> bool:
    """Return whether a group may have wanted rows. Where some ids alone are wanted, it is looked into: the
    photos of a group without any of them would be read for nothing."""
    keys = parquet_files.read(files, [span], ["photo_id", "chunk"]) if wanted.only else ()
    return wanted.only is None or any(wanted.among(rows).num_rows for rows in keys)


def _names(lake: Lake, chunks: Collection[int]) -> Iterator[str]:
    """Yield the names of the files that may have rows of some chunks, by the log."""
    dataset = delta_rs_reader.dataset(lake.log(catalog.PHOTOS).table())
    of_chunks = (delta_rs_reader.of_chunks(number, number) for number in chunks)
    for fragment in dataset.get_fragments(reduce(or_, of_chunks)):
        yield f"{catalog.PHOTOS.name}/{fragment.path}"


def shares(spans: Sequence[RowSpan], tasks: int) -> list[list[RowSpan]]:
    """Return the rows of each task. Tasks begin with a large part of what is left and end with few photos, so
    that all cores end together and most photos lie in large files."""
    return list(_shares(spans, tasks))


def _shares(spans: Sequence[RowSpan], tasks: int) -> Iterator[list[RowSpan]]:
    left = sum(span.rows for span in spans)
    share: list[RowSpan] = []
    size, room = 0, _size(left, tasks)
    for span in spans:
        while span.rows:
            taken = RowSpan(
                span.name, span.group, span.first, min(span.end, span.first + room - size)
            )
            share.append(taken)
            size += taken.rows
            span = RowSpan(span.name, span.group, taken.end, span.end)
            if size == room:
                yield share
                left -= size
                share, size, room = [], 0, _size(left, tasks)
    if share:
        yield share


def _size(left: int, tasks: int) -> int:
    return max(FEWEST_ROWS, min(MOST_ROWS, left // (2 * tasks)))


def _embed(
    share: Sequence[RowSpan],
    *,
    files: Folder,
    wanted: Wanted,
    model: WorkerModel,
    into: WorkerFiles,
    count: Callable[[int], None],
) -> tuple[WrittenFile | None, pa.Table]:
    """Embed the photos of a task, and write one file. Returns it with the facts about the refused photos."""
    refused = [_empty_facts()]
    schema = file_schema(catalog.EMBEDDINGS)
    origin = into.origin("embedded_at")

    def embeddings() -> Iterator[pa.RecordBatch]:
        for batch in model.embed_batches(wanted.read(files, share)):
            found = pa.Table.from_batches([batch])
            count(found.num_rows)
            is_refused = pc.is_valid(found["reason"])
            refused.append(found.filter(is_refused).select(NOT_EMBEDDED))
            rows = with_values(found.filter(pc.invert(is_refused)).select(MEASURED), origin)
            yield from rows.select(schema.names).cast(schema).to_batches()

    name = parquet_files.new_name(into.folder)
    return parquet_files.write(into.files, name, embeddings(), schema), pa.concat_tables(refused)


def left_out(files: Folder, part: FilePart, photo_ids: Collection[str]) -> Mapping[str, list[int]]:
    """Return the numbers of the rows of some photos, by the name of their file (`FilePart.left_out`)."""
    gone = pa.array(photo_ids, pa.string())
    found = {}
    for file in part.files:
        rows = parquet_files.read(files, parquet_files.spans_of(files, file.name), ["photo_id"])
        ids = pa.Table.from_batches(rows, pa.schema([("photo_id", pa.string())]))["photo_id"]
        numbers = np.flatnonzero(pc.is_in(ids, gone).to_numpy(zero_copy_only=False))
        if len(numbers):
            found[file.name] = numbers.tolist()
    return found
