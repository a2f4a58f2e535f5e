"""Tables read without Spark: what a notebook, a page or an auditor gets in a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput
from lake.catalog import Table
from lake.storage.connectors import delta_rs_options


def delta_table(root: str, table: Table, *, version: int | None = None) -> Any:
    """A table as delta-rs knows it, for what isn't read by rows. Raises BadInput where there is none."""
    # Imported here: those who read with Spark don't need it.
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
    """The rows of a table of the lake under `root`, a folder or `s3://bucket/prefix`, as it is now.

    Raises BadInput where there is none.
    """
    held = delta_table(root, table).to_pyarrow_dataset()
    wanted = columns if columns is None or isinstance(columns, Mapping) else list(columns)
    found: list[dict[str, Any]] = held.to_table(columns=wanted, filter=where).to_pylist()
    return found


def counts(
    root: str, table: Table, *by: str, where: pc.Expression | None = None
) -> dict[tuple[Any, ...], int]:
    """Rows by the values of columns, as they are now. Raises BadInput where there is no lake."""
    held = delta_table(root, table).to_pyarrow_dataset()
    batches = held.scanner(columns=list(by), filter=where).to_reader()
    total: dict[tuple[Any, ...], int] = {}
    # Batch by batch: a column of all photos need not be in memory at once.
    for batch in batches:
        counted = pa.Table.from_batches([batch]).group_by(list(by)).aggregate([([], "count_all")])
        for *values, count in zip(*(column.to_pylist() for column in counted), strict=True):
            total[tuple(values)] = total.get(tuple(values), 0) + count
    return total


def count(root: str, table: Table) -> int:
    """The rows of a table as it is now; its files' footers tell. Raises as `counts`."""
    return int(delta_table(root, table).to_pyarrow_dataset().count_rows())
