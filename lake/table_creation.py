"""The making of tables, and what a small table of an earlier lake needs before delta-rs can commit to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from delta import DeltaTable

from conf.settings import DeltaSettings
from lake import catalog, small_tables
from lake.catalog import Table
from lake.delta_log import IN_COMMIT_TIMESTAMP, has_commit
from lake.enums import UPGRADE
from lake.idempotent_commits import NumberedCommits
from lake.readable_lake import Lake

if TYPE_CHECKING:
    from pyspark.sql.types import StructField


def make_all(lake: Lake, commits: NumberedCommits, delta: DeltaSettings) -> None:
    """Makes the tables that a lake lacks, and lets delta-rs commit to its small ones. Raises Busy."""
    for table in catalog.TABLES:
        if not has_commit(lake.files, table.name):
            _make(lake, table, delta)
        elif _is_left_to_spark(lake, table):
            _drop_commit_timestamps(lake, commits, table)


def lacking_tables(lake: Lake) -> list[Table]:
    """Return the tables that a lake of earlier code lacks."""
    return [table for table in catalog.TABLES if not has_commit(lake.files, table.name)]


def left_to_spark(lake: Lake) -> list[Table]:
    """Return the small tables that are there and to which delta-rs can't commit."""
    known = (table for table in catalog.TABLES if has_commit(lake.files, table.name))
    return [table for table in known if _is_left_to_spark(lake, table)]


def _is_left_to_spark(lake: Lake, table: Table) -> bool:
    return table.is_small and lake.log(table).has_commit_timestamps()


def _make(lake: Lake, table: Table, delta: DeltaSettings) -> None:
    properties = catalog.properties(table, delta)
    if table.is_small:
        small_tables.create(lake.files.root, table, properties)
        return
    builder = DeltaTable.createIfNotExists(lake.spark).location(lake.files.uri(table.name))
    builder = builder.addColumns(table.schema).comment(table.grain)
    for name, value in properties.items():
        builder = builder.property(name, value)
    if table.partition_by:
        builder = builder.partitionedBy(*table.partition_by)
    builder.execute()


def add_columns(lake: Lake, commits: NumberedCommits, table: Table) -> None:
    """Adds the columns that a table of earlier code lacks; its rows have null in them. A small table gets
    them with its next rows, too. Raises Busy."""
    lacking = lacking_columns(lake, table)
    if not lacking:
        return
    if table.is_small:
        add = partial(small_tables.add_columns, fields=lacking)
        commits.commit_small(table, add, number=None, layer=UPGRADE)
        return
    place = lake.files.uri(table.name).replace("`", "``")
    columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in lacking)
    with commits.transaction(table, None, layer=UPGRADE):
        lake.spark.sql(f"alter table delta.`{place}` add columns ({columns})")


def lacking_columns(lake: Lake, table: Table) -> list[StructField]:
    """Return the columns of a table that the lake's own, made by earlier code, lacks."""
    known = {field.name for field in lake.log(table).table().schema().fields}
    return [field for field in table.schema if field.name not in known]


def _drop_commit_timestamps(lake: Lake, commits: NumberedCommits, table: Table) -> None:
    """Drops the feature from a small table that earlier code made, or that was restored to such a version."""
    place = lake.files.uri(table.name).replace("`", "``")
    with commits.transaction(table, None, layer=UPGRADE):
        lake.spark.sql(f"alter table delta.`{place}` drop feature {IN_COMMIT_TIMESTAMP}")
