"""Commits of files as they lie: rows that workers wrote once come into a large table without being copied.

A staged file gets another name in the table's folder, where the storage can give it one without its bytes
passing through a process, and the commit adds that name. Only rows of files that hold a refused row, and of
files too small to be read well, are written again, together. Files that a run which died left in the folder
belong to nobody, like those of any write that was cut off: the retention removes them, or an erasure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from conf.errors import FruitLakeError
from lake import fault_points, parquet_files
from lake.arrow_tasks import arrow_tasks
from lake.chunks import batches
from lake.delta_transactions import DeltaTransaction
from lake.file_parts import FilePart
from lake.file_sizes import FILE_BYTES
from lake.parquet_files import WrittenFile
from lake.readable_lake import Lake

if TYPE_CHECKING:
    from lake.idempotent_commits import NumberedCommits

SMALL = 8 << 20
"""Files of fewer bytes are joined, because each file that a table has costs its readers milliseconds."""

FEW_BYTES = 64 << 20
"""The most bytes that the driver writes again itself. Workers do it where there are more."""


class Overtaken(FruitLakeError):
    """Another writer has committed meanwhile."""


def append_placed(
    lake: Lake, commits: NumberedCommits, part: FilePart, *, number: int, layer: str
) -> None:
    """Commit the files of a part, under a number, from the folder of its table. Raises Busy."""
    added = placed(lake, part)
    fault_points.at(f"lake: files of {part.table.name} placed")
    with commits.transaction(part.table, number, layer=layer, chunk=part.chunk):
        append(lake, added, part, number=number)


def placed(lake: Lake, part: FilePart) -> list[WrittenFile]:
    """Return the files of a part under names of their own in the folder of its table.

    No other try, of this process or another, gives these names: what a writer does that was only paused, or
    a task that was given up, changes no file that anybody reads.
    """
    files = lake.files
    again = [each for each in part.files if each.size < SMALL or part.left_out.get(each.name)]
    if len(again) == 1 and not part.left_out.get(again[0].name):
        again = []
    names = {each.name for each in again}

    def named(file: WrittenFile) -> WrittenFile:
        own = parquet_files.new_name(part.folder)
        files.add_name(file.name, own)
        return WrittenFile(own, file.rows, file.size)

    def joined(group: Sequence[WrittenFile]) -> WrittenFile | None:
        rows = {each.name: part.left_out.get(each.name, ()) for each in group}
        return parquet_files.joined(
            files, parquet_files.new_name(part.folder), rows, schema=part.schema
        )

    with ThreadPoolExecutor(files.readers) as pool:
        found = list(pool.map(named, (file for file in part.files if file.name not in names)))
    groups = list(
        batches(
            again, size=lambda file: (1, file.size), max_bytes=FILE_BYTES, max_photos=len(again)
        )
    )
    if sum(each.size for each in again) <= FEW_BYTES:
        made = list(map(joined, groups))
    else:
        made = arrow_tasks(lake.spark, groups, joined)
    return found + [file for file in made if file]


def append(
    lake: Lake,
    added: Sequence[WrittenFile],
    part: FilePart,
    *,
    number: int,
) -> None:
    """Commit files of a part to its table with Spark's Delta, under a number. Raises FruitLakeError where the
    table has that number, or a later one.

    The last number is read within the transaction, so a commit that another process makes meanwhile is a
    conflict.
    """
    name = part.table.name
    transaction = DeltaTransaction(lake.spark, lake.files.uri(name), name)
    if transaction.last_number >= number:
        raise Overtaken(f"{name}: another run committed before commit {number}; run again.")
    transaction.commit(number, [_add(file, part) for file in added])


def _add(file: WrittenFile, part: FilePart) -> dict[str, Any]:
    return {
        "path": file.name.removeprefix(f"{part.table.name}/"),
        "partitionValues": dict(part.partition),
        "size": file.size,
        "modificationTime": time.time_ns() // 1_000_000,
        "dataChange": True,
        "stats": part.statistics_of(file),
    }
