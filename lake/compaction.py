"""Compaction: daily runs leave small files, which are joined once there are many.

A file that has grown large is never rewritten (`lake.spark_session` sets the sizes), so the cost follows what
came in, not what the lake holds. The files that were joined stay for time travel until the retention ends.
"""

from __future__ import annotations

from lake import fault_points
from lake.catalog import Table
from lake.writable_lake import FILE_BYTES, WritableLake


def compact(lake: WritableLake, *, small_files: int) -> list[Table]:
    """Joins the small files of each table that this run wrote to and that has gathered so many; returns these
    tables. Raises Busy."""
    written = sorted(lake.written, key=lambda table: table.name)
    due = [table for table in written if _small(*lake.log(table).size()) >= small_files]
    for table in due:
        lake.compact(table)
        fault_points.at("lake: a table compacted")
    return due


def _small(files: int, size: int) -> int:
    """How many files there are beyond those that so many bytes need."""
    return files - size // FILE_BYTES
