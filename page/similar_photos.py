"""Finds the most similar photos of a lake by the cosine of their embeddings, exactly, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gold.unit_vectors import unit
from lake import arrow_reads, catalog, delta_rs_reader

MEMORY = 2 << 30
"""The most bytes of embeddings that a process keeps in memory: 400,000 photos with 1,280 values each. The
rest is read anew for each question."""

ROWS = 8_192
"""The most rows of a block that is read at once: 42 MB where an embedding has 1,280 values."""

COLUMNS = ("photo_id", "label", "embedding")

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    """A photo of the lake, with the cosine of its embedding and that of the photo in question, in [−1, 1]."""

    photo_id: str
    label: str | None
    similarity: float


ALIKE = ((0.7, "very alike"), (0.5, "alike"), (0.3, "a little alike"))
"""Words for how far a similarity is on the way from the lake's average (0) to the same picture (1).

On 1,142 shop photos of 28 kinds, 95 in 100 pairs that are very alike show the same kind, 52 in 100 of those
that are alike, 16 in 100 of those that are a little alike, and 1 in 100 of the others.
"""

SAME = 1 - 1e-5
"""The similarity from which two photos are called the same picture: it is rounded to float32."""


@dataclass(frozen=True)
class Neighbourhood:
    """The photos most similar to one, the most similar first, and the `average` similarity of all photos to
    it, in [−1, 1]; NaN where there are none."""

    nearest: list[Neighbour]
    average: float

    def words(self, similarity: float) -> str:
        """Return in words how alike two photos are that have this similarity."""
        if similarity >= SAME:
            return "the same picture"
        way = (similarity - self.average) / max(1 - self.average, 1e-9)
        return next((words for least, words in ALIKE if way >= least), "hardly alike")


@dataclass(frozen=True)
class Block:
    """Some photos of a lake: their embeddings as unit vectors, float32[n, d], their ids and their labels."""

    vectors: Matrix
    photo_ids: pa.Array
    labels: pa.Array

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Block:
        """Make a block of rows of silver/embeddings, at least one."""
        values = batch["embedding"].flatten().to_numpy(zero_copy_only=False)
        vectors = values.reshape(batch.num_rows, -1).astype(np.float32)
        return cls(unit(vectors), batch["photo_id"], batch["label"])

    def nearest(self, vector: Matrix, count: int) -> tuple[list[Neighbour], float]:
        """Return the photos most similar to a unit vector float32[d], in no order, and the sum of the
        similarities of all photos of the block.

        They are `count`, or more where several have the same similarity as the last one.
        """
        similarities = self.vectors @ vector
        places = np.arange(len(similarities))
        if len(places) > count:
            # All photos that are as similar as the last one are kept: the caller chooses among them by id.
            least = np.partition(similarities, -count)[-count]
            places = np.flatnonzero(similarities >= least)
        chosen = pa.array(places)
        ids, labels = (each.take(chosen).to_pylist() for each in (self.photo_ids, self.labels))
        found = [
            Neighbour(photo_id, label, float(similarity))
            for photo_id, label, similarity in zip(ids, labels, similarities[places], strict=True)
        ]
        return found, float(similarities.sum(dtype=np.float64))


class Embeddings:
    """The embeddings of one model at one version of silver/embeddings, by default the newest.

    Files are kept in memory as a whole, as many as `memory` bytes can hold. The other files are read block by
    block for each question.
    """

    def __init__(
        self, root: str, weights_id: str, *, version: int | None = None, memory: int = MEMORY
    ) -> None:
        """Read the embeddings of the model `weights_id` in the lake under `root`.

        Raises BadInput where there is no lake.
        """
        table = delta_rs_reader.delta_table(root, catalog.EMBEDDINGS, version=version)
        dataset = delta_rs_reader.dataset(table)
        self._schema, self._where = dataset.schema, pc.field("weights_id") == weights_id
        self._kept: list[Block] = []
        self._read: list[Any] = []
        left = memory
        for file in dataset.get_fragments(filter=self._where):
            blocks: list[Block] = []
            for block in self._blocks(file) if left > 0 else ():
                blocks.append(block)
                left -= block.vectors.nbytes
                if left < 0:
                    break
            if left > 0:
                self._kept += blocks
            else:
                self._read.append(file)

    def nearest(self, embedding: Matrix, *, count: int) -> list[Neighbour]:
        """Return the `count` photos most similar to an embedding float32[d], as `around` does."""
        return self.around(embedding, count=count).nearest

    def around(self, embedding: Matrix, *, count: int) -> Neighbourhood:
        """Return the `count` photos most similar to an embedding float32[d], and the average similarity.

        Photos with the same similarity are ordered by id. Raises OSError where a file of the lake is gone.
        """
        [vector] = unit(embedding[np.newaxis])
        best: list[Neighbour] = []
        total, photos = 0.0, 0
        for block in self._all_blocks():
            found, block_total = block.nearest(vector, count)
            best = sorted([*best, *found], key=lambda each: (-each.similarity, each.photo_id))
            best = best[:count]
            total += block_total
            photos += len(block.vectors)
        return Neighbourhood(best, total / photos if photos else float("nan"))

    def _all_blocks(self) -> Iterator[Block]:
        yield from self._kept
        for file in self._read:
            yield from self._blocks(file)

    def _blocks(self, file: Any) -> Iterator[Block]:
        batches = arrow_reads.batches(
            file,
            schema=self._schema,
            columns=list(COLUMNS),
            filter=self._where,
            batch_size=ROWS,
            batch_readahead=1,
            fragment_readahead=1,
        )
        return (Block.of(batch) for batch in batches if batch.num_rows)
