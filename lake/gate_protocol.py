"""What a layer sees of the gate before it. `expectations` holds the gate itself; `run.py` hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from pyspark.sql import DataFrame

from lake.catalog import Table
from lake.chunks import Chunk

NONE: Mapping[str, int] = MappingProxyType({})
"""No refusals."""


@dataclass(frozen=True)
class GateOutcome:
    """A chunk that was let through, but for its refused rows.

    `refusals` has one row each: photo_id, subject, label, reason; it is None where no row was refused.
    `released`: all of them are, as the chunk was blocked and somebody released it.
    """

    refusals: DataFrame | None = None
    released: bool = False


class Gate(Protocol):
    """Judges the rows of a chunk by their table's suite, and records what it found."""

    def __call__(
        self,
        rows: DataFrame,
        *,
        chunk: Chunk,
        table: Table,
        expected: int,
        refused_before: Mapping[str, int] = NONE,
        staged_models: DataFrame | None = None,
    ) -> GateOutcome:
        """Rows as `table` has them, published or staged, of which the layer before promises `expected`.

        `refused_before` counts rows of the chunk that were refused earlier, by reason; the share that blocks
        includes them. `staged_models`: rows of gold/models that are to be published with the chunk.
        Raises Blocked; a chunk that is staged or published is then in that state.
        """
        ...
