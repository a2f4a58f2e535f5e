"""Rows that Great Expectations' pandas engine judges on the driver, without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from expectations.judged_rows import REASON, ROWS
from expectations.suite_runner import data_source_of_rows, gx_context

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.datasource.fluent.interfaces import Batch


@dataclass(frozen=True)
class ArrowRefusals:
    """Rows that fail (`judged_rows.Refusals`). `reasons` has one for each row, null where it fails none.

    Its text shows no row.
    """

    table: pa.Table = field(repr=False)
    reasons: pa.Array = field(repr=False)
    flagged: Mapping[str, int]

    @property
    def count(self) -> int:
        """The number of rows that fail any expectation."""
        return len(self.reasons) - int(self.reasons.null_count)

    def rows(self, *columns: str, otherwise: str | None = None) -> pa.Table:
        """Return the rows that fail, with their reasons; see `judged_rows.Refusals`."""
        reasons = pc.coalesce(self.reasons, pa.scalar(otherwise, pa.string()))
        table = self.table.select(list(columns)).append_column("reason", reasons)
        return table.filter(reasons.is_valid())


class ArrowRows:
    """The rows of a view as a table on the driver (`judged_rows.JudgedRows`)."""

    def __init__(self, view: pa.Table) -> None:
        self._view = view

    @property
    def columns(self) -> Sequence[str]:
        """The names of the view's columns."""
        names: list[str] = self._view.column_names
        return names

    @contextmanager
    def held(self) -> Iterator[int]:
        """Gives the number of the rows. Great Expectations forgets them afterwards."""
        with data_source_of_rows():
            yield self._view.num_rows

    def batch(self) -> Batch:
        """Return the rows as a batch of Great Expectations."""
        source = gx_context().data_sources.add_pandas(ROWS)
        definition = source.add_dataframe_asset(ROWS).add_batch_definition_whole_dataframe(ROWS)
        return definition.get_batch({"dataframe": as_pandas(self._view)})

    def refusals(self, batch: Batch, conditions: Mapping[str, tuple[Any, Any]]) -> ArrowRefusals:
        """Return the rows that fail; see `judged_rows.JudgedRows`."""
        reasons = np.full(self._view.num_rows, None, dtype=object)
        flagged = {}
        for identity, (fails, _) in conditions.items():
            places = fails.index[fails.to_numpy(dtype=bool)]
            flagged[identity] = len(places)
            first = places[reasons[places] == None]  # noqa: E711 elementwise
            reasons[first] = REASON + identity
        return ArrowRefusals(self._view, pa.array(reasons, pa.string()), flagged)


def as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a table as pandas' frame on which Great Expectations judges as it does in Spark.

    A null is missing, and NaN is a value. Whole numbers stay whole beside nulls. Dates are Python's, which
    Great Expectations compares with the dates of a suite; times are those of UTC, without a zone.
    """
    import pandas as pd

    columns = {name: _series(table.column(name)) for name in table.column_names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _series(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Return one column for `as_pandas`."""
    import pandas as pd

    kind = column.type
    if pa.types.is_string(kind):
        return pd.Series(column.to_pandas(), dtype="str")
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).to_pandas()
    if pa.types.is_integer(kind):
        return column.cast(pa.int64()).to_pandas(integer_object_nulls=True)
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(column)).as_py():
        # Only this dtype tells NaN from null. It isn't used otherwise, because it compares with null to
        # neither true nor false, and Great Expectations needs one of them.
        values = column.combine_chunks().cast(pa.float64())
        numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
        return pd.Series(pd.arrays.FloatingArray(numbers, values.is_null().to_numpy(False)))
    return column.to_pandas()
