"""The versions of a table, as its log and its files tell them: no Spark, no lease, and nothing is believed
that is not there to be read.

A version is a set of files, and a file never changes. So each file is read once, for its key columns, and
what a version held follows from its files. A file that is gone takes its part of every version with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from lake import delta_rs_reader
from lake.catalog import Table
from lake.storage.folder import Folder

LOG = "_delta_log"
TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Commit:
    """One version of a table: when it was made (UTC), by what, and in the name of which run."""

    version: int
    at: datetime
    operation: str
    written_by: Mapping[str, Any]


@dataclass(frozen=True)
class DataFile:
    """A file of a table, by its path under the table's folder. `partition` has the columns that it lacks."""

    path: str
    partition: Mapping[str, str]


@dataclass
class History:
    """The versions of one table that its log still tells of, oldest first.

    `keep` says of a file's key columns (`columns`, where the table has them) which rows are looked for.
    """

    files: Folder
    table: Table
    columns: Sequence[str]
    keep: Callable[[pa.Table], pa.Table]
    _rows: dict[str, list[dict[str, Any]] | None] = field(default_factory=dict)

    @cached_property
    def commits(self) -> list[Commit]:
        """Those whose entry is there; older ones went with the retention of the log."""
        return [commit for commit, _, _ in self._entries]

    @property
    def begins_with_the_table(self) -> bool:
        """Whether the log tells of the table's first version."""
        return bool(self.commits) and self.commits[0].version == 0

    def version_at(self, time: datetime) -> int | None:
        """The version that readers saw at a time; None where the log tells of none that old."""
        before = [commit.version for commit in self.commits if commit.at <= time]
        return before[-1] if before else None

    @cached_property
    def versions(self) -> Mapping[int, Sequence[DataFile]]:
        """The files of each version, by path."""
        found: dict[int, Sequence[DataFile]] = {}
        held: dict[str, DataFile] = {}
        for commit, added, removed in self._entries:
            if not found and commit.version > 0:
                held = self._files_of(commit.version)
            else:
                for path in removed:
                    held.pop(path, None)
                held |= {each.path: each for each in added}
            found[commit.version] = [held[path] for path in sorted(held)]
        return found

    def rows(self, version: int) -> list[dict[str, Any]]:
        """The rows that are looked for, of the files of a version that are still there."""
        return [row for each in self.versions[version] for row in self._read(each) or ()]

    def missing(self, version: int) -> int:
        """How many files of a version are gone."""
        return sum(self._read(each) is None for each in self.versions[version])

    def _read(self, data: DataFile) -> list[dict[str, Any]] | None:
        """The rows of one file that are looked for; None where it is gone."""
        if data.path not in self._rows:
            try:
                name = f"{self.table.name}/{data.path}"
                with self.files.open(name) as raw, pq.ParquetFile(raw) as file:
                    wanted = [name for name in self.columns if name in file.schema_arrow.names]
                    held = self.keep(_with(_in_utc(file.read(columns=wanted)), data.partition))
                self._rows[data.path] = held.to_pylist()
            except FileNotFoundError:
                self._rows[data.path] = None
        return self._rows[data.path]

    def _files_of(self, version: int) -> dict[str, DataFile]:
        """The files of the oldest version that the log tells of, from its checkpoint."""
        held = delta_rs_reader.delta_table(self.files.root, self.table, version=version)
        actions = held.get_add_actions()
        found = (_data_file(row) for row in pa.table(actions).to_pylist())
        return {each.path: each for each in found}

    @cached_property
    def _entries(self) -> list[tuple[Commit, list[DataFile], list[str]]]:
        names = sorted(self.files.names(f"{self.table.name}/{LOG}", suffix=".json"))
        read = (self._entry(name) for name in names if name[:-5].isdecimal())
        return [entry for entry in read if entry is not None]

    def _entry(self, name: str) -> tuple[Commit, list[DataFile], list[str]] | None:
        """A commit, the files that it added, and the paths of those that it removed; None where it went
        meanwhile."""
        content = self.files.read(f"{self.table.name}/{LOG}/{name}")
        if content is None:
            return None
        actions = [json.loads(line) for line in content.splitlines()]
        info: Mapping[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        milliseconds = info.get("inCommitTimestamp") or info.get("timestamp") or 0
        commit = Commit(
            version=int(name[:-5]),
            at=datetime.fromtimestamp(milliseconds / 1000, UTC),
            operation=info.get("operation", "unknown"),
            written_by=json.loads(info.get("userMetadata") or "{}"),
        )
        added = [_data_file(action["add"]) for action in actions if "add" in action]
        removed = [unquote(action["remove"]["path"]) for action in actions if "remove" in action]
        return commit, added, removed


def _data_file(action: Mapping[str, Any]) -> DataFile:
    """From an `add` of the log (`partitionValues`), or from delta-rs (`partition`)."""
    values = action.get("partitionValues") or action.get("partition") or {}
    return DataFile(unquote(action["path"]), dict(values))


def _in_utc(rows: pa.Table) -> pa.Table:
    """Spark writes times as Parquet's INT96, which names no zone."""
    fields = [
        pa.field(each.name, TIME) if pa.types.is_timestamp(each.type) else each
        for each in rows.schema
    ]
    return rows.cast(pa.schema(fields), safe=False)


def _with(rows: pa.Table, partition: Mapping[str, str]) -> pa.Table:
    for name, value in partition.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return rows


def spans(held: Mapping[int, frozenset[str]]) -> Iterator[tuple[str, int, int | None]]:
    """From what each version held: (what, its first version, its last or None where it is there still)."""
    order = sorted(held)
    began: dict[str, int] = {}
    for place, version in enumerate(order):
        for what in sorted(began.keys() - held[version]):
            yield what, began.pop(what), order[place - 1]
        began |= {what: version for what in held[version] if what not in began}
    yield from ((what, first, None) for what, first in sorted(began.items()))
