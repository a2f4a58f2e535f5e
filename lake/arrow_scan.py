"""How Arrow reads rows of a dataset: which rows, and which columns. It needs no Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow.compute as pc

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


@dataclass(frozen=True)
class Scan:
    """How Arrow reads rows: those of a dataset `where` a condition holds, with `columns`, by default its own.

    `most` gives the number of rows that it has to read for that at most; None where it isn't known.
    """

    dataset: Callable[[], Dataset]
    most: Callable[[], int | None]
    where: pc.Expression | None = None
    columns: Mapping[str, pc.Expression] | None = None

    def filtered(self, condition: pc.Expression) -> Scan:
        """The scan of those rows among them that meet a condition."""
        return replace(self, where=condition if self.where is None else self.where & condition)
