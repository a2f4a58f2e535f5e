"""Compaction: daily runs write small files, and these are joined when a table has many of them.

A large file is never rewritten (`lake.spark_session` sets the sizes). So the cost depends on the photos that
came in, not on those that the lake holds. The joined files stay for time travel until the retention ends.
"""

from __future__ import annotations

from lake import fault_points
from lake.catalog import Table
from lake.file_sizes import FILE_BYTES
from lake.writable_lake import WritableLake


def compact(lake: WritableLake, *, small_files: int) -> list[Table]:
    """Join the small files of each table that this run wrote to and that has at least `small_files` of them.

    Returns these tables. Raises Busy.
    """
    written = sorted(lake.written, key=lambda table: table.name)
    due = [table for table in written if _surplus(*lake.log(table).size()) >= small_files]
    for table in due:
        lake.compact(table)
        fault_points.at("lake: a table compacted")
    return due


def _surplus(files: int, size: int) -> int:
    """Return how many more files there are than `size` bytes need."""
    return files - size // FILE_BYTES
