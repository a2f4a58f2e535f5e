"""Tables read without Spark: what a notebook, a page or an auditor gets in a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from conf.errors import BadInput
from lake.catalog import Table


def rows(
    root: str,
    table: Table,
    *,
    columns: Sequence[str] | Mapping[str, pc.Expression] | None = None,
    where: pc.Expression | None = None,
) -> list[dict[str, Any]]:
    """The rows of a table of the lake under `root`, as it is now. Raises BadInput where there is none."""
    # Imported here: those who read with Spark don't need it.
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        held = DeltaTable(f"{root}/{table.name}").to_pyarrow_dataset()
    except TableNotFoundError:
        raise BadInput(f"There is no lake in {root}; name the folder of one.") from None
    wanted = columns if columns is None or isinstance(columns, Mapping) else list(columns)
    found: list[dict[str, Any]] = held.to_table(columns=wanted, filter=where).to_pylist()
    return found
