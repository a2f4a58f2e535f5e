"""Reading of tables without Spark, in about a second, for a notebook, a page or an auditor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
from pyarrow.dataset import Dataset

from conf.errors import BadInput
from lake import arrow_reads, parquet_files
from lake.arrow_scan import Scan
from lake.catalog import Table
from lake.storage.addresses import bucket_and_prefix, is_s3
from lake.storage.connectors import arrow_files, delta_rs_options

NOT_PLAIN = frozenset("%[]\\^|`").union(map(chr, range(32)), "\x7f")
"""Characters in a path with which delta-rs 1.6 fails, because it makes a URL of the path; and the backtick,
with which Delta fails, because it makes SQL of it."""


ROWS_AT_ONCE = 1 << 18
"""The rows that `batches` lets Arrow read ahead, about: Arrow itself would read on for a slow caller until a
gigabyte waits."""


def delta_table(root: str, table: Table, *, version: int | None = None) -> Any:
    """Return the `deltalake.DeltaTable` of a table, now or at a version. Raises BadInput where there is no
    lake, or the log of the version is gone."""
    return open_table(root, table.name, version=version)


def open_table(root: str, name: str, *, version: int | None = None) -> Any:
    """Return the `deltalake.DeltaTable` in a folder under the root of a lake, as `delta_table` does."""
    # The import stands here because a command that needs no lake doesn't need it.
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    try:
        return DeltaTable(f"{root}/{name}", version=version, storage_options=delta_rs_options(root))
    except DeltaError as error:
        if version is not None:
            open_table(root, name)  # where there is no lake, this says so
            raise BadInput(
                f"Version {version} of {name} can't be read any more: its log is past the retention."
            ) from error
        if isinstance(error, TableNotFoundError):
            raise BadInput(f"There is no lake in {root}; name the folder of one.") from None
        raise


def check_address(root: str) -> None:
    """Raises BadInput for the root of a lake that tables can't be opened under, or a whole bucket.

    Of a folder behind a link the path counts to which it leads.
    """
    if is_s3(root):
        bucket_and_prefix(root)
        return
    for path in (root, os.path.realpath(root)):
        if found := NOT_PLAIN.intersection(path):
            named = " ".join(repr(each)[1:-1] for each in sorted(found))
            raise BadInput(
                f"The path {path if path.isprintable() else repr(path)} has {named} in it, and tables can't "
                f"be opened there; name a lake in another folder (a lake may be moved as a whole)."
            )


def rows(
    root: str,
    table: Table,
    *,
    columns: Sequence[str] | Mapping[str, pc.Expression] | None = None,
    where: pc.Expression | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of a table as it is now, each as a dictionary.

    `root` is the root of the lake, a folder or `s3://bucket/prefix`. `columns` are names, or expressions by
    the names of their results; all columns by default. A column that a table of earlier code lacks is null.
    Raises BadInput where there is no lake.
    """
    found: list[dict[str, Any]] = read(
        delta_table(root, table), columns=columns, where=where, of=table
    ).to_pylist()
    return found


def read(
    table: Any,
    *,
    columns: Sequence[str] | Mapping[str, pc.Expression] | None = None,
    where: pc.Expression | None = None,
    of: Table | None = None,
) -> pa.Table:
    """Return rows of delta-rs' table in the version that it knows, as `rows` does. `of` as in `dataset`."""
    found = dataset(table)
    selected = columns if columns is None or isinstance(columns, Mapping) else list(columns)
    lacking = _lacking(found, of, selected)
    if isinstance(selected, list):
        selected = [name for name in selected if name not in lacking]
    if where is None:
        rows = arrow_reads.table(found, columns=selected)
    else:
        # Arrow can't filter the files that a MERGE of delta-rs wrote: their strings are views of strings.
        rows = arrow_reads.table(found).filter(where)
        if selected is not None:
            rows = arrow_reads.table(pyarrow.dataset.dataset(rows), columns=selected)
    for name in lacking:
        rows = rows.append_column(name, pa.nulls(rows.num_rows))
    return rows


def _lacking(
    found: Dataset, of: Table | None, selected: list[str] | Mapping[str, pc.Expression] | None
) -> list[str]:
    """Return the names of columns that are wanted of a table of earlier code, and that it lacks."""
    if of is None or isinstance(selected, Mapping):
        return []
    known = {*found.schema.names}
    wanted = of.column_names if selected is None else selected
    return [name for name in wanted if name in of.column_names and name not in known]


def dataset(table: Any, *, of: Table | None = None) -> Dataset:
    """Return the rows of delta-rs' table, in the version that it knows, as a dataset of Arrow.

    With the table's entry in the catalogue (`of`), the columns that a table of earlier code lacks are null.
    """
    files = arrow_files(table.table_uri)
    found = table.to_pyarrow_dataset(
        filesystem=files, parquet_read_options=parquet_files.READ_OPTIONS
    )
    lacking = _lacking(found, of, None)
    if not lacking:
        return found
    return found.replace_schema(
        pa.schema([*found.schema, *(pa.field(name, pa.null()) for name in lacking)])
    )


def batches(
    table: Any,
    *,
    columns: Sequence[str],
    where: pc.Expression | None = None,
    of: Table | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield columns of the rows of delta-rs' table in the version that it knows, in batches, so that a column
    of all photos is never in memory at once. `of` as in `dataset`."""
    found = dataset(table, of=of)
    for some in _some_files(table, found, where):
        yield from arrow_reads.batches(
            some, columns=list(columns), filter=where, batch_size=ROWS_AT_ONCE
        )


def _some_files(table: Any, found: Dataset, where: pc.Expression | None) -> Iterator[Dataset]:
    """Yield the files of a dataset in which a condition may hold, some at a time: of about ROWS_AT_ONCE rows
    by the log, or a single one."""
    files = pa.table(table.get_add_actions()).select(["path", "num_records"]).to_pydict()
    rows_of = dict(zip(files["path"], files["num_records"], strict=True))
    some: list[Any] = []
    held = 0
    for fragment in found.get_fragments(where):
        rows = rows_of.get(fragment.path)
        rows = ROWS_AT_ONCE if rows is None else rows
        if some and held + rows > ROWS_AT_ONCE:
            yield _dataset_of(some, found)
            some, held = [], 0
        some.append(fragment)
        held += rows
    if some:
        yield _dataset_of(some, found)


def _dataset_of(files: list[Any], found: Dataset) -> Dataset:
    return pyarrow.dataset.FileSystemDataset(
        files, found.schema, found.format, found.filesystem, found.partition_expression
    )


def small_batches(
    table: Any, *, columns: Sequence[str], where: pc.Expression | None = None, rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield columns of the rows of delta-rs' table in batches of at most `rows` rows, without more of a file
    in memory than its pages. The columns must be in the files, and `where` may name only these.

    A scan of Arrow reads whole groups of rows: of photos, a hundred megabytes and more.
    """
    found = dataset(table)
    schema = pa.schema([found.schema.field(name) for name in columns])

    def small(path: str) -> Iterator[pa.RecordBatch]:
        file = pyarrow.parquet.ParquetFile(
            path,
            filesystem=found.filesystem,
            buffer_size=parquet_files.BUFFER,
            pre_buffer=False,  # or the whole column of a file is read at once
            coerce_int96_timestamp_unit="us",
        )
        with file:
            yield from file.iter_batches(batch_size=rows, columns=list(columns))

    for fragment in found.get_fragments():
        for batch in arrow_reads.resumed(partial(small, fragment.path)):
            selected = batch.select(list(columns)).cast(schema)
            yield selected if where is None else selected.filter(where)


def of_chunks(first: int, last: int) -> pc.Expression:
    """Return the condition that a row is of the chunks from one number to another (inclusive)."""
    return (pc.field("chunk") >= first) & (pc.field("chunk") <= last)


def scan(table: Any, *, chunks: tuple[int, int] | None = None, of: Table | None = None) -> Scan:
    """Return how Arrow reads the rows of delta-rs' table, in the version that it knows when they are read: of
    all chunks, or of the chunks from one number to another (inclusive). `of` as in `dataset`."""
    where = None if chunks is None else of_chunks(*chunks)
    return Scan(lambda: dataset(table, of=of), lambda: most_rows(table, chunks=chunks), where)


def most_rows(table: Any, *, chunks: tuple[int, int] | None = None) -> int | None:
    """Return how many rows of delta-rs' table a scan reads, by the log alone; None where the log doesn't say.

    With `chunks`, the files don't count that hold no row of the chunks from one number to another.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    if chunks is not None and {"min.chunk", "max.chunk"} <= set(files.column_names):
        first, last = chunks
        is_apart = pc.or_(pc.greater(files["min.chunk"], last), pc.less(files["max.chunk"], first))
        files = files.filter(pc.invert(pc.fill_null(is_apart, False)))
    rows = files["num_records"]
    return None if rows.null_count else pc.sum(rows, min_count=0).as_py()


def counts(
    root: str, table: Table, *by: str, where: pc.Expression | None = None
) -> dict[tuple[Any, ...], int]:
    """Return the number of rows of a table as it is now, for each combination of values in the columns `by`.

    Raises BadInput where there is no lake.
    """
    total: dict[tuple[Any, ...], int] = {}
    for batch in batches(delta_table(root, table), columns=by, where=where):
        counted = pa.Table.from_batches([batch]).group_by(list(by)).aggregate([([], "count_all")])
        for *values, count in zip(*(column.to_pylist() for column in counted), strict=True):
            total[tuple(values)] = total.get(tuple(values), 0) + count
    return total


def count(root: str, table: Table) -> int:
    """Return the number of rows of a table as it is now, from its files' footers.

    Raises BadInput where there is no lake.
    """
    return int(arrow_reads.asked_again(dataset(delta_table(root, table)).count_rows))
