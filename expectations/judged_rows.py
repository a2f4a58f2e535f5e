"""What judging needs of the rows of a view, whichever engine of Great Expectations judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame

if TYPE_CHECKING:
    from great_expectations.datasource.fluent.interfaces import Batch

REASON = "expectation:"
"""The prefix of a quarantine reason that names an expectation."""

ROWS = "rows"
"""The name under which Great Expectations knows the rows while it judges them."""


class Refusals(Protocol):
    """The rows that fail some expectations.

    `flagged` is the number of rows that fail each, by its id. `count` is the number of rows that fail any.
    """

    @property
    def flagged(self) -> Mapping[str, int]: ...
    @property
    def count(self) -> int: ...

    def rows(self, *columns: str, otherwise: str | None = None) -> DataFrame | pa.Table:
        """Return some columns of the rows that fail, with a `reason`: the first expectation that the row
        fails. With `otherwise`, the rows that fail none come too, and this is their reason."""
        ...


class JudgedRows(Protocol):
    """The rows of a view, for one engine of Great Expectations."""

    @property
    def columns(self) -> Sequence[str]: ...

    def held(self) -> AbstractContextManager[int]:
        """Keeps the rows in memory for a while, and gives their number."""
        ...

    def batch(self) -> Batch:
        """Return the rows as Great Expectations takes them. They must be held."""
        ...

    def refusals(self, batch: Batch, conditions: Mapping[str, tuple[Any, Any]]) -> Refusals:
        """Return the rows of a batch that fail.

        `conditions` has, for each expectation by its id, Great Expectations' own condition of the rows that
        fail, with its domain, in the suite's order. The rows must be held.
        """
        ...
