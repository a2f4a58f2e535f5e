"""Rows that can be read in two ways: by Spark on its workers, or in this process where they are few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Dataset
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from lake.dataframe_queries import counts

FEW = 5_000
"""The most rows that this process reads itself. A Spark job costs half a second, however few its rows are. So
many embeddings of 1,280 values are 25 MB, and are read in that time."""

BATCH = 64
"""The rows of one batch, as in Spark: a row may have a matrix of a megabyte. Arrow reads a few ahead."""


@dataclass(frozen=True)
class Scan:
    """How Arrow reads rows: those of a dataset `where` a condition holds, with `columns`, by default its own.

    `most` gives the number of rows that it has to read for that at most; None where it isn't known.
    """

    dataset: Callable[[], Dataset]
    most: Callable[[], int | None]
    where: pc.Expression | None = None
    columns: Mapping[str, pc.Expression] | None = None


@dataclass(frozen=True)
class RowSource:
    """Rows of which nothing is read until something asks for them: before the next commit to their table.

    `frame` gives them as a frame of Spark, and `scan` says how Arrow reads them; it is None where only Spark
    can compute them.
    """

    frame: Callable[[], DataFrame]
    scan: Scan | None = None

    @cached_property
    def are_few(self) -> bool:
        """Whether this process reads them itself, without Spark. `count`, `counts` and `least` do then."""
        most = None if self.scan is None else self.scan.most()
        return most is not None and most <= FEW

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types."""
        if self.scan is None:
            return to_arrow_schema(self.frame().schema)
        if self.scan.columns is None:
            return self._dataset.schema
        return self._dataset.scanner(columns=self.scan.columns).projected_schema

    @cached_property
    def _dataset(self) -> Dataset:
        assert self.scan is not None
        return self.scan.dataset()

    def batches(self, *names: str) -> Iterator[pa.RecordBatch]:
        """Yields the rows with some of their columns, by default all, as Arrow reads them."""
        assert self.scan is not None
        columns: Any = self.scan.columns
        if names:
            columns = list(names) if columns is None else {name: columns[name] for name in names}
        scanner = self._dataset.scanner(columns=columns, filter=self.scan.where, batch_size=BATCH)
        yield from scanner.to_reader()

    def count(self) -> int:
        """The number of the rows."""
        if self.scan is None or not self.are_few:
            return self.frame().count()
        return int(self._dataset.count_rows(filter=self.scan.where))

    def least(self, name: str) -> Any:
        """The least value of a column; None where there is no row."""
        if not self.are_few:
            return self.frame().agg(F.min(name)).collect()[0][0]
        least = (pc.min(batch.column(name)).as_py() for batch in self.batches(name))
        return min((value for value in least if value is not None), default=None)

    def counts(self, name: str) -> dict[Any, int]:
        """The number of rows for each value of a column."""
        if not self.are_few:
            return counts(self.frame(), name)
        total: Counter[Any] = Counter()
        for batch in self.batches(name):
            total.update(batch.column(name).to_pylist())
        return dict(total)
