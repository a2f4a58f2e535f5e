"""A view: rows of a table as its suite sees them, in Arrow on the driver or as a frame of Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import DataType, StructType

from expectations.view_columns import Counts
from expectations.whole_rows import Adds, WholeRows
from lake.row_source import RowSource


@dataclass(frozen=True)
class View:
    """Rows of a table as its suite sees them: in Arrow on the driver, or as a frame of Spark.

    The columns `unread` are left out. `narrow` takes the vectors from a record batch, and puts measures in
    their place. `add` adds columns that need no vector. It also gets the number of rows for each combination
    of values in the columns `counted`. `whole` adds what follows from all rows together. Both forms have the
    same columns. The rows of a journal, which are narrow (`is_journal`), are read without Spark, however many
    they are, where they are to be on the driver.
    """

    rows: RowSource
    narrow: Callable[[pa.RecordBatch], pa.RecordBatch] | None
    add: Callable[[pa.RecordBatch, Counts], pa.RecordBatch]
    counted: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    whole: WholeRows | None = None
    is_journal: bool = False

    @property
    def columns(self) -> Mapping[str, DataType]:
        """The types of the view's columns, by name."""
        none = self.whole.of_none() if self.whole else None
        schema = _changed_schema(self._read, self._change({}, none))
        return {field.name: field.dataType for field in schema}

    @cached_property
    def _read(self) -> pa.Schema:
        """The columns that are read of the rows."""
        return pa.schema(field for field in self.rows.schema if field.name not in self.unread)

    def _change(
        self, counts: Counts, adds: Adds | None
    ) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the whole change of a record batch, for workers too: they must not get the frame."""
        narrow, add = self.narrow, self.add

        def change(batch: pa.RecordBatch) -> pa.RecordBatch:
            added = add(batch if narrow is None else narrow(batch), counts)
            return added if adds is None else adds(added)

        return change

    def on_driver(self, *, most: int) -> pa.Table | None:
        """Return the view as a table; None where it has more rows than `most`.

        Few rows are read in this process. More are made narrow by one Spark job.
        """
        if self._are_read_here(most):
            table = self._read_here()
        else:
            narrow = self.rows.frame().select(*self._read.names)
            if self.narrow is not None:
                narrow = _mapped(narrow, self.narrow)
            table = narrow.limit(most + 1).toArrow()
        if table.num_rows > most:
            return None
        counts = _counts(table, self.counted)
        adds = self.whole.of_table(table) if self.whole else None
        empty = pa.RecordBatch.from_pylist([], table.schema)
        batches = table.combine_chunks().to_batches() or [empty]
        added = [self.add(batch, counts) for batch in batches]
        return pa.Table.from_batches(added if adds is None else map(adds, added))

    def _are_read_here(self, most: int) -> bool:
        """Return whether this process reads the rows itself: few ones, and up to `most` of a journal."""
        held = self.rows.most
        return self.rows.are_few or (self.is_journal and held is not None and held <= most)

    def _read_here(self) -> pa.Table:
        """Return the rows, made narrow a batch at a time."""
        narrow = self.narrow or (lambda batch: batch)
        empty = pa.RecordBatch.from_pylist([], self._read)
        read = self.rows.batches(*self._read.names)
        return pa.Table.from_batches([narrow(empty), *map(narrow, read)])

    def in_spark(self) -> DataFrame:
        """Return the view as a frame. A Spark job counts the rows where `add` needs it, and one or two read
        them all before where `whole` does."""
        rows = self.rows.frame().select(*self._read.names)
        counts: Counts = {}
        if self.counted:
            groups = rows.groupBy(*self.counted).count().collect()
            counts = {tuple(group)[:-1]: group[-1] for group in groups}
        adds = None
        if self.whole:
            adds = self.whole.of_frame(_mapped(rows, self.narrow) if self.narrow else rows)
        return _mapped(rows, self._change(counts, adds))


def _mapped(rows: DataFrame, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> DataFrame:
    """Return rows of which the workers have changed each record batch."""
    schema = _changed_schema(to_arrow_schema(rows.schema), change)

    def changed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (change(batch) for batch in batches if batch.num_rows)

    return rows.mapInArrow(changed, schema)


def _changed_schema(
    schema: pa.Schema, change: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> StructType:
    """Return the schema of rows after a change of their record batches."""
    empty = pa.RecordBatch.from_pylist([], schema)
    return from_arrow_schema(change(empty).schema)


def _counts(table: pa.Table, columns: Sequence[str]) -> Counts:
    """Return the number of rows for each combination of values in some columns."""
    if not columns:
        return {}
    grouped = table.group_by(list(columns)).aggregate([([], "count_all")])
    return {tuple(row.values())[:-1]: row["count_all"] for row in grouped.to_pylist()}
