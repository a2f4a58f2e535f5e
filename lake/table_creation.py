"""The making of tables, and what a small table of an earlier lake needs before delta-rs can commit to it."""

from __future__ import annotations

from delta import DeltaTable

from conf.settings import DeltaSettings
from lake import catalog, small_tables
from lake.catalog import Table
from lake.delta_log import IN_COMMIT_TIMESTAMP, has_commit
from lake.idempotent_commits import NumberedCommits
from lake.readable_lake import Lake


def make_all(lake: Lake, commits: NumberedCommits, delta: DeltaSettings) -> None:
    """Makes the tables that a lake lacks, and lets delta-rs commit to its small ones. Raises Busy."""
    for table in catalog.TABLES:
        if not has_commit(lake.files, table.name):
            _make(lake, table, delta)
        elif table.is_small and lake.log(table).has_commit_timestamps():
            _drop_commit_timestamps(lake, commits, table)


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
    """Adds the columns that a large table of earlier code lacks; its rows have null in them. A small table
    gets them with its next rows. Raises Busy."""
    known = {field.name for field in lake.log(table).table().schema().fields}
    lacking = [field for field in table.schema if field.name not in known]
    if not lacking:
        return
    place = lake.files.uri(table.name).replace("`", "``")
    columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in lacking)
    with commits.transaction(table, None, layer="upgrade"):
        lake.spark.sql(f"alter table delta.`{place}` add columns ({columns})")


def _drop_commit_timestamps(lake: Lake, commits: NumberedCommits, table: Table) -> None:
    """Drops the feature from a small table that earlier code made, or that was restored to such a version."""
    place = lake.files.uri(table.name).replace("`", "``")
    with commits.transaction(table, None, layer="upgrade"):
        lake.spark.sql(f"alter table delta.`{place}` drop feature {IN_COMMIT_TIMESTAMP}")
