"""The extractors that a lake knows: their rows in gold/models, and how far each has come."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from lake import catalog
from lake.chunks import NoChunk
from lake.enums import RETIRE, ModelKind, ModelStatus
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


def extractors(lake: Lake) -> list[dict[str, Any]]:
    """The rows of gold/models that describe extractors."""
    return lake.records(catalog.MODELS, where=pc.field("kind") == ModelKind.EXTRACTOR.value)


def mark(lake: WritableLake, weights_id: str, status: ModelStatus) -> None:
    """Gives the row of an extractor that status. Its other versions, PCAs and classifiers, become retired in
    any case. Raises Busy."""
    rows = lake.records(catalog.MODELS, where=pc.field("weights_id") == weights_id)
    for row in rows:
        is_extractor = row["kind"] == ModelKind.EXTRACTOR
        row["status"] = status if is_extractor else ModelStatus.RETIRED
    lake.put(catalog.MODELS, rows, keys=["version"], chunk=NoChunk(RETIRE))
