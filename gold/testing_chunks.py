"""Chunks of tests: what a champion classifier said of photos that got their label after its training."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from pyspark.sql import functions as F

from lake import catalog, chunks
from lake.chunks import Chunk, not_yet_taken
from lake.enums import LABELLING, SILVER, TESTING
from lake.publication import ChunkLayer, Contents, TableCommit
from lake.writable_lake import WritableLake

HELD_OUT = "held_out"
"""The staged part of a chunk with rows for gold/held_out: those of a training, or of a later test."""


MOST = 50_000
"""The most photos of one chunk of tests: their rows are in this process at once."""


def new_chunks(known: Iterable[Chunk], champion: Mapping[str, Any]) -> list[Chunk]:
    """Return the chunks of silver after a champion's training that it was not tested on. `champion` is its
    row of gold/models."""
    new = not_yet_taken(
        known,
        source=SILVER,
        layer=TESTING,
        weights_id=champion["weights_id"],
        model_version=champion["version"],
    )
    return [chunk for chunk in new if chunk.number > champion["through_chunk"]]


def is_labelled_since(known: Iterable[Chunk], champion: Mapping[str, Any]) -> bool:
    """Return whether labels may have changed since a champion was trained, and compared with them last.

    `champion` is its row of gold/models. A restore that brings labels back plans a labelling and no more.
    """
    compared = champion["chunk"]
    labelled = 0
    for chunk in known:
        is_test = chunk.layer == TESTING and chunk.model_version == champion["version"]
        if is_test and chunk.source_from is None and chunk.is_published:
            compared = max(compared, chunk.number)
        if chunk.layer == LABELLING:
            labelled = max(labelled, chunk.number)
    return labelled > compared


def grouped(new: Sequence[Chunk], known: Iterable[Chunk]) -> Iterator[Sequence[Chunk]]:
    """Yield chunks of silver in their order, those together that make one chunk of tests.

    A chunk of tests is of all chunks of a model from one number to another. So none of silver may lie between
    that isn't new: one that was tested already, or one that was blocked and may be published later.
    """
    numbers = {(chunk.weights_id, chunk.number) for chunk in new}
    holes = {(chunk.weights_id, chunk.number) for chunk in known if chunk.layer == SILVER} - numbers
    batches = chunks.batches(new, size=lambda each: (each.photos, 0), max_photos=MOST, max_bytes=0)
    for batch in batches:
        of_model = sorted(number for model, number in holes if model == batch[0].weights_id)
        before = partial(bisect, of_model)
        for _, group in groupby(batch, key=lambda chunk: before(chunk.number)):
            yield list(group)


class LaterTestChunks(ChunkLayer):
    """The chunks of tests after the training.

    A chunk that was made from chunks of silver brings photos that gold/held_out doesn't have. Any other one
    follows labels that changed: its rows take the place of earlier ones of the same photos, and a row
    without a label says that the photo has none any more.
    """

    name = TESTING
    tables = (catalog.HELD_OUT,)

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """Return the name of the one part."""
        return [HELD_OUT]

    def published_photos(self, chunk: Chunk) -> int | None:
        """Return the photos of a test that was committed: there is no other commit."""
        return chunk.photos

    def contents(self, chunk: Chunk) -> Contents:
        """Return the one commit of a staged test; none where it has no photo."""
        rows = self._lake.staging.source(chunk, HELD_OUT).count()
        commits = [TableCommit(catalog.HELD_OUT, lambda: self._write(chunk))] if rows else []
        return Contents(commits, photos=rows)

    def _write(self, chunk: Chunk) -> int:
        """Write the staged rows, and return the version of gold/held_out. Raises Busy."""
        lake = self._lake
        rows = lake.staging.read(chunk, HELD_OUT)
        if chunk.source_from is not None:
            return lake.append(catalog.HELD_OUT, rows, chunk=chunk)
        is_labelled = F.col("label").isNotNull()
        return lake.upsert(
            catalog.HELD_OUT,
            rows.where(is_labelled),
            keys=["photo_id", "model_version"],
            chunk=chunk,
            leaving=rows.where(~is_labelled),
        )
