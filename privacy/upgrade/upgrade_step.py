"""A step of an upgrade, which takes a lake from one format to the next, and the changes that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lake import table_creation
from lake.catalog import Table
from lake.delta_log import has_commit
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class Change:
    """One change of a lake that is outstanding: what is changed, and what changes it.

    `name` is that of its fault point, and `says` one sentence for people. `bytes` is about how much of the
    table is read and written anew. Until a later change, readers and runs find tables that agree.
    """

    name: str
    says: str
    make: Callable[[WritableLake], None]
    bytes: int = 0


@dataclass(frozen=True)
class UpgradeStep:
    """What a lake of the format `of` lacks of the next format.

    `changes` yields what is outstanding in a lake, which is nothing once it was made: so a step that died is
    taken again. `record` has the values that lake.json gets with the number of the next format, unless it has
    them, and `records` says so for people.
    """

    of: int
    changes: Callable[[Lake], Iterator[Change]]
    records: str
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def to(self) -> int:
        """The format to which the step takes a lake."""
        return self.of + 1


def new_columns(lake: Lake, table: Table) -> Iterator[Change]:
    """Yield the change that gives a table the columns that it lacks, if any: a commit without a file. The
    next writer makes a table that is not there yet with all of them."""
    if not has_commit(lake.files, table.name):
        return
    if lacking := [column.name for column in table_creation.lacking_columns(lake, table)]:
        columns = "the column" if len(lacking) == 1 else f"{len(lacking):,} columns:"
        says = f"{table.name} gets {columns} {', '.join(lacking)}; rows that are there have null."
        yield Change(f"{table.name} has its columns", says, partial(_add_columns, table=table))


def _add_columns(lake: WritableLake, table: Table) -> None:
    lake.add_columns(table)
