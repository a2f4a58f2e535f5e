"""Parts of staged chunks that are files as a large table has them, so that it can take them as they lie."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema

from lake.catalog import Table
from lake.json_objects import json_object
from lake.parquet_files import WrittenFile
from lake.storage.folder import Folder


@dataclass(frozen=True)
class WorkerFiles:
    """Where workers write the files of a part: in a `folder` under the root of a lake. Each row has this
    `run_id` and this `chunk`, and `written_at` as the time of its table."""

    files: Folder
    folder: str
    run_id: str
    chunk: int
    written_at: datetime

    def origin(self, time: str) -> dict[str, Any]:
        """Return the values that each row has. `time` is the table's column of times."""
        return {"run_id": self.run_id, "chunk": self.chunk, time: self.written_at}


@dataclass(frozen=True)
class FilePart:
    """A staged part of a chunk whose files have the columns of a `table`, but for those by which it is
    partitioned. Their rows have the `run_id` and the `chunk` of the run that wrote them.

    `partition` has the value of each column that is not in the files. `left_out` are the numbers of the rows
    that don't count, from 0, by the name of their file.
    """

    table: Table
    files: Sequence[WrittenFile]
    run_id: str
    chunk: int
    partition: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, Collection[int]] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the table in which such rows lie."""
        return "/".join([self.table.name, *(f"{k}={v}" for k, v in self.partition.items())])

    @property
    def schema(self) -> pa.Schema:
        """The columns of the files."""
        return file_schema(self.table)

    @property
    def origin(self) -> str:
        """The run and the chunk, as JSON."""
        return json.dumps({"run_id": self.run_id, "chunk": self.chunk})

    def statistics(self) -> list[str]:
        """Return what a log says of each file, as JSON: no value of any column but these two."""
        return [self.statistics_of(file) for file in self.files]

    def statistics_of(self, file: WrittenFile) -> str:
        """Return what a log says of a file with rows of this part."""
        origin = {"run_id": self.run_id, "chunk": self.chunk}
        said = {"numRecords": file.rows, "minValues": origin, "maxValues": origin}
        return json.dumps(said | {"nullCount": dict.fromkeys(origin, 0)})

    @classmethod
    def recorded(
        cls, folder: str, actions: Sequence[Mapping[str, Any]], table: Table
    ) -> FilePart | None:
        """Return the part of a table that the actions of a log in a folder tell of; None where its rows were
        written in another way."""
        described = (each["metaData"].get("description") for each in actions if "metaData" in each)
        origin = json_object(next(described, None))
        if origin is None or origin.keys() != {"run_id", "chunk"}:
            return None
        added = [each["add"] for each in actions if "add" in each]
        files = [
            WrittenFile(
                f"{folder}/{each['path']}", json.loads(each["stats"])["numRecords"], each["size"]
            )
            for each in added
        ]
        return cls(table, files, **origin)


def file_schema(table: Table) -> pa.Schema:
    """Return the columns that the files of a table have: all but those that it is partitioned by."""
    fields = to_arrow_schema(table.schema)
    return pa.schema([field for field in fields if field.name not in table.partition_by])
