"""Finds the bytes of a photo that may be shown as a picture, with few reads however large the lake is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake import arrow_reads, catalog, delta_rs_reader
from lake.delta_log import DeltaLog
from report.thumbnails import WITHOUT_SUBJECT

DIGITS = 16
"""The hex digits that the index keeps of an id and of the hash of a photo's original bytes. Where two photos
share them, one more group of rows is read, or a picture is missing."""

Keys = NDArray[np.bytes_]


@dataclass(frozen=True)
class IndexedFile:
    """What the index keeps of a file of bronze/photos, n photos: the beginnings of their `ids`, S16[n], their
    row `groups`, int32[n], and the beginnings of the hashes of those m that are of a person, `owned`, S16[m].
    """

    ids: Keys
    groups: NDArray[np.int32]
    owned: Keys

    @classmethod
    def of(cls, file: Any, schema: Any) -> IndexedFile:
        """Read the narrow columns of a file, which is a fragment of Arrow's dataset with this schema."""
        rows = arrow_reads.table(
            file,
            schema=schema,
            columns={
                "photo_id": pc.field("photo_id"),
                "original": pc.field("original"),
                "is_owned": ~WITHOUT_SUBJECT,
            },
        )
        sizes = [group.num_rows for group in file.row_groups]
        return cls(
            keys(rows["photo_id"]),
            np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            keys(rows["original"].filter(rows["is_owned"])),
        )


NOTHING = IndexedFile(*(np.empty(0, kind) for kind in (f"S{DIGITS}", "i4", f"S{DIGITS}")))


def keys(texts: Any) -> Keys:
    """Return the beginnings of texts, an array of Arrow, as the index keeps them."""
    return np.array(pc.utf8_slice_codeunits(texts, 0, DIGITS).to_pylist(), f"S{DIGITS}")


@dataclass(frozen=True)
class FileTable:
    """All files of one version of bronze/photos, and one index over them.

    `files` are fragments of Arrow's dataset, by path in the order of the index. `row_ids` are the beginnings
    of all ids in ascending order, `rows` the number of the row of each, and `first_rows` that of the first
    row of each file. `owned` are the beginnings of the hashes of people's photos, in ascending order.
    """

    files: dict[str, Any]
    schema: Any
    indexed: dict[str, IndexedFile]
    row_ids: Keys
    rows: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    owned: Keys

    @classmethod
    def of(cls, table: Any, indexed: dict[str, IndexedFile]) -> FileTable:
        """Index delta-rs' table in the version that it knows.

        `indexed` are files that were read before; files of Delta never change. Those that are new are read
        and added to it.
        """
        dataset = delta_rs_reader.dataset(table)
        files = {file.path: file for file in dataset.get_fragments()}
        for path, file in files.items():
            if path not in indexed:
                indexed[path] = IndexedFile.of(file, dataset.schema)
        own = {path: indexed[path] for path in files}
        every = [NOTHING, *own.values()]
        ids = np.concatenate([each.ids for each in every])
        rows = np.argsort(ids, kind="stable")
        ends = np.cumsum([len(each.ids) for each in own.values()], dtype=np.int64)
        owned = np.unique(np.concatenate([each.owned for each in every]))
        first_rows = np.concatenate([np.zeros(1, np.int64), ends])[:-1]
        return cls(files, dataset.schema, own, ids[rows], rows, first_rows, owned)

    def content(self, photo_id: str) -> bytes | None:
        """Return the bytes of a photo, as `PictureIndex.content` does."""
        key = np.bytes_(photo_id[:DIGITS].encode())
        first, after = (np.searchsorted(self.row_ids, key, side) for side in ("left", "right"))
        for row in self.rows[first:after]:
            number = int(np.searchsorted(self.first_rows, row, "right")) - 1
            found = self._read(photo_id, number, int(row - self.first_rows[number]))
            if found is not None:
                return found
        return None

    def _read(self, photo_id: str, number: int, row: int) -> bytes | None:
        """The bytes of a photo, where it is in the row group of this row of a file and may be shown."""
        path = list(self.files)[number]
        group = self.files[path].subset(row_group_ids=[int(self.indexed[path].groups[row])])
        is_it = (pc.field("photo_id") == photo_id) & WITHOUT_SUBJECT
        columns = ["original", "content"]
        found = arrow_reads.table(group, filter=is_it, schema=self.schema, columns=columns)
        is_free = ~self._are_owned(keys(found["original"]))
        contents: list[bytes] = found["content"].filter(pa.array(is_free)).to_pylist()
        return contents[0] if contents else None

    def _are_owned(self, originals: Keys) -> NDArray[np.bool_]:
        """Whether each of some hashes is one of a person's photo. NumPy's `isin` would sort all of them."""
        first, after = (np.searchsorted(self.owned, originals, side) for side in ("left", "right"))
        return np.asarray(first < after)


@dataclass
class PictureIndex:
    """Where the photos of a lake lie, and which of them may be shown.

    The first look-up reads ids and hashes of the whole of bronze/photos, and later ones those of files that
    are new: nothing of them is read twice. A picture costs a look at the Delta log and one group of rows.
    A million photos take 80 MB at most. All calls must come from one thread.
    """

    root: str
    _log: DeltaLog = field(init=False)
    _indexed: dict[str, IndexedFile] = field(init=False, default_factory=dict)
    _opened: Any = field(init=False, default=None)
    _version: int = field(init=False, default=-1)
    _table: FileTable | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._log = DeltaLog(self.root, catalog.PHOTOS)

    def content(self, photo_id: str) -> bytes | None:
        """Return the bytes of a photo as it lies in the lake now.

        It is None where there is no such photo, and where it is a photo of a person or a copy of one. Raises
        BadInput where there is no lake, and the errors of Arrow and of delta-rs where it can't be read.
        """
        try:
            return self._current().content(photo_id)
        except Exception:
            # Another lake may lie there by now. What is known of files stays: their names never come again.
            self._log, self._table = DeltaLog(self.root, catalog.PHOTOS), None
            raise

    def _current(self) -> FileTable:
        """The files as they are now."""
        opened = self._log.table()
        # The log opens the table anew before credentials of S3 end, and then the files need new ones.
        if self._table is None or opened is not self._opened or opened.version() != self._version:
            self._table = FileTable.of(opened, self._indexed)
            self._indexed = self._table.indexed
            self._opened, self._version = opened, opened.version()
        return self._table
