"""Chunks that an earlier run left half published. They are finished before a privacy command removes rows."""

from __future__ import annotations

from collections.abc import Iterator

from bronze.bronze_layer import BronzeChunks
from gold.embedding_removal import RemovalChunks
from gold.gold_layer import GoldChunks
from gold.testing_chunks import LaterTestChunks
from gold.training import TrainingChunks
from lake.chunks import Chunk
from lake.context import Context
from lake.publication import ChunkLayer, Publication
from silver.silver_layer import SilverChunks


def finish_half_published(context: Context, *, but: frozenset[int] = frozenset()) -> None:
    """Finish every chunk, but those with a number of `but`, whose rows may be in one table and not yet in
    another.

    No chunk with a later number may be committed before the rest of such a chunk. A chunk whose staged rows
    are lost is given up. Raises Blocked where a gate stops a chunk, Inconsistent where rows are lost of a
    chunk of which a part is published.
    """
    for layer in _layers(context):
        Publication(context.lake, layer, context.did).finish_half_published(but=but)


def layer_of(context: Context, chunk: Chunk) -> ChunkLayer:
    """Return what the layer of a chunk declares. The chunk must be one that is staged."""
    every = (*_layers(context), RemovalChunks(context.lake))
    return next(layer for layer in every if layer.name == chunk.layer)


def _layers(context: Context) -> Iterator[ChunkLayer]:
    yield BronzeChunks(context.lake)
    yield SilverChunks(context.lake, context.gate)
    yield GoldChunks(context)
    yield TrainingChunks(context.lake)
    yield LaterTestChunks(context.lake)
