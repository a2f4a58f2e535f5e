"""Chunks that an earlier run left half published. They are finished before a privacy command removes rows."""

from __future__ import annotations

from bronze.bronze_layer import BronzeChunks
from gold.gold_layer import GoldChunks
from gold.training import TrainingChunks
from lake.context import Context
from lake.publication import Publication
from silver.silver_layer import SilverChunks


def finish_half_published(context: Context) -> None:
    """Finish every chunk whose rows may be in one table and not yet in another.

    No chunk with a later number may be committed before the rest of such a chunk. Raises Blocked where a gate
    stops a chunk.
    """
    lake, did = context.lake, context.did
    for layer in (
        BronzeChunks(lake),
        SilverChunks(lake, context.gate),
        GoldChunks(context),
        TrainingChunks(lake),
    ):
        Publication(lake, layer, did).finish_half_published()
