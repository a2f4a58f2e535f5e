"""A lake in memory, which behaves as Delta does, for tests of publication without Spark.

Its parts are what a disk keeps when a process dies: a journal, staged rows and tables. `Disk.store()` is what
the next process sees of them. Every operation may be the last of its process, before or after it took effect.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

from conf.errors import Blocked
from lake import catalog
from lake.chunks import ChunkPlan, ChunkState, not_yet_taken
from lake.enums import SILVER
from lake.ledger import Ledger
from lake.publication import ChunkLayer, Contents, Publication, TableCommit, drop_abandoned
from lake.run_journal import LayerRun
from tests.support.kills import Killed

MODEL = "m"
FIRST, LAST = catalog.EMBEDDINGS, catalog.QUARANTINE


@dataclass
class MemoryTable:
    """Rows by the number that committed them. As Delta, it drops without a word what has a number that it
    took already or a lower one."""

    commits: dict[int, list[str]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.commits, default=0)

    @property
    def rows(self) -> list[str]:
        return sorted(row for rows in self.commits.values() for row in rows)

    def append(self, number: int, rows: list[str]) -> int:
        if number > self.last:
            self.commits[number] = list(rows)
        return len(self.commits)


@dataclass
class Disk:
    """What outlives a process. `lasts`: how many half operations the process goes on for, if it dies."""

    sources: list[str]
    journal: list[dict] = field(default_factory=list)
    staged: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    tables: dict = field(default_factory=lambda: {FIRST: MemoryTable(), LAST: MemoryTable()})
    judged: Counter = field(default_factory=Counter)
    lasts: int | None = None
    operations: int = 0

    @contextmanager
    def operation(self):
        """One change of the disk: the process may die before it, or after it."""
        self._step()
        yield
        self._step()

    def _step(self) -> None:
        self.operations += 1
        if self.lasts is not None and self.operations > self.lasts:
            raise Killed(f"half operation {self.operations}")

    def store(self) -> MemoryStore:
        self.operations = 0
        return MemoryStore(self)


class MemoryJournal:
    """ops/chunks as a list."""

    run_id = "run"

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def read(self):
        return list(self._disk.journal)

    def record(self, rows, *, layer, chunk):
        with self._disk.operation():
            self._disk.journal += [dict(row) for row in rows]

    def last_number(self):
        return max(table.last for table in self._disk.tables.values())


class MemoryStaging:
    """Staged rows by the chunk's number and the part's name."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def write(self, chunk, part, rows):
        with self._disk.operation():
            self._disk.staged.setdefault(chunk.number, {})[part] = list(rows)

    def read(self, chunk, part):
        return self._disk.staged[chunk.number][part]

    def is_whole(self, chunk, part):
        return part in self._disk.staged.get(chunk.number, {})

    def remove(self, chunk):
        with self._disk.operation():
            self._disk.staged.pop(chunk.number, None)

    def copy(self, chunk, to):
        with self._disk.operation():
            self._disk.staged[to.number] = dict(self._disk.staged[chunk.number])

    def keep_only(self, chunks):
        kept = {chunk.number for chunk in chunks()}
        for number in set(self._disk.staged) - kept:
            with self._disk.operation():
                del self._disk.staged[number]


class MemoryStore:
    """What one process sees of a disk (`lake.publication.Store`)."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.ledger = Ledger(MemoryJournal(disk))
        self.staging = MemoryStaging(disk)

    def last_chunk(self, table):
        return self.disk.tables[table].last

    def version(self, table):
        return len(self.disk.tables[table].commits)

    def append(self, table, chunk, rows):
        with self.disk.operation():
            return self.disk.tables[table].append(chunk.number, rows)


class PairChunks(ChunkLayer):
    """A layer with two tables. A row that begins with `bad` goes to the second one. A chunk of nothing but
    `worst` is blocked while `is_strict`."""

    name = SILVER
    tables = (FIRST, LAST)
    is_judged = True

    def __init__(self, store: MemoryStore, *, is_strict: bool = True) -> None:
        self._store = store
        self._is_strict = is_strict

    def judge(self, chunk):
        rows = self._store.staging.read(chunk, "rows")
        if self._is_strict and set(rows) == {"worst"}:
            self._store.ledger.reached(chunk, ChunkState.BLOCKED)
            raise Blocked(f"chunk {chunk.number}")
        self._store.staging.write(chunk, "refused", [r for r in rows if r.startswith("bad")])
        self._store.disk.judged[tuple(rows)] += 1

    def parts(self, chunk):
        return ["rows", "refused"] if chunk.state is ChunkState.JUDGED else ["rows"]

    def published_photos(self, chunk):
        first, last = (self._store.disk.tables[table].commits for table in self.tables)
        return len(first.get(chunk.number, [])) if chunk.number in last else None

    def contents(self, chunk):
        store = self._store
        rows = store.staging.read(chunk, "rows")
        refused = [row for row in rows if row.startswith("bad")]
        if self.is_judged:
            assert store.staging.read(chunk, "refused") == refused
        kept = [row for row in rows if row not in refused]
        commits = [
            TableCommit(table, lambda table=table, rows=rows: store.append(table, chunk, rows))
            for table, rows in ((FIRST, kept), (LAST, refused))
            if rows
        ]
        return Contents(commits, photos=len(kept), counts={"kept": len(kept)})


class UnjudgedChunks(PairChunks):
    """The same without a gate, as bronze's chunks: their commits begin as soon as they are staged."""

    is_judged = False


def run(disk: Disk, *, lasts: int | None = None, is_strict: bool = True) -> LayerRun:
    """A process over the disk, as a layer of `run.py` goes: what was left first, then each new source.

    Source n is the published chunk n of the layer below; its rows are the words of `disk.sources[n - 1]`.
    Raises Killed, Blocked.
    """
    disk.lasts = lasts
    store, did = disk.store(), LayerRun(SILVER)
    publication = Publication(store, PairChunks(store, is_strict=is_strict), did)
    drop_abandoned(store)
    publication.finish(weights_id=MODEL)
    for number in waiting(store):
        rows = disk.sources[number - 1].split()
        plan = ChunkPlan(
            layer=SILVER,
            weights_id=MODEL,
            source_from=number,
            source_to=number,
            photos=len(rows),
        )
        publication.run(plan, lambda chunk, rows=rows: store.staging.write(chunk, "rows", rows))
    disk.lasts = None
    return did


def waiting(store: MemoryStore) -> list[int]:
    """The sources that no chunk was made from."""
    below = [
        ChunkPlan(layer="below", photos=1).numbered(n + 1).reached(ChunkState.PUBLISHED)
        for n in range(len(store.disk.sources))
    ]
    known = [*below, *store.ledger.chunks().values()]
    found = not_yet_taken(known, source="below", layer=SILVER, weights_id=MODEL)
    return [chunk.number for chunk in found]
