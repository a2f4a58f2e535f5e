"""Which object versions and photos the lake knows: the index bronze/known_keys, and how it is asked.

The index has a hash of each object version and of each stored photo that bronze/objects had up to a chunk, in
the order of the hashes. So for a few of them few row groups are read. What came later is read from
bronze/objects itself, as is everything where rows of it changed since. All of the index follows from that
table: it is made anew when what it lacks is an eighth of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from lake import arrow_reads, catalog, delta_rs_reader
from lake.enums import BRONZE, KeyKind, Outcome
from lake.key_spool import KEY, KeySpool, as_numpy
from lake.small_tables import with_values

if TYPE_CHECKING:
    from lake.readable_lake import Lake
    from lake.writable_lake import WritableLake

UNREADABLE = "unreadable "
"""The prefix of the etag of an object that could not be read. The plain etag stays unknown, so that a later
run tries the version again."""

TOLD = ("label", "split")
"""The columns that say what an object version told of its photo."""

READ = ("object", "etag", "outcome", "photo_id", *TOLD)
"""The columns of bronze/objects that the index follows from."""

FEWEST = 100_000
"""The rows of bronze/objects that are read each time, because an index of them would save nothing."""

SHARE = 8
"""The index is made anew when it lacks the SHAREth part of what it has."""

GROUPS = 32
"""The row groups that are read at a time."""

ROWS = pa.schema([pa.field("key", KEY), *(pa.field(name, pa.string()) for name in TOLD)])
"""What the index says of a key."""


@dataclass(frozen=True)
class Found:
    """Known keys of one kind. `places` are theirs among the texts that were asked for, null where a key is
    none of them. `told` has the columns TOLD; label and split are empty where nothing was told, and null
    where earlier code didn't keep it."""

    kind: KeyKind
    places: pa.Array | pa.ChunkedArray
    told: pa.Table


def version_texts(objects: pa.Array, etags: pa.Array) -> pa.Array:
    """Return one text for each object version. The hash of the object has no space."""
    return pc.binary_join_element_wise(objects, etags, " ")


def keys_of(texts: Iterable[str]) -> pa.Array:
    """Return the keys of object versions or ids of photos, by their texts, of type KEY."""
    return pa.array([sha256(text.encode()).digest()[: KEY.byte_width] for text in texts], KEY)


class KnownKeys:
    """What one run asks of the keys that bronze/objects has."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._held_at: tuple[int, int] | None = None

    def photos(self, photo_ids: pa.Array, *, before: int) -> set[str]:
        """Return those of the photos that the chunks before a number have stored, by `photo_id`."""
        found: set[str] = set()
        for each in self.find([KeyKind.PHOTO], photo_ids, before=before):
            found.update(photo_ids.take(each.places.drop_null()).to_pylist())
        return found

    def find(
        self, kinds: Collection[KeyKind], texts: pa.Array, *, before: int | None = None
    ) -> Iterator[Found]:
        """Yield what is known of some kinds of keys, of all chunks or of those before a number.

        `texts` are different ones: of object versions (`version_texts`), or ids of photos. Keys that are not
        among them may be left out.
        """
        if not len(texts):
            return
        index = self._index()
        is_used = index is not None and (before is None or index.through_chunk < before)
        if index is not None and is_used:
            yield from index.find(kinds, keys_of(texts.to_pylist()))
        number = pc.field("chunk")
        where = number > index.through_chunk if index is not None and is_used else None
        if before is not None:
            earlier = number < before
            where = earlier if where is None else where & earlier
        columns = READ if KeyKind.PHOTO not in kinds else ("outcome", "photo_id", *TOLD)
        rows = self._lake.batches(catalog.OBJECTS, columns=columns, where=where)
        for objects in _gathered(rows, rows=len(texts)):
            for kind in kinds:
                held = _rows_of(objects, kind)
                places = pc.index_in(held["text"], value_set=texts)
                yield Found(kind, places, held.select(TOLD))

    def lacking(self) -> tuple[int | None, int]:
        """Return how many rows of bronze/objects the index lacks, and how many rows it has. The first is None
        where the log doesn't say it."""
        index = self._index()
        chunks = None if index is None else (index.through_chunk + 1, np.iinfo(np.int64).max)
        objects = self._lake.log(catalog.OBJECTS).table()
        rows = 0 if index is None else delta_rs_reader.most_rows(index.table) or 0
        return delta_rs_reader.most_rows(objects, chunks=chunks), rows

    def _index(self) -> _Index | None:
        """The index, where it holds of bronze/objects as it is now."""
        index = _Index(self._lake.log(catalog.KNOWN_KEYS).table())
        if index.head is None:
            return None
        made = index.table.version()
        since = index.table_version
        if self._held_at is not None and self._held_at[0] == made:
            since = self._held_at[1]
        now = self._lake.version(catalog.OBJECTS)
        if not self._lake.only_added_to(catalog.OBJECTS, since=since):
            return None
        self._held_at = made, now
        return index


@dataclass(frozen=True)
class _Index:
    """The index as delta-rs' `table` has it."""

    table: Any

    @cached_property
    def head(self) -> dict[str, Any] | None:
        """Its first row; None where it has none."""
        columns = ["through_chunk", "table_version"]
        rows = delta_rs_reader.dataset(self.table).head(1, columns=columns).to_pylist()
        return rows[0] if rows else None

    @property
    def through_chunk(self) -> int:
        """The last chunk whose rows it has."""
        return int(self.head["through_chunk"]) if self.head else -1

    @property
    def table_version(self) -> int:
        """The version of bronze/objects that it was made from."""
        return int(self.head["table_version"]) if self.head else -1

    def find(self, kinds: Collection[KeyKind], keys: pa.Array) -> Iterator[Found]:
        """Yield what it says of keys of some kinds. Only row groups that may have one are read."""
        plain = as_numpy(keys)
        order = np.argsort(plain, kind="stable")
        wanted = plain[order]
        found = delta_rs_reader.dataset(self.table)
        for fragment in found.get_fragments():
            for rows in arrow_reads.resumed(
                partial(_read, fragment.path, found.filesystem, kinds, wanted)
            ):
                for kind in kinds:
                    own = pa.table(rows).filter(pc.field("of") == kind.value)
                    held = as_numpy(own["key"].combine_chunks().cast(KEY))
                    near = np.minimum(np.searchsorted(wanted, held), len(wanted) - 1)
                    places = pa.array(order[near], mask=wanted[near] != held)
                    yield Found(kind, places, own.select(TOLD))


def _read(
    path: str, files: Any, kinds: Collection[KeyKind], wanted: np.ndarray
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the row groups of a file in which keys of some kinds may be."""
    with pyarrow.parquet.ParquetFile(path, filesystem=files, pre_buffer=True) as file:
        groups = _groups(file.metadata, kinds, wanted)
        for begin in range(0, len(groups), GROUPS):
            rows = file.read_row_groups(groups[begin : begin + GROUPS], ["key", "of", *TOLD])
            yield from rows.combine_chunks().to_batches()


def _groups(metadata: Any, kinds: Collection[KeyKind], wanted: np.ndarray) -> list[int]:
    """Return the row groups of a file that may have one of some keys, in order, by their statistics."""
    places = {metadata.schema.column(at).name: at for at in range(metadata.num_columns)}
    found = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        of = group.column(places["of"]).statistics
        key = group.column(places["key"]).statistics
        first = np.searchsorted(wanted, np.bytes_(key.min), side="left")
        last = np.searchsorted(wanted, np.bytes_(key.max), side="right")
        if first < last and any(of.min <= kind <= of.max for kind in kinds):
            found.append(number)
    return found


def fold(lake: WritableLake) -> bool:
    """Make the index anew where it lacks much of what bronze/objects has. Returns whether it was.

    Raises Busy, and OSError where the disk for its rows on the way is full.
    """
    lacking, held = lake.known_keys.lacking()
    if lacking is not None and lacking <= max(FEWEST, held // SHARE):
        return False
    made_from = {"through_chunk": 0, "table_version": lake.version(catalog.OBJECTS)}
    with ExitStack() as spools:
        of = {kind: spools.enter_context(KeySpool(ROWS)) for kind in KeyKind}
        for batch in lake.batches(catalog.OBJECTS, columns=["chunk", *READ]):
            last = pc.max(batch.column("chunk")).as_py() or 0
            made_from["through_chunk"] = max(made_from["through_chunk"], last)
            for kind, spool in of.items():
                rows = _rows_of(pa.table(batch), kind)
                spool.add(rows.append_column("key", keys_of(rows["text"].to_pylist())))
        rows = (
            with_values(part, {"of": kind.value, **made_from})
            for kind, spool in of.items()
            for part in spool.ranges()
        )
        lake.replace_all(catalog.KNOWN_KEYS, rows, layer=BRONZE)
    return True


def forget(lake: WritableLake, *, layer: str) -> None:
    """Remove all that the index has: keys of rows that have left the lake are among them. Raises Busy."""
    if delta_rs_reader.most_rows(lake.log(catalog.KNOWN_KEYS).table()) != 0:
        lake.replace_all(catalog.KNOWN_KEYS, [], layer=layer)


def _rows_of(objects: pa.Table, kind: KeyKind) -> pa.Table:
    """Return the rows of bronze/objects that make keys of a kind: columns `text` and TOLD."""
    if kind is KeyKind.PHOTO:
        is_stored = pc.field("outcome") == Outcome.STORED.value
        rows = objects.filter(is_stored & pc.field("photo_id").is_valid())
        return _told(rows).append_column("text", rows["photo_id"])
    is_unreadable = pc.starts_with(objects["etag"], UNREADABLE)
    if kind is KeyKind.UNREADABLE:
        rows = objects.filter(is_unreadable)
        etags = pc.utf8_slice_codeunits(rows["etag"], len(UNREADABLE))
    else:
        rows = objects.filter(pc.invert(is_unreadable))
        etags = rows["etag"]
    return _told(rows).append_column("text", version_texts(rows["object"], etags))


def _told(rows: pa.Table) -> pa.Table:
    """Return what object versions told. Earlier code didn't keep it: of its rows only duplicates count as
    having told nothing, as a photo has the label of the object that was stored."""
    is_nothing = pc.and_(
        pc.equal(rows["outcome"], Outcome.DUPLICATE.value), pc.is_null(rows["label"])
    )
    columns = [pc.if_else(is_nothing, "", rows[name].cast(pa.string())) for name in TOLD]
    return pa.table(columns, names=TOLD)


def _gathered(batches: Iterable[pa.RecordBatch], *, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of batches in tables of so many `rows` or more, but for the last one.

    To look up a batch in a list of texts costs as much as the list is long, however small the batch.
    """
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        waiting.append(batch)
        held += batch.num_rows
        if held >= rows:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting, held = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()
