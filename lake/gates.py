"""What a layer sees of the gate before it. `expectations` holds the gate itself; `run.py` hands it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import Column, DataFrame

from lake.catalog import Table
from lake.chunks import Chunk


@dataclass(frozen=True)
class Passed:
    """A chunk that was let through, but for `refused` rows: `reason`, a column over the judged frame,
    says why a row is refused, and is null for those that passed."""

    reason: Column
    refused: int


class Gate(Protocol):
    """Judges the rows of a chunk by a suite, and records what it found."""

    def __call__(
        self,
        rows: DataFrame,
        suite: str,
        *,
        chunk: Chunk,
        table: Table,
        refused_before: int = 0,
        may_refuse_rows: bool = True,
    ) -> Passed:
        """Rows as the suite knows them: narrow, one a row of `table`, published or staged.

        `refused_before` counts rows of the chunk that were refused earlier; they count in the share that
        blocks. Where rows may not be refused one by one, one that fails blocks the chunk.
        Raises Blocked; the chunk is then in that state.
        """
        ...
