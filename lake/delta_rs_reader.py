"""Reading of tables without Spark, in about a second, for a notebook, a page or an auditor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput
from lake.catalog import Table
from lake.storage.connectors import delta_rs_options


def delta_table(root: str, table: Table, *, version: int | None = None) -> Any:
    """Return the `deltalake.DeltaTable` of a table, now or at a version. Raises BadInput where there is no
    lake."""
    # The import stands here because runs that read with Spark don't need it.
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return DeltaTable(
            f"{root}/{table.name}", version=version, storage_options=delta_rs_options(root)
        )
    except TableNotFoundError:
        raise BadInput(f"There is no lake in {root}; name the folder of one.") from None


def rows(
    root: str,
    table: Table,
    *,
    columns: Sequence[str] | Mapping[str, pc.Expression] | None = None,
    where: pc.Expression | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of a table as it is now, each as a dictionary.

    `root` is the root of the lake, a folder or `s3://bucket/prefix`. `columns` are names, or expressions by
    the names of their results; all columns by default. Raises BadInput where there is no lake.
    """
    dataset = delta_table(root, table).to_pyarrow_dataset()
    selected = columns if columns is None or isinstance(columns, Mapping) else list(columns)
    found: list[dict[str, Any]] = dataset.to_table(columns=selected, filter=where).to_pylist()
    return found


def counts(
    root: str, table: Table, *by: str, where: pc.Expression | None = None
) -> dict[tuple[Any, ...], int]:
    """Return the number of rows of a table as it is now, for each combination of values in the columns `by`.

    Raises BadInput where there is no lake.
    """
    dataset = delta_table(root, table).to_pyarrow_dataset()
    batches = dataset.scanner(columns=list(by), filter=where).to_reader()
    total: dict[tuple[Any, ...], int] = {}
    # The rows are counted batch by batch, so that a column of all photos is never in memory at once.
    for batch in batches:
        counted = pa.Table.from_batches([batch]).group_by(list(by)).aggregate([([], "count_all")])
        for *values, count in zip(*(column.to_pylist() for column in counted), strict=True):
            total[tuple(values)] = total.get(tuple(values), 0) + count
    return total


def count(root: str, table: Table) -> int:
    """Return the number of rows of a table as it is now, from its files' footers.

    Raises BadInput where there is no lake.
    """
    return int(delta_table(root, table).to_pyarrow_dataset().count_rows())
