"""Publication: the one way that every chunk takes, plan → stage → judge → publish → forget.

A layer says what is special about it in a `ChunkLayer`: its tables in the order of their commits, how its
gate judges, and what the commits are. The last commit makes the publication. Each step is recorded in the
ledger before the next begins, so that a run which dies anywhere is finished by the next one: it publishes the
rows that were staged, and never selects rows anew. Only where the staged rows are lost is a chunk given up,
and what it was made from taken again; one of which a table has a part is told, with the way out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from conf.errors import Inconsistent
from lake import fault_points
from lake.catalog import Table
from lake.chunks import Chunk, ChunkPlan, ChunkState
from lake.ledger import Ledger
from lake.run_journal import LayerRun


class StagedFiles(Protocol):
    """The staged parts of chunks, as files that can be removed and copied."""

    def is_whole(self, chunk: Chunk, part: str) -> bool:
        """Whether a part of a chunk is there as it was staged."""
        ...

    def remove(self, chunk: Chunk) -> None:
        """Removes everything that is staged of a chunk."""
        ...

    def copy(self, chunk: Chunk, to: Chunk) -> None:
        """Copies everything that is staged of a chunk, for another number."""
        ...

    def keep_only(self, chunks: Callable[[], Sequence[Chunk]]) -> None:
        """Removes what is staged of any other chunks than those that `chunks` gives, once it was listed."""
        ...


class Store(Protocol):
    """What publication needs of a lake; a test gives a store in memory."""

    @property
    def ledger(self) -> Ledger:
        """The states and numbers of chunks."""
        ...

    @property
    def staging(self) -> StagedFiles:
        """The staged parts of chunks."""
        ...

    def last_chunk(self, table: Table) -> int:
        """The highest number of a chunk that was ever committed to a table."""
        ...

    def version(self, table: Table) -> int:
        """The current version of a table."""
        ...


@dataclass(frozen=True)
class TableCommit:
    """One commit of a chunk to a table.

    `write` makes it, once however often it is called, and returns the version of the table; it returns None
    where the version belongs in no record of the chunk.
    """

    table: Table
    write: Callable[[], int | None]


@dataclass(frozen=True)
class Contents:
    """What a staged chunk comes to when it is published.

    `commits` in their order, only those that have rows; `photos`: how many readers see afterwards; `counts`
    and `reasons` for ops/runs (refused photos by reason). `count_photos_left` is called after the commits; it
    gives the number of photos that other chunks have left, by their numbers.
    """

    commits: Sequence[TableCommit]
    photos: int
    counts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    count_photos_left: Callable[[], Mapping[int, int]] = dict


class ChunkLayer(ABC):
    """What a layer declares of its chunks.

    `name` is the layer in ops/chunks. `tables` are those whose commits are numbered by its chunks, in the
    order in which it commits to them. `is_judged`: a staged chunk passes a gate before anything is published.
    `lost_by_withdrawal` ends the sentences about a chunk whose staged rows are lost: what may go with them.
    """

    name: ClassVar[str]
    tables: ClassVar[tuple[Table, ...]]
    is_judged: ClassVar[bool] = False
    lost_by_withdrawal: ClassVar[str] = ""

    def judge(self, chunk: Chunk) -> None:
        """Judges a staged chunk, and stages the verdict: a later try must not judge by other rules.

        Called only where `is_judged`. Raises Blocked where the gate stops the chunk.
        """
        raise NotImplementedError

    @abstractmethod
    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The staged parts without which a chunk that was staged, or judged, is not whole."""

    @abstractmethod
    def contents(self, chunk: Chunk) -> Contents:
        """What the staged chunk comes to, after its verdict."""

    def published_photos(self, chunk: Chunk) -> int | None:
        """How many photos readers see of a chunk of which a table has a part, where no commit is outstanding;
        None where one may be. Only for a chunk whose staged rows are lost."""
        return None


class Publication:
    """The chunks of one layer on their way. `did` gathers what the run did."""

    def __init__(self, store: Store, layer: ChunkLayer, did: LayerRun) -> None:
        self._store = store
        self._layer = layer
        self._did = did

    def plan(self, plans: Sequence[ChunkPlan]) -> list[Chunk]:
        """Gives the planned chunks their numbers. Raises Busy."""
        return self._store.ledger.plan(plans)

    def stage(self, chunk: Chunk, write: Callable[[Chunk], None]) -> Chunk:
        """Has `write` stage the parts of a planned chunk, and records that they are staged. Raises Busy."""
        write(chunk)
        return self._store.ledger.reached(chunk, ChunkState.STAGED)

    def publish(self, chunk: Chunk) -> Contents:
        """Takes a staged chunk through its gate and into its tables, and forgets what was staged.

        A chunk that was judged by an earlier run is not judged again. Raises Blocked, Busy.
        """
        store, layer = self._store, self._layer
        if layer.is_judged and chunk.state is not ChunkState.JUDGED:
            layer.judge(chunk)
            chunk = store.ledger.reached(chunk, ChunkState.JUDGED)
        contents = layer.contents(chunk)
        versions = {}
        for commit in contents.commits:
            version = commit.write()
            if version is not None:
                versions[commit.table.name] = version
            fault_points.at(f"{layer.name}: {commit.table.name} committed")
        store.ledger.published(
            chunk,
            photos=contents.photos,
            versions=versions,
            photos_left=contents.count_photos_left(),
        )
        store.staging.remove(chunk)
        self._did.add(contents.counts)
        self._did.refuse(contents.reasons)
        return contents

    def run(self, plan: ChunkPlan, write: Callable[[Chunk], None]) -> Contents:
        """Takes one chunk the whole way, from its plan on. Raises Blocked, Busy."""
        [chunk] = self.plan([plan])
        return self.publish(self.stage(chunk, write))

    def finish(self, *, weights_id: str | None = None) -> None:
        """Publishes what earlier runs left staged: the chunks of any model that may be half published, then
        all chunks of the model `weights_id`. Raises Blocked, Inconsistent, Busy."""
        self.finish_half_published()
        for chunk in self._left():
            if chunk.weights_id == weights_id:
                self.publish_left(chunk)

    def finish_half_published(self, *, but: frozenset[int] = frozenset()) -> None:
        """Publishes the chunks of which one table may have the rows and another not, and gives up those whose
        staged rows are lost: no number of `but`.

        Raises Inconsistent where rows are lost of a chunk of which a table has a part; Busy.
        """
        for chunk in self._left():
            if chunk.number in but:
                continue
            if self.is_whole(chunk):
                if self._may_be_half_published(chunk):
                    self.publish_left(chunk)
            elif not self.give_up(chunk):
                raise Inconsistent(
                    f"{_lost(chunk)} after a part of it was published; withdraw that part with run.py replay "
                    f"--chunk {chunk.number} --drop, and the next run makes the chunk again"
                    f"{self._layer.lost_by_withdrawal}."
                )

    def is_whole(self, chunk: Chunk) -> bool:
        """Whether all that was staged of an unfinished chunk is there."""
        return all(self._store.staging.is_whole(chunk, each) for each in self._layer.parts(chunk))

    def give_up(self, chunk: Chunk) -> bool:
        """Gives up an unfinished chunk whose staged rows are lost, so that its work is done again.

        Where every commit of it was made, it is recorded as published instead. Returns False, and does
        nothing, where some were made and others may be outstanding. Raises Busy.
        """
        store = self._store
        # Nothing overtakes a chunk that may be half published.
        committed = [t for t in self._layer.tables if store.last_chunk(t) >= chunk.number]
        if not (committed and self._may_be_half_published(chunk)):
            abandon(store, [chunk])
            self._did.notes.append(
                f"{_lost(chunk)}: it is given up, and what it was made from is taken again"
                f"{self._layer.lost_by_withdrawal}."
            )
            return True
        photos = self._layer.published_photos(chunk)
        if photos is None:
            return False
        versions = {table.name: store.version(table) for table in committed}
        store.ledger.published(chunk, photos=photos, versions=versions, photos_left={})
        store.staging.remove(chunk)
        self._did.add({"in": chunk.photos, "kept": photos})
        return True

    def _left(self) -> list[Chunk]:
        """The layer's chunks that are staged and not published, oldest first."""
        chunks = self._store.ledger.unfinished()
        own = (chunk for chunk in chunks if chunk.layer == self._layer.name)
        return sorted(own, key=lambda chunk: chunk.number)

    def _may_be_half_published(self, chunk: Chunk) -> bool:
        """Whether commits of a chunk may have begun: after its verdict, or at once where there is none."""
        return chunk.state is ChunkState.JUDGED or not self._layer.is_judged

    def publish_left(self, chunk: Chunk) -> Contents:
        """Publishes a chunk that an earlier run staged, under a number that its tables still take.

        Raises Blocked, Busy.
        """
        return self.publish(self._renumbered(chunk))

    def _renumbered(self, chunk: Chunk) -> Chunk:
        """The chunk under a fresh number, where a later one was committed to one of its tables before it.

        What is staged is copied, so that a kill at any moment leaves it whole under one of the two numbers.
        A chunk that may be half published keeps its number, as another one would publish its rows twice.
        Nothing overtakes it: every writer finishes such chunks first.
        """
        store = self._store
        if self._may_be_half_published(chunk):
            return chunk
        if max(map(store.last_chunk, self._layer.tables)) <= chunk.number:
            return chunk
        [planned] = store.ledger.plan([chunk])
        fresh = planned.reached(chunk.state)
        store.staging.copy(chunk, fresh)
        store.ledger.replace(chunk, fresh)
        store.staging.remove(chunk)
        return fresh


def _lost(chunk: Chunk) -> str:
    return f"{chunk.layer} chunk {chunk.number} was staged, and its files are gone or damaged"


def abandon(store: Store, chunks: Iterable[Chunk]) -> None:
    """Gives up staged chunks: the next run does their work anew, under numbers of its own. Raises Busy."""
    for chunk in chunks:
        store.ledger.abandon(chunk)
        store.staging.remove(chunk)


def drop_abandoned(store: Store) -> None:
    """Removes staged files that belong to no unfinished chunk: files of killed writers."""
    store.staging.keep_only(store.ledger.unfinished)
