"""Rows of a large table that workers read themselves, with Arrow.

Spark's own reader makes a Java object of each value of an embedding, and then Arrow's of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import Fragment, ParquetFileFormat, ParquetFragmentScanOptions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lake import parquet_files
from lake.arrow_scan import Scan
from lake.arrow_tasks import arrow_frame, slots
from lake.parquet_files import BATCH_ROWS, BUFFER, RowSpan
from lake.storage.folder import Folder

READERS = 8
"""The footers that the driver reads at once."""

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class RowGroup(NamedTuple):
    """A group of rows of a file, and the values of the columns that its table is partitioned by, as Arrow's
    condition."""

    span: RowSpan
    partition: pc.Expression


@dataclass(frozen=True)
class TableFiles:
    """The files of a table, called `name`, in the folder of a lake."""

    files: Folder
    name: str

    def frame(
        self,
        spark: SparkSession,
        scan: Scan,
        names: Sequence[str],
        work: Work,
        schema: str | StructType,
    ) -> DataFrame:
        """Return a frame of what `work` makes on the workers of the rows of a scan of this table: of their
        columns `names`, share by share."""
        schema_read = scan.dataset().schema
        read = partial(
            _read, files=self.files, where=scan.where, names=list(names), schema=schema_read
        )
        shares = self.shares(scan, tasks=slots(spark))
        return arrow_frame(spark, shares, lambda share: work(read(share)), schema)

    def shares(self, scan: Scan, *, tasks: int) -> list[list[RowGroup]]:
        """Return the groups of rows that each task reads: as many rows for each, as far as they can be
        divided."""
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(self._groups, list(scan.dataset().get_fragments(scan.where)))
            groups = [group for of_file in found for group in of_file]
        most = -(-sum(group.span.rows for group in groups) // tasks)
        shares: list[list[RowGroup]] = []
        room = 0
        for group in groups:
            if room <= 0:
                shares.append([])
                room = most
            shares[-1].append(group)
            room -= group.span.rows
        return shares

    def _groups(self, file: Fragment) -> list[RowGroup]:
        spans = parquet_files.spans_of(self.files, f"{self.name}/{file.path}")
        return [RowGroup(span, file.partition_expression) for span in spans]


def _read(
    share: Sequence[RowGroup],
    *,
    files: Folder,
    where: pc.Expression | None,
    names: list[str],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Yield columns of those rows of a share for which a condition holds."""
    format = ParquetFileFormat(
        default_fragment_scan_options=ParquetFragmentScanOptions(
            use_buffered_stream=True, buffer_size=BUFFER, pre_buffer=False
        )
    )
    for span, partition in share:
        with files.open(span.name) as raw:
            group = format.make_fragment(
                pa.PythonFile(raw, mode="r"),
                partition_expression=partition,
                row_groups=[span.group],
            )
            yield from group.to_batches(
                schema=schema,
                columns=names,
                filter=where,
                batch_size=BATCH_ROWS,
                use_threads=False,
            )
