"""Rows that can be read in two ways: by Spark on its workers, or in this process where they are few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from pyarrow.dataset import Dataset
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lake import arrow_reads
from lake.arrow_scan import Scan
from lake.dataframe_queries import counts
from lake.worker_reads import TableFiles, Work

FEW = 5_000
"""The most rows that this process reads itself. A Spark job costs half a second, however few its rows are. So
many embeddings of 1,280 values are 25 MB, and are read in that time."""

SEPARATOR = "\x00"
"""Stands between the columns of a key."""

BATCH = 64
"""The rows of one batch, as in Spark: a row may have a matrix of a megabyte. Arrow reads a few ahead."""


@dataclass(frozen=True)
class RowSource:
    """Rows of which nothing is read until something asks for them: before the next commit to their table.

    `frame` gives them as a frame of Spark, and `scan` says how Arrow reads them; it is None where only Spark
    can compute them. `table` are the files that it scans, where workers can read them, too.
    """

    frame: Callable[[], DataFrame]
    scan: Scan | None = None
    table: TableFiles | None = None

    @classmethod
    def of(cls, rows: pa.Table, spark: Callable[[], SparkSession]) -> Self:
        """Rows that are in this process."""
        scan = Scan(lambda: pyarrow.dataset.dataset(rows), lambda: rows.num_rows)
        return cls(lambda: spark().createDataFrame(rows), scan)

    # Rows among these

    def having(self, name: str, values: Collection[Any]) -> RowSource:
        """Those that have one of a few values in a column."""
        known = list(values)
        return self._where(lambda: F.col(name).isin(known), pc.field(name).isin(known))

    def before(self, name: str, time: datetime) -> RowSource:
        """Those whose time in a column is earlier."""
        earlier = pc.field(name) < pa.scalar(time, pa.timestamp("us", "UTC"))
        return self._where(lambda: F.col(name) < F.lit(time), earlier)

    def without(self, name: str) -> RowSource:
        """Those that have no value in a column."""
        return self._where(lambda: F.col(name).isNull(), pc.field(name).is_null())

    def _where(self, column: Callable[[], Column], condition: pc.Expression) -> RowSource:
        scan = self.scan and self.scan.filtered(condition)
        return RowSource(lambda: self.frame().where(column()), scan, self.table)

    def among(self, keys: RowSource, *on: str) -> RowSource:
        """Those whose text columns `on` equal the columns of a row of `keys`. Few keys are read at once."""

        def frame() -> DataFrame:
            known = F.broadcast(keys.frame().select(*on))
            return self.frame().join(known, list(on), "left_semi")

        if self.scan is None or not keys.are_few:
            return RowSource(frame)
        known = [SEPARATOR.join(row) for row in keys.distinct(*on) if None not in row]
        key = pc.binary_join_element_wise(*map(pc.field, on), SEPARATOR)
        return RowSource(frame, self.scan.filtered(key.isin(pa.array(known, pa.string()))))

    # What is asked of them

    @cached_property
    def most(self) -> int | None:
        """The number of rows that Arrow has to read for them at most; None where it isn't known."""
        return None if self.scan is None else self.scan.most()

    @property
    def are_few(self) -> bool:
        """Whether this process reads them itself, without Spark, whatever is asked of them."""
        return self.most is not None and self.most <= FEW

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
        yield from arrow_reads.batches(
            self._dataset, columns=columns, filter=self.scan.where, batch_size=BATCH
        )

    def on_workers(self, names: Sequence[str], work: Work, schema: str | StructType) -> DataFrame:
        """A frame of what `work` makes of the rows on the workers, of some columns of theirs: it gets and
        gives batches, and is called for each part of the rows. What the frame hangs on stays with the workers
        until the session ends: names of files, and conditions."""
        if self.table and self.scan and set(names) <= set(self._dataset.schema.names):
            return self.table.frame(self._dataset, self.scan.where, names, work, schema)
        return self.frame().select(*names).mapInArrow(work, schema)

    def count(self) -> int:
        """The number of the rows."""
        if self.scan is None or not self.are_few:
            return self.frame().count()
        where = self.scan.where
        return int(arrow_reads.asked_again(lambda: self._dataset.count_rows(filter=where)))

    def least(self, name: str) -> Any:
        """The least value of a column; None where there is no row."""
        if not self.are_few:
            return self.frame().agg(F.min(name)).collect()[0][0]
        least = (pc.min(batch.column(name)).as_py() for batch in self.batches(name))
        return min((value for value in least if value is not None), default=None)

    def distinct(self, *names: str) -> set[tuple[Any, ...]]:
        """The combinations of values that some columns have."""
        if not self.are_few:
            return set(map(tuple, self.frame().select(*names).distinct().collect()))
        found: set[tuple[Any, ...]] = set()
        for batch in self.batches(*names):
            found.update(zip(*(batch.column(name).to_pylist() for name in names), strict=True))
        return found

    def counts(self, name: str) -> dict[Any, int]:
        """The number of rows for each value of a column."""
        if not self.are_few:
            return counts(self.frame(), name)
        total: Counter[Any] = Counter()
        for batch in self.batches(name):
            total.update(batch.column(name).to_pylist())
        return dict(total)
