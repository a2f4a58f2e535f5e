"""Columns of a view that follow from all of its rows together, or from rows of its table that other chunks
have: what no record batch can tell by itself.

Each is found out once, by Arrow on the driver or by a Spark job, and then added to every record batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake.catalog import Table
from lake.chunk_ranges import ChunkRanges
from lake.chunks import Chunk, ChunkState
from lake.delta_rs_reader import of_chunks
from lake.enums import RESTORE
from lake.readable_lake import Lake

Adds = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Returns a record batch with further columns. Workers get it, so it holds no lake and no frame."""

FEWEST_LOOKS = 10
"""The fewest photos that look different by their dhash of which a share is told: fewer may be alike by
chance, or be of one colour."""


LAST = 2**63 - 1
"""The largest number that a column `chunk` can have."""

MOST_RANGES = 64
"""The most ranges of chunks that are looked into one by one: each is a condition on every row."""


class WholeRows(Protocol):
    """What is found out of all rows of a view, after they were made narrow."""

    def of_table(self, rows: pa.Table) -> Adds: ...
    def of_frame(self, rows: DataFrame) -> Adds: ...
    def of_none(self) -> Adds:
        """Return what adds the columns to no rows: their names and types."""
        ...


@dataclass(frozen=True)
class SharedVectors:
    """Adds `shared_vectors` to embeddings: of the photos of a row's weights_id that look different, the share
    whose vector is, bit for bit, that of another one.

    Photos look different where their dhash does. A model that works gives two such photos two vectors. The
    share is 0 for fewer than FEWEST_LOOKS looks.
    """

    def of_table(self, rows: pa.Table) -> Adds:
        """Return what adds the column, from rows in this process."""
        looks = rows.select(["weights_id", "embedding_hash", "dhash"]).drop_null()
        looks = looks.group_by(looks.column_names).aggregate([])
        vectors = looks.group_by(["weights_id", "embedding_hash"]).aggregate([([], "count_all")])
        found: dict[str, tuple[int, int]] = {}
        for row in vectors.to_pylist():
            n, shared = found.get(row["weights_id"], (0, 0))
            alike = row["count_all"] if row["count_all"] > 1 else 0
            found[row["weights_id"]] = (n + row["count_all"], shared + alike)
        return partial(_with_shares, _shares(found))

    def of_frame(self, rows: DataFrame) -> Adds:
        """Return what adds the column, from one Spark job: a row for each model reaches the driver."""
        looks = rows.select("weights_id", "embedding_hash", "dhash").dropna().distinct()
        vectors = looks.groupBy("weights_id", "embedding_hash").agg(F.count("*").alias("n"))
        alike = F.when(F.col("n") > 1, F.col("n")).otherwise(0)
        of_models = vectors.groupBy("weights_id").agg(F.sum("n"), F.sum(alike))
        return partial(_with_shares, _shares({key: (n, s) for key, n, s in of_models.collect()}))

    def of_none(self) -> Adds:
        """Return what adds the column to no rows."""
        return partial(_with_shares, {})


def _shares(found: Mapping[str, tuple[int, int]]) -> Mapping[str, float]:
    """Return the share by weights_id, from the numbers of looks and of those with the vector of another."""
    return {key: shared / n for key, (n, shared) in found.items() if n >= FEWEST_LOOKS}


def _with_shares(shares: Mapping[str, float], batch: pa.RecordBatch) -> pa.RecordBatch:
    values = [shares.get(key, 0.0) for key in batch.column("weights_id").to_pylist()]
    return batch.append_column("shared_vectors", pa.array(values, pa.float64()))


@dataclass(frozen=True)
class EarlierChunks:
    """Adds `chunks_before`: 1 for a photo that a chunk before `chunk` has stored, by bronze/objects, else 0.

    A table as a whole (`chunk` is None) has no chunks before it.
    """

    lake: Lake
    chunk: int | None

    def of_table(self, rows: pa.Table) -> Adds:
        """Return what adds the column: the photos are looked up without Spark."""
        if self.chunk is None:
            return self.of_none()
        own = rows["photo_id"].combine_chunks().drop_null().unique()
        known = self.lake.known_keys.photos(own, before=self.chunk)
        return partial(with_before, frozenset(known))

    def of_frame(self, rows: DataFrame) -> Adds:
        """Return what adds the column: the ids of one chunk's photos reach the driver."""
        return self.of_table(rows.select("photo_id").toArrow())

    def of_none(self) -> Adds:
        """Return what adds the column where no chunk before has a row."""
        return partial(with_before, frozenset())


@dataclass(frozen=True)
class OtherChunks:
    """Adds `chunks_before`: 1 for a photo of which another chunk has a row in `table`, else 0.

    `where` has the values that such a row has in some columns. Nothing but the photo_id of rows is compared,
    batch by batch, so what is in memory is the chunk's own. The rows of chunks that were made from other
    chunks than this one are not read, because they are of other photos: so the cost of a chunk doesn't grow
    with the lake. A restore may move a photo from one chunk of bronze to another, so all chunks before the
    last one are read. `check` compares all rows. A table as a whole (`chunk` is None) has no other chunks.
    """

    lake: Lake
    table: Table
    chunk: Chunk | None
    where: Mapping[str, str]

    def of_table(self, rows: pa.Table) -> Adds:
        """Return what adds the column: the ids of the table are read without Spark."""
        if self.chunk is None or not rows.num_rows:
            return self.of_none()
        ranges = [of_chunks(*each) for each in self._others()]
        others = reduce(or_, ranges, pc.scalar(False))
        for name, value in self.where.items():
            others = others & (pc.field(name) == value)
        own = rows["photo_id"].combine_chunks().drop_null()
        found: set[str] = set()
        for batch in self.lake.batches(self.table, columns=["photo_id"], where=others):
            held = batch.column("photo_id")
            found.update(held.filter(pc.is_in(held, value_set=own)).to_pylist())
        return partial(with_before, frozenset(found))

    def of_frame(self, rows: DataFrame) -> Adds:
        """Return what adds the column, from one Spark job: only the ids that are found reach the driver."""
        if self.chunk is None:
            return self.of_none()
        ranges = [F.col("chunk").between(*each) for each in self._others()]
        others = self.lake.read(self.table).where(reduce(or_, ranges, F.lit(False)))
        for name, value in self.where.items():
            others = others.where(F.col(name) == value)
        own = rows.select("photo_id")
        found = others.select("photo_id").join(own, "photo_id", "left_semi").distinct().collect()
        return partial(with_before, frozenset(row["photo_id"] for row in found))

    def of_none(self) -> Adds:
        """Return what adds the column where no other chunk has a row."""
        return partial(with_before, frozenset())

    def _others(self) -> list[tuple[int, int]]:
        """Return the ranges of the numbers of other chunks that may have a row of the same photos: also of
        chunks that the ledger doesn't know."""
        assert self.chunk is not None
        known = self.lake.ledger.chunks().values()
        restored = max((each.number for each in known if each.layer == RESTORE), default=0)
        apart = [
            each.number for each in known if each.number > restored and _is_apart(each, self.chunk)
        ]
        for excluded in (apart, []):
            numbers = [*excluded, self.chunk.number]
            ranges = list(ChunkRanges((each, each) for each in numbers).gaps(0, LAST))
            if len(ranges) <= MOST_RANGES:
                break
        return ranges


def _is_apart(known: Chunk, judged: Chunk) -> bool:
    """Whether a chunk can't have a row of a photo of one that is judged: it is of another layer, or was made
    from other chunks. Replayed photos, and the layers above them, may be of any."""
    if known.layer != judged.layer:
        return True
    if known.source_from is None or judged.source_from is None:
        return False
    (first, last), (begins, ends) = known.sources, judged.sources
    return last < begins or ends < first


def with_before(known: Set[str], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with `chunks_before`: 1 for the photos that are `known`, else 0."""
    return _with_known(batch, "chunks_before", "photo_id", known)


def _with_known(batch: pa.RecordBatch, name: str, key: str, known: Set[Any]) -> pa.RecordBatch:
    """Return a batch with a column of a name: 1 where the column `key` has a `known` value, else 0."""
    values = batch.column(key)
    is_known = pc.is_in(values, value_set=pa.array(sorted(known), values.type))
    return batch.append_column(name, is_known.cast(pa.int64()))


@dataclass(frozen=True)
class ChunkHistories:
    """Adds two columns to ops/chunks, about all rows of a row's chunk.

    `is_of_layers` is 1 for a chunk whose rows name more than one layer, else 0; `is_unplanned` is 1 for one
    whose first row by `entry` has another state than planned, else 0.
    """

    def of_table(self, rows: pa.Table) -> Adds:
        """Return what adds the columns, from rows in this process."""
        known = rows.select(["chunk", "layer", "entry", "state"]).drop_null()
        layers: dict[int, set[str]] = {}
        first: dict[int, tuple[int, str]] = {}
        for chunk, layer, entry, state in zip(*(c.to_pylist() for c in known.columns), strict=True):
            layers.setdefault(chunk, set()).add(layer)
            step = (entry, state)
            first[chunk] = min(first.get(chunk, step), step)
        of_layers = {chunk for chunk, names in layers.items() if len(names) > 1}
        unplanned = {chunk for chunk, (_, state) in first.items() if state != ChunkState.PLANNED}
        return partial(_with_histories, of_layers, unplanned)

    def of_frame(self, rows: DataFrame) -> Adds:
        """Return what adds the columns, from one Spark job: only the chunks that it is about reach the
        driver."""
        known = rows.select("chunk", "layer", "entry", "state").dropna()
        found = known.groupBy("chunk").agg(
            F.count_distinct("layer").alias("layers"),
            F.min(F.struct("entry", "state")).alias("first"),
        )
        found = found.select("chunk", "layers", "first.state")
        odd = found.where((F.col("layers") > 1) | (F.col("state") != ChunkState.PLANNED)).collect()
        of_layers = {row["chunk"] for row in odd if row["layers"] > 1}
        unplanned = {row["chunk"] for row in odd if row["state"] != ChunkState.PLANNED}
        return partial(_with_histories, of_layers, unplanned)

    def of_none(self) -> Adds:
        """Return what adds the columns to no rows."""
        return partial(_with_histories, set(), set())


def _with_histories(
    of_layers: Set[int], unplanned: Set[int], batch: pa.RecordBatch
) -> pa.RecordBatch:
    batch = _with_known(batch, "is_of_layers", "chunk", of_layers)
    return _with_known(batch, "is_unplanned", "chunk", unplanned)


@dataclass(frozen=True)
class Both:
    """The columns of two, one after the other."""

    first: WholeRows
    second: WholeRows

    def of_table(self, rows: pa.Table) -> Adds:
        """Return what adds the columns of both."""
        return partial(_with_both, self.first.of_table(rows), self.second.of_table(rows))

    def of_frame(self, rows: DataFrame) -> Adds:
        """Return what adds the columns of both."""
        return partial(_with_both, self.first.of_frame(rows), self.second.of_frame(rows))

    def of_none(self) -> Adds:
        """Return what adds the columns of both to no rows."""
        return partial(_with_both, self.first.of_none(), self.second.of_none())


def _with_both(first: Adds, second: Adds, batch: pa.RecordBatch) -> pa.RecordBatch:
    return second(first(batch))
