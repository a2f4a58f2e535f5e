"""A lake on which bronze runs without Spark: what Spark does for it, Arrow and delta-rs do in this process.

What bronze decides is the product's own: listing, index, outcomes, labels, publication and its states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake.transaction import AddAction
from rich.console import Console

from bronze import arrived_files, bronze_layer
from cli.lake_access import context_of
from conf.settings import Settings
from lake import catalog, lake_format, lease, small_tables
from lake.catalog import Table
from lake.chunks import Chunk
from lake.context import Context
from lake.file_commits import placed
from lake.file_parts import FilePart
from lake.lease import Lease
from lake.readable_lake import Lake
from lake.run_clock import RunClock
from lake.run_journal import Run
from lake.small_tables import with_values
from lake.storage.folder import Folder
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from run import run_bronze

Row = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """Rows in memory, as far as bronze asks a frame of Spark for them."""

    rows: pa.Table

    def select(self, *names: str) -> Frame:
        """Some of the columns."""
        return Frame(self.rows.select(names))


class Session:
    """What makes frames of rows, in the place of Spark's session."""

    def createDataFrame(self, rows: pa.Table, *_: Any) -> Frame:  # noqa: N802  (Spark's name)
        """The rows as a frame."""
        return Frame(rows)


class ArrowLake(WritableLake):
    """A lake whose tables delta-rs made, for its one writer."""

    def __init__(self, files: Folder, run: Run, lease: Lease) -> None:
        super().__init__(Session, files, run, lease)
        self.staging.read = lambda chunk, part: Frame(self.staging.columns(chunk, part))

    def append(self, table: Table, frame: Frame, *, chunk: Chunk, keep_origin: bool = False) -> int:
        """Commits the rows of a chunk, once."""
        del keep_origin
        rows = self._own(frame.rows, chunk).to_pylist()
        return self._commit(partial(small_tables.append, table=table, rows=rows), table, chunk)

    def append_files(self, part: FilePart, *, chunk: Chunk) -> int:
        """Commits the files of a chunk, once."""
        added = placed(self, part)

        def write(known: Any, properties: Any) -> None:
            actions = [
                AddAction(
                    path=file.name.removeprefix(f"{part.table.name}/"),
                    size=file.size,
                    partition_values={},
                    modification_time=0,
                    data_change=True,
                    stats=part.statistics_of(file),
                )
                for file in added
            ]
            known.create_write_transaction(
                actions, mode="append", schema=known.schema(), commit_properties=properties
            )

        return self._commit(write, part.table, chunk)

    def upsert(
        self,
        table: Table,
        frame: Frame,
        *,
        keys: Sequence[str],
        chunk: Chunk,
        leaving: Frame | None = None,
    ) -> int:
        """Puts rows in the place of those with the same keys, once."""
        assert leaving is None
        new = {tuple(row[key] for key in keys): row for row in frame.rows.to_pylist()}

        def change(rows: list[Row]) -> list[Row]:
            kept = [row for row in rows if tuple(row[key] for key in keys) not in new]
            return [*kept, *new.values()]

        return self._rewrite(table, change, chunk)

    def amend(
        self, table: Table, frame: Frame, *, on: str, chunk: Chunk, within: str = "true"
    ) -> int:
        """Gives rows the values of a frame's other columns, once."""
        del within  # it only narrows what Spark reads
        new = {row[on]: row for row in frame.rows.to_pylist()}
        return self._rewrite(
            table, lambda rows: [row | new.get(row[on], {}) for row in rows], chunk
        )

    def _rewrite(self, table: Table, change: Callable[[list[Row]], list[Row]], chunk: Chunk) -> int:
        """Rewrites a table, as a MERGE does. Arrow can't filter what delta-rs' own MERGE writes."""

        def write(known: Any, properties: Any) -> None:
            rows = small_tables.arrow_rows(table, change(self.records(table)))
            version = known.version()
            small_tables.overwrite(known, properties, table=table, rows=rows, version=version)

        return self._commit(write, table, chunk)

    def compact(self, table: Table) -> None:
        """Joins small files."""
        self._commits.commit_small(table, small_tables.compact, number=None, layer="compaction")

    def _own(self, rows: pa.Table, chunk: Chunk) -> pa.Table:
        lacking = [name for name in ("run_id", "chunk") if name in rows.column_names]
        origin = {"run_id": self.run.run_id, "chunk": chunk.number}
        return with_values(rows.drop_columns(lacking), origin)

    def _commit(self, write: Any, table: Table, chunk: Chunk) -> int:
        number = self._commits.number(table, chunk)
        if number is not None:
            of = {"layer": chunk.layer, "chunk": chunk.number}
            self._commits.commit_small(table, write, number=number, **of)
        return self.version(table)


def tasks(_: Any, shares: Sequence[Any], work: Callable[[Any], Any]) -> list[Any]:
    """What workers make of shares, made in this process."""
    return [work(share) for share in shares]


@contextmanager
def counted(*_: Any, **__: Any) -> Iterator[Callable[[int], None]]:
    """No progress is shown."""
    yield lambda done: None


@dataclass
class ArrowPlace:
    """A landing folder and such a lake, and the runs of bronze over them: as `tests.support.place.Place`."""

    root: Path
    settings: Settings
    console: Console = field(default_factory=lambda: Console(quiet=True))

    @classmethod
    def of(cls, root: Path, *overrides: str) -> ArrowPlace:
        """The folders `landing` and `lake` under a root."""
        paths = (f"paths.landing={root / 'landing'}", f"paths.lake={root / 'lake'}")
        settings = Settings.load("local", environment={}, overrides=[*paths, *overrides])
        return cls(root, settings)

    @classmethod
    def made(cls, root: Path) -> ArrowPlace:
        """An empty landing folder, and a lake of tables without rows."""
        place = cls.of(root)
        place.landing.mkdir(parents=True)
        place.files.make()
        for table in catalog.TABLES:
            properties = dict(catalog.properties(table, place.settings.delta))
            properties.pop("delta.enableInCommitTimestamps", None)  # delta-rs can't commit to such
            small_tables.create(place.files.root, table, properties)
        keys = lake_format.pseudonyms_of(place.files, place.settings.subjects)
        lake_format.write(place.files, pseudonyms=keys)
        return place

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def files(self) -> Folder:
        """What lies under the lake's root."""
        return folder(self.settings.paths.lake)

    @property
    def lake(self) -> Lake:
        """The lake for reading, as it is now."""
        return Lake(Session, self.files, Run.begin(self.settings.digest))

    @contextmanager
    def writing(self) -> Iterator[Context]:
        """A new run that may write."""
        run = Run.begin(self.settings.digest)
        with lease.held(self.files, run_id=run.run_id, seconds=60) as own:
            lake = ArrowLake(self.files, run, own)
            keys = lake_format.pseudonyms_of(self.files, self.settings.subjects)
            yield context_of(self.settings, lake, keys, self.console, clock=RunClock())

    def run(self, *_: str) -> None:
        """A run of bronze."""
        with self.writing() as context, pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrived_files, "arrow_tasks", tasks)
            patch.setattr(arrived_files, "slots", lambda _: 2)
            patch.setattr(bronze_layer, "counted", counted)
            run_bronze(context)

    def bury(self) -> None:
        """Removes the lease of a run that 'died' in this process, which lives on."""
        if self.files.exists(lease.NAME):
            self.files.delete(lease.NAME)

    def set(self, *overrides: str) -> ArrowPlace:
        """The same folders under other settings."""
        return ArrowPlace.of(self.root, *overrides)
