"""The history of a table: its versions, read from its log and its files without Spark and without a lease.

A version is a set of files, and a file never changes. So each file is read once, for its key columns, and
what a version held follows from its files. Where a file is gone, that part of every version is unknown.

The files of a version follow from the entries of the log without a gap, from the table's first entry on or
from a checkpoint. Behind a gap nobody knows them until the next checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, BinaryIO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from conf.errors import BadInput
from lake import delta_log, delta_rs_reader
from lake.catalog import Table
from lake.storage.folder import Folder
from lake.storage.s3_requests import StorageFailed

TIME = pa.timestamp("us", "UTC")

CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.")
"""The beginning of the file name of a checkpoint, or of a part of one. It has the version."""


@dataclass(frozen=True)
class Commit:
    """One version of a table: when it was made (UTC), and by which operation of Delta.

    `written_by` is the metadata that the writer added, such as `run_id` and `chunk`.
    """

    version: int
    at: datetime
    operation: str
    written_by: Mapping[str, Any]


@dataclass(frozen=True)
class DataFile:
    """A file of a table, by its path under the table's folder.

    `partition` has the values of the partition columns, which the file itself lacks.
    """

    path: str
    partition: Mapping[str, str]


@dataclass
class History:
    """The versions of one table of which its log still has an entry, oldest first.

    Only the `columns` that the table has are read. `keep` filters the rows of a file by them, and returns
    those that are searched for.
    """

    files: Folder
    table: Table
    columns: Sequence[str]
    keep: Callable[[pa.Table], pa.Table]
    _rows: dict[str, list[dict[str, Any]] | None] = field(default_factory=dict)

    @cached_property
    def commits(self) -> Mapping[int, Commit]:
        """The commits whose entry is there, by their versions. The retention of the log has removed older
        entries."""
        return {commit.version: commit for commit, _, _ in self._entries}

    @property
    def begins_with_the_table(self) -> bool:
        """True where the log still has the entry of the table's first version."""
        return 0 in self.commits

    @cached_property
    def newest(self) -> int:
        """The current version, by the last entry or checkpoint of the log; -1 where the log has none."""
        return max([*self._entry_versions, *self._checkpoints], default=-1)

    @cached_property
    def gaps(self) -> list[tuple[int, int]]:
        """The stretches of versions, first and last of each, whose entries are gone behind an entry that is
        there."""
        order = [*self.commits, self.newest + 1]
        return [(one + 1, next_ - 1) for one, next_ in pairwise(order) if next_ > one + 1]

    def version_at(self, time: datetime) -> int | None:
        """Return the last version before a time that the log has an entry of; None where it has none.

        Readers may have seen a later one where a gap follows (`gaps`).
        """
        before = [commit.version for commit in self.commits.values() if commit.at <= time]
        return before[-1] if before else None

    @cached_property
    def versions(self) -> Mapping[int, Sequence[DataFile]]:
        """The files of each version of which they are known, in the order of their paths."""
        versions: dict[int, Sequence[DataFile]] = {}
        current: dict[str, DataFile] = {}
        for commit, added, removed in self._entries:
            version = commit.version
            if version == 0 or version - 1 in versions:
                for path in removed:
                    current.pop(path, None)
                current |= {each.path: each for each in added}
            else:
                is_told = {version - 1, version} & self._checkpoints
                known = self._files_of(version) if is_told else None
                if known is None:
                    continue
                current = known
            versions[version] = [current[path] for path in sorted(current)]
        if self.newest in self._checkpoints - versions.keys():
            known = self._files_of(self.newest)
            if known is not None:
                versions[self.newest] = [known[path] for path in sorted(known)]
        return versions

    @cached_property
    def lying_files(self) -> list[DataFile]:
        """The Parquet files that lie in the table's folder, whether a version has them or not."""
        names = (
            name.removeprefix(f"{self.table.name}/")
            for name in sorted(self.files.current(self.table.name))
        )
        return [
            DataFile(name, _partition_of(name))
            for name in names
            if name.endswith(".parquet") and not name.startswith(f"{delta_log.FOLDER}/")
        ]

    @cached_property
    def unnamed_files(self) -> list[DataFile]:
        """The lying files that no entry names, and no version of which the files are known. A killed writer
        leaves some, and so do entries that are gone."""
        named = {each.path for _, added, _ in self._entries for each in added}
        named.update(path for _, _, removed in self._entries for path in removed)
        named.update(each.path for files in self.versions.values() for each in files)
        return [each for each in self.lying_files if each.path not in named]

    def rows(self, files: Iterable[DataFile]) -> list[dict[str, Any]]:
        """Return the rows of files that `keep` selects, from those files that are still there."""
        return [row for each in files for row in self._read(each) or ()]

    def missing(self, files: Iterable[DataFile]) -> int:
        """Return how many of some files are gone or can't be read."""
        return sum(self._read(each) is None for each in files)

    def _read(self, data: DataFile) -> list[dict[str, Any]] | None:
        """Return the rows of one file that `keep` selects; None where it is gone or can't be read."""
        if data.path not in self._rows:
            try:
                name = f"{self.table.name}/{data.path}"
                with self.files.open(name) as raw, _checked(raw) as file:
                    columns = [name for name in self.columns if name in file.schema_arrow.names]
                    rows = _in_utc(file.read(columns=columns, use_threads=False))
                    kept = self.keep(_with_partition_columns(rows, data.partition))
                self._rows[data.path] = kept.to_pylist()
            except StorageFailed as error:
                if not error.is_of_object:
                    raise
                self._rows[data.path] = None
            except (OSError, ValueError, OverflowError, pa.ArrowException):
                self._rows[data.path] = None
        return self._rows[data.path]

    def _files_of(self, version: int) -> dict[str, DataFile] | None:
        """Return the files of a version, by path, from a checkpoint: older entries of the log are gone. They
        are None where Delta can't read them."""
        # The import stands here because few audits need it.
        from deltalake.exceptions import DeltaError

        try:
            table = delta_rs_reader.delta_table(self.files.root, self.table, version=version)
            actions = table.get_add_actions()
        except (BadInput, DeltaError, OSError, ValueError, pa.ArrowException):
            return None
        files = (_data_file(row) for row in pa.table(actions).to_pylist())
        return {each.path: each for each in files}

    @cached_property
    def _entries(self) -> list[tuple[Commit, list[DataFile], list[str]]]:
        """The entries of the log, oldest first: see `_entry`."""
        entries = (self._entry(version) for version in sorted(self._entry_versions))
        return [entry for entry in entries if entry is not None]

    @cached_property
    def _entry_versions(self) -> set[int]:
        """The versions that the log has an entry of, though it may be one that can't be understood."""
        stems = (name[:-5] for name in self._log_names if name.endswith(".json"))
        return {int(stem) for stem in stems if stem.isdecimal()}

    @cached_property
    def _log_names(self) -> list[str]:
        return self.files.names(f"{self.table.name}/{delta_log.FOLDER}", suffix="")

    @cached_property
    def _checkpoints(self) -> set[int]:
        """The versions that the log has a checkpoint of."""
        found = (CHECKPOINT.match(name) for name in self._log_names)
        return {int(each.group(1)) for each in found if each}

    def _entry(self, version: int) -> tuple[Commit, list[DataFile], list[str]] | None:
        """Return a commit, the files that it added, and the paths of the files that it removed.

        It is None where the entry was removed since the log was listed, or can't be understood.
        """
        actions = delta_log.actions(self.files, self.table, version)
        if actions is None:
            return None
        info = delta_log.commit_info(actions)
        commit = Commit(
            version=version,
            at=delta_log.commit_time(info),
            operation=info.get("operation", "unknown"),
            written_by=delta_log.written_by(info),
        )
        added = [_data_file(action["add"]) for action in actions if "add" in action]
        removed = [unquote(action["remove"]["path"]) for action in actions if "remove" in action]
        return commit, added, removed


def _checked(raw: BinaryIO) -> pq.ParquetFile:
    """Open a Parquet file whose pages are compared with their checksums, where it has them."""
    return pq.ParquetFile(raw, page_checksum_verification=True)


def _data_file(action: Mapping[str, Any]) -> DataFile:
    """Make a file from an `add` action of the log (`partitionValues`) or of delta-rs (`partition`)."""
    values = action.get("partitionValues") or action.get("partition") or {}
    return DataFile(unquote(action["path"]), dict(values))


def _partition_of(path: str) -> dict[str, str]:
    """Return the values of partition columns that stand in the path of a file."""
    parts = (part.partition("=") for part in path.split("/")[:-1])
    return {name: unquote(value) for name, _, value in parts}


def _in_utc(rows: pa.Table) -> pa.Table:
    """Return rows whose times are in UTC. Spark writes times as Parquet's INT96, which names no zone."""
    fields = [
        pa.field(each.name, TIME) if pa.types.is_timestamp(each.type) else each
        for each in rows.schema
    ]
    return rows.cast(pa.schema(fields), safe=False)


def _with_partition_columns(rows: pa.Table, partition: Mapping[str, str]) -> pa.Table:
    """Return rows with a column for each partition value that they lack."""
    for name, value in partition.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return rows


def spans(held: Mapping[int, frozenset[str]]) -> Iterator[tuple[str, int, int | None]]:
    """Yield (row, its first version, its last version) for each stretch of versions that held a row.

    `held` has the rows of each version. The last version is None where the newest version still holds the
    row.
    """
    order = sorted(held)
    first_version: dict[str, int] = {}
    for index, version in enumerate(order):
        for row in sorted(first_version.keys() - held[version]):
            yield row, first_version.pop(row), order[index - 1]
        first_version |= {row: version for row in held[version] if row not in first_version}
    yield from ((row, first, None) for row, first in sorted(first_version.items()))
