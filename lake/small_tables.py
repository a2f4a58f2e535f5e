"""What delta-rs does to the small tables: make one, append, put rows in place of others, join files.

`known` is delta-rs' table at the version that the commit is to follow; `properties` carry the number and the
metadata of the commit (`lake.idempotent_commits`). Each takes milliseconds and no Spark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema

from lake import delta_rs_reader
from lake.catalog import Table
from lake.storage.connectors import delta_rs_options

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

GROUP_ROWS = 8_192
"""The rows of a row group of a table that is sorted, so that few of its bytes are read for a few rows."""

Rows = Sequence[Mapping[str, Any]]
Change = Callable[[pa.Table], pa.Table]


def arrow_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows with the columns of a table, as Arrow. What a row lacks is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], to_arrow_schema(table.schema))


def create(root: str, table: Table, properties: Mapping[str, str]) -> None:
    """Makes a table under a root where there is none."""
    from deltalake import DeltaTable

    DeltaTable.create(
        f"{root}/{table.name}",
        to_arrow_schema(table.schema),
        mode="ignore",
        description=table.grain,
        configuration=dict(properties),
        storage_options=delta_rs_options(root),
    )


def append(known: DeltaTable, properties: CommitProperties, *, table: Table, rows: Rows) -> None:
    """Appends rows. A table of a lake that was made by earlier code gets the columns that it lacks."""
    from deltalake import write_deltalake

    write_deltalake(
        known,
        arrow_rows(table, rows),
        mode="append",
        schema_mode="merge",
        commit_properties=properties,
    )


def add_columns(known: DeltaTable, properties: CommitProperties, *, fields: Sequence[Any]) -> None:
    """Adds columns, of Spark's fields. The rows that are there have null in them."""
    from deltalake import Schema
    from pyspark.sql.types import StructType

    new = Schema.from_arrow(to_arrow_schema(StructType(list(fields))))
    known.alter.add_columns(new.fields, commit_properties=properties)


def put(
    known: DeltaTable,
    properties: CommitProperties,
    *,
    table: Table,
    rows: Rows,
    keys: Sequence[str],
) -> None:
    """Puts rows in the place of those with the same keys, and adds those that are new."""
    merger = known.merge(
        arrow_rows(table, rows),
        " and ".join(f"held.{key} = new.{key}" for key in keys),
        source_alias="new",
        target_alias="held",
        merge_schema=True,
        commit_properties=properties,
    )
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def with_column(rows: pa.Table, name: str, values: Iterable[Any] | pa.ChunkedArray) -> pa.Table:
    """Rows with other values in a column, of the same type."""
    place, field = rows.schema.get_field_index(name), rows.schema.field(name)
    is_arrow = isinstance(values, pa.ChunkedArray)
    return rows.set_column(place, field, values if is_arrow else pa.array(values, field.type))


def with_values(rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """Rows with further columns, each of one value."""
    for name, value in values.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))
    return rows


def changed(known: DeltaTable, change: Change) -> pa.Table | None:
    """What a function makes of all rows of a table; None where that is no other rows."""
    rows = delta_rs_reader.read(known)
    made = change(rows)
    return None if made.equals(rows) else made


def overwrite(
    known: DeltaTable, properties: CommitProperties, *, table: Table, rows: pa.Table, version: int
) -> None:
    """Puts rows in the place of those that the table had at a version. Raises CommitFailedError where it is
    at another one by now."""
    from deltalake import write_deltalake
    from deltalake.exceptions import CommitFailedError

    if known.version() != version:
        raise CommitFailedError(f"{table.name} is no longer at version {version}")
    fields = to_arrow_schema(table.schema)
    write_deltalake(
        known,
        rows.cast(pa.schema([fields.field(name) for name in rows.schema.names])),
        mode="overwrite",
        schema_mode="merge",
        commit_properties=properties,
    )


def replace_all(
    known: DeltaTable,
    properties: CommitProperties,
    *,
    table: Table,
    rows: Iterable[pa.Table],
) -> None:
    """Puts rows, which come in parts and are never in memory as a whole, in the place of all that a table
    had. A file's row groups have GROUP_ROWS rows each."""
    from deltalake import ColumnProperties, WriterProperties, write_deltalake

    schema = to_arrow_schema(table.schema)
    parts = (part.select(schema.names).cast(schema) for part in rows)
    write_deltalake(
        known,
        # delta-rs may write batches out of their order: each is a row group, so none has rows of two places.
        pa.RecordBatchReader.from_batches(schema, _even_batches(parts, rows=GROUP_ROWS)),
        mode="overwrite",
        commit_properties=properties,
        writer_properties=WriterProperties(
            max_row_group_size=GROUP_ROWS,
            compression="SNAPPY",
            # No two keys are alike, so a dictionary of them would be another copy.
            column_properties={"key": ColumnProperties(dictionary_enabled=False)},
        ),
    )


def _even_batches(parts: Iterable[pa.Table], *, rows: int) -> Iterator[pa.RecordBatch]:
    """Yields the rows of tables in their order, so many `rows` in each batch but the last."""
    rest: list[pa.Table] = []
    for part in parts:
        joined = pa.concat_tables([*rest, part]).combine_chunks()
        whole = joined.num_rows - joined.num_rows % rows
        yield from joined.slice(0, whole).to_batches(max_chunksize=rows)
        rest = [joined.slice(whole)]
    for part in rest:
        yield from part.to_batches()


def take_over(known: DeltaTable, properties: CommitProperties) -> None:
    """Commits no row, so that the table is at another version and has the number of the properties."""
    known.create_write_transaction(
        [], mode="append", schema=known.schema(), commit_properties=properties
    )


def compact(known: DeltaTable, properties: CommitProperties) -> None:
    """Joins small files to larger ones."""
    known.optimize.compact(commit_properties=properties)
