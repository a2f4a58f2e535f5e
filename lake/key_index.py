"""The index bronze/known_keys as it is read: of few keys, few of its row groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from lake import arrow_reads, delta_rs_reader
from lake.enums import KeyKind
from lake.key_spool import KEY, as_numpy

TOLD = ("chunk", "label", "split")
"""What is known of a key: the number of the chunk of its row in bronze/objects, and what an object version
told of its photo."""

AT_ONCE = 32
"""The row groups that are read at a time."""


@dataclass(frozen=True)
class Found:
    """Known keys of one kind. `places` are theirs among the texts that were asked for, null where a key is
    none of them. `told` has the columns TOLD, of photos perhaps the first alone; label and split are empty
    where nothing was told, and null where earlier code didn't keep it."""

    kind: KeyKind
    places: pa.Array | pa.ChunkedArray
    told: pa.Table


@dataclass
class KeyIndex:
    """A version of the index. It has the rows of bronze/objects of the chunks up to `through_chunk`, and
    `holds_at` is the last version of that table of which it is known that it holds."""

    table: Any
    version: int
    through_chunk: int
    holds_at: int
    groups: dict[str, Groups] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Any) -> KeyIndex | None:
        """The index as delta-rs' table has it; None where it has no row."""
        columns = ["through_chunk", "table_version"]
        rows = delta_rs_reader.dataset(table).head(1, columns=columns).to_pylist()
        return cls(table, table.version(), *rows[0].values()) if rows else None

    def find(self, kinds: Collection[KeyKind], keys: pa.Array, *, before: int) -> Iterator[Found]:
        """Yield what it says of keys of some kinds, of the chunks before a number. Only row groups that may
        have one are read."""
        plain = as_numpy(keys)
        order = np.argsort(plain, kind="stable")
        wanted = plain[order]
        found = delta_rs_reader.dataset(self.table)
        for fragment in found.get_fragments():
            read = partial(self._read, fragment.path, found.filesystem, kinds, wanted)
            for rows in arrow_reads.resumed(read):
                for kind in kinds:
                    own = pa.table(rows).filter(
                        (pc.field("of") == kind.value) & (pc.field("chunk") < before)
                    )
                    held = as_numpy(own["key"].combine_chunks().cast(KEY))
                    near = np.minimum(np.searchsorted(wanted, held), len(wanted) - 1)
                    places = pa.array(order[near], mask=wanted[near] != held)
                    yield Found(kind, places, own.drop_columns(["key", "of"]))

    def _read(
        self, path: str, files: Any, kinds: Collection[KeyKind], wanted: np.ndarray
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows of the row groups of a file in which keys of some kinds may be."""
        with pyarrow.parquet.ParquetFile(path, filesystem=files, pre_buffer=True) as file:
            if path not in self.groups:
                self.groups[path] = Groups.of(file.metadata)
            groups = self.groups[path].with_any(kinds, wanted)
            told = TOLD[:1] if set(kinds) == {KeyKind.PHOTO} else TOLD
            for begin in range(0, len(groups), AT_ONCE):
                rows = file.read_row_groups(groups[begin : begin + AT_ONCE], ["key", "of", *told])
                yield from rows.combine_chunks().to_batches()


@dataclass(frozen=True)
class Groups:
    """The first and the last key, and the first and the last kind, of each row group of a file: [n] each."""

    first_key: np.ndarray
    last_key: np.ndarray
    first_kind: np.ndarray
    last_kind: np.ndarray

    @classmethod
    def of(cls, metadata: Any) -> Groups:
        """Those of a file, by its statistics."""
        places = {metadata.schema.column(at).name: at for at in range(metadata.num_columns)}
        groups = list(map(metadata.row_group, range(metadata.num_row_groups)))
        of, key = ([g.column(places[name]).statistics for g in groups] for name in ("of", "key"))
        width = f"S{KEY.byte_width}"
        return cls(
            np.array([each.min for each in key], width),
            np.array([each.max for each in key], width),
            np.array([each.min for each in of]),
            np.array([each.max for each in of]),
        )

    def with_any(self, kinds: Collection[KeyKind], wanted: np.ndarray) -> list[int]:
        """Return the row groups that may have one of some sorted keys of one of some kinds, in order."""
        first = np.searchsorted(wanted, self.first_key, side="left")
        last = np.searchsorted(wanted, self.last_key, side="right")
        is_of = np.zeros(len(first), bool)
        for kind in kinds:
            is_of |= (self.first_kind <= kind.value) & (kind.value <= self.last_kind)
        return np.flatnonzero(is_of & (first < last)).tolist()
