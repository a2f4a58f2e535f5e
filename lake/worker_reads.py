"""Rows of a large table that workers read themselves, with Arrow.

Spark's own reader makes a Java object of each value of an embedding, and then Arrow's of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from itertools import groupby
from operator import and_
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from pyarrow.dataset import Dataset, Fragment, ParquetFileFormat, ParquetFragmentScanOptions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lake import arrow_reads
from lake.arrow_tasks import arrow_frame, slots
from lake.parquet_files import BATCH_ROWS, BUFFER, FOOTERS_AT_ONCE, READ_OPTIONS
from lake.storage.connectors import arrow_files

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class RowGroup(NamedTuple):
    """A group of rows of a file: the file's name in the folder of its table, the group's number in it, the
    rows that it has, and the value of each column that the table is partitioned by."""

    name: str
    number: int
    rows: int
    partition: Mapping[str, Any]


@dataclass(frozen=True)
class TableFiles:
    """The files of a table in the folder at an address (`file://…` or `s3://…`), and the session of Spark.

    Arrow reads them by its own access to files. It reads with threads of its own: one that reads by an object
    of Python waits for Python, which may wait for it.
    """

    uri: str
    spark: Callable[[], SparkSession]

    def frame(
        self,
        dataset: Dataset,
        where: pc.Expression | None,
        names: Sequence[str],
        work: Work,
        schema: str | StructType,
    ) -> DataFrame:
        """Return a frame of what `work` makes on the workers of those rows of this table's dataset for which
        a condition holds: of their columns `names`, share by share."""
        spark = self.spark()
        read = partial(_read, uri=self.uri, where=where, names=list(names), schema=dataset.schema)
        shares = self.shares(dataset, where, tasks=slots(spark))
        return arrow_frame(spark, shares, lambda share: work(read(share)), schema)

    def shares(
        self, dataset: Dataset, where: pc.Expression | None, *, tasks: int
    ) -> list[list[RowGroup]]:
        """Return the groups of rows that each task reads: as many rows for each, as far as they can be
        divided. Groups for none of whose rows the condition can hold, by their statistics, are left out."""
        groups_of = partial(_groups, where=where, schema=dataset.schema)
        with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
            found = pool.map(groups_of, dataset.get_fragments(where))
            groups = [group for of_file in found for group in of_file]
        most = -(-sum(group.rows for group in groups) // tasks)
        shares: list[list[RowGroup]] = []
        room = 0
        for group in groups:
            if room <= 0:
                shares.append([])
                room = most
            shares[-1].append(group)
            room -= group.rows
        return shares


def _groups(file: Fragment, *, where: pc.Expression | None, schema: pa.Schema) -> list[RowGroup]:
    """Return the groups of rows of a file for which a condition can hold, by the file's footer."""
    partition = pyarrow.dataset.get_partition_keys(file.partition_expression)
    parts = arrow_reads.asked_again(lambda: file.split_by_row_group(where, schema=schema))
    return [
        RowGroup(file.path, group.id, group.num_rows, partition)
        for part in parts
        for group in part.row_groups
    ]


def _read(
    share: Sequence[RowGroup],
    *,
    uri: str,
    where: pc.Expression | None,
    names: list[str],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Yield columns of those rows of a share for which a condition holds."""
    files = arrow_files(uri)
    format = ParquetFileFormat(
        read_options=READ_OPTIONS,
        default_fragment_scan_options=ParquetFragmentScanOptions(
            use_buffered_stream=True, buffer_size=BUFFER, pre_buffer=False
        ),
    )
    for name, of_file in groupby(share, key=lambda group: group.name):
        groups = list(of_file)
        file = format.make_fragment(
            name,
            files,
            partition_expression=_known(groups[0].partition),
            row_groups=[group.number for group in groups],
        )
        yield from arrow_reads.batches(
            file,
            schema=schema,
            columns=names,
            filter=where,
            batch_size=BATCH_ROWS,
            use_threads=False,
        )


def _known(partition: Mapping[str, Any]) -> pc.Expression | None:
    """Return what is known of the rows of a file by the columns that its table is partitioned by."""
    values = [
        pc.field(name).is_null() if value is None else pc.field(name) == value
        for name, value in partition.items()
    ]
    return reduce(and_, values) if values else None
