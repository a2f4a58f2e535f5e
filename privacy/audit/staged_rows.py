"""Staged rows as an audit reads them: files of chunks that are not published, without Spark or a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import delta_log
from lake.chunks_table import chunks_in
from lake.enums import BRONZE
from lake.staging import FOLDER
from lake.storage.folder import Folder
from privacy.owned_rows import OwnedKeys

KEYS = ("photo_id", "subject", "object")
"""The columns with keys that parts of staged chunks may have."""


@dataclass(frozen=True)
class StagedRows:
    """The rows that lie staged in a lake, whether their chunk is still to be published or was given up."""

    files: Folder

    def owned(self, owned: OwnedKeys) -> tuple[list[dict[str, Any]], int]:
        """Return the staged rows that are somebody's, with those of the columns `KEYS` that their part has,
        and the number of files that can't be read. What several parts of a chunk have of a photo counts once.
        """
        found: list[dict[str, Any]] = []
        unread = 0
        for _, names in groupby(self._names, key=_chunk_folder):
            rows, more = self._read(names, KEYS, lambda rows: owned.among(rows, KEYS))
            found += _each_once(rows)
            unread += more
        return found, unread

    def photo_ids(self, beginning: str) -> set[str]:
        """Return the ids of staged photos that begin with a text."""
        wanted = pc.starts_with(pc.field("photo_id"), beginning)
        names = self._names
        rows, _ = self._read(names, ["photo_id"], lambda found: found.filter(wanted))
        return {row["photo_id"] for row in rows}

    def of_bronze(
        self, columns: Sequence[str], keep: Callable[[pa.Table], pa.Table]
    ) -> list[dict[str, Any]]:
        """Return the rows that `keep` selects, with some columns, of unpublished chunks of bronze.

        A part that lacks one of the columns has no such rows.
        """
        if not self._names:
            return []
        chunks = chunks_in(self.files.root).values()
        places = tuple(
            f"{FOLDER}/{chunk.layer}-{chunk.number}/"
            for chunk in chunks
            if chunk.layer == BRONZE and chunk.is_unfinished
        )
        names = [name for name in self._names if name.startswith(places)]
        return self._read(names, columns, keep, needs_all=True)[0]

    @cached_property
    def _names(self) -> Sequence[str]:
        """The names of the Parquet files that lie staged, without those of logs."""
        lying = sorted(self.files.current(FOLDER))
        return [n for n in lying if n.endswith(".parquet") and f"/{delta_log.FOLDER}/" not in n]

    def _read(
        self,
        names: Iterable[str],
        columns: Sequence[str],
        keep: Callable[[pa.Table], pa.Table],
        *,
        needs_all: bool = False,
    ) -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        unread = 0
        for name in names:
            try:
                with (
                    self.files.open(name) as raw,
                    pq.ParquetFile(raw, page_checksum_verification=True) as file,
                ):
                    known = [each for each in columns if each in file.schema_arrow.names]
                    if not known or (needs_all and len(known) < len(columns)):
                        continue
                    for batch in file.iter_batches(columns=known, use_threads=False):
                        found += keep(pa.Table.from_batches([batch])).to_pylist()
            except FileNotFoundError:
                continue  # a run has published or removed it meanwhile
            except (OSError, ValueError, pa.ArrowException):
                unread += 1
        return found, unread


def _chunk_folder(name: str) -> str:
    """Return the folder of a staged file's chunk."""
    return "/".join(name.split("/")[:2])


def _each_once(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one chunk without those that say no more of a photo than another one."""
    objects = {row["photo_id"] for row in rows if row.get("photo_id") and row.get("object")}
    once = {}
    for row in rows:
        if row.get("object") or row.get("photo_id") not in objects:
            once[row.get("photo_id"), row.get("object"), row.get("subject")] = row
    return list(once.values())
