"""The merges by which rows of a large table are replaced, changed, removed or ended in one commit, and the
columns that rows have before they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from delta import DeltaTable
from delta.tables import DeltaMergeBuilder
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lake.catalog import Table

LEAVES = "leaves"
"""The column of a merge's rows that says whether the held row with the same keys goes."""


def conform(
    frame: DataFrame, table: Table, origin: Mapping[str, Any], *, keep_origin: bool
) -> DataFrame:
    """Return a frame with a table's columns in their order. `origin` are values of further columns; with
    `keep_origin`, a row that has one keeps it. A frame that lacks a column fails here."""
    values = {name: F.lit(value) for name, value in origin.items()}
    if keep_origin:
        values = {name: F.coalesce(name, value) for name, value in values.items()}
    frame = frame.withColumns(values)
    return frame.select(
        *(F.col(column.name).cast(column.dataType) for column in table.schema.fields)
    )


def upsert(
    target: DeltaTable, rows: DataFrame, leaving: DataFrame | None, *, keys: Sequence[str]
) -> DeltaMergeBuilder:
    """Return the merge that puts rows in the place of those with the same keys, and adds those that are new.

    The rows with the keys of `leaving` go. No key is in both frames.
    """
    columns: dict[str, str | Column] = {name: f"new.{name}" for name in rows.columns}
    rows = rows.withColumn(LEAVES, F.lit(False))
    if leaving is not None:
        gone = leaving.select(*keys).withColumn(LEAVES, F.lit(True))
        rows = rows.unionByName(gone, allowMissingColumns=True)
    condition = " and ".join(f"held.{key} = new.{key}" for key in keys)
    merge = target.alias("held").merge(rows.alias("new"), condition)
    if leaving is not None:
        merge = merge.whenMatchedDelete(f"new.{LEAVES}")
    return merge.whenMatchedUpdate(set=columns).whenNotMatchedInsert(
        f"not new.{LEAVES}", values=columns
    )


def supersede(
    target: DeltaTable,
    rows: DataFrame,
    ended: DataFrame,
    *,
    keys: Sequence[str],
    ended_at: str,
) -> DeltaMergeBuilder:
    """Return the merge that ends the open rows with the keys of `ended`, and adds rows.

    A row is open while its time `ended_at` is null.
    """
    names = {key: f"ended_{key}" for key in keys}
    columns: dict[str, str | Column] = {name: f"new.{name}" for name in rows.columns}
    ended = ended.select(*(F.col(key).alias(name) for key, name in names.items()))
    source = rows.unionByName(ended, allowMissingColumns=True)
    same = " and ".join(f"held.{key} = new.{name}" for key, name in names.items())
    return (
        target.alias("held")
        .merge(source.alias("new"), f"{same} and held.{ended_at} is null")
        .whenMatchedUpdate(set={ended_at: "current_timestamp()"})
        .whenNotMatchedInsert(f"new.{names[keys[0]]} is null", values=columns)
    )


def amend(target: DeltaTable, rows: DataFrame, *, on: str, within: str) -> DeltaMergeBuilder:
    """Return the merge that gives the held rows with the keys `on` of a frame the values of its others.

    `within` is a condition about `held`.
    """
    changed: dict[str, str | Column] = {name: f"new.{name}" for name in rows.columns if name != on}
    condition = f"{within} and held.{on} = new.{on}"
    return target.alias("held").merge(rows.alias("new"), condition).whenMatchedUpdate(set=changed)


def remove(
    target: DeltaTable, keys: DataFrame, *, on: Sequence[str], within: str
) -> DeltaMergeBuilder:
    """Return the merge that deletes the held rows with the keys of a frame. `within` as in `amend`."""
    condition = " and ".join([within, *(f"held.{key} = gone.{key}" for key in on)])
    gone = keys.select(*on).distinct().alias("gone")
    return target.alias("held").merge(gone, condition).whenMatchedDelete()
