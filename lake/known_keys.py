"""Which object versions and photos the lake knows: the index bronze/known_keys, and how it is asked.

The index has a hash of each object version and of each stored photo that bronze/objects had up to a chunk, in
the order of the hashes. So for a few of them few row groups are read. What came later is read from
bronze/objects itself, as is everything where rows of it changed since. All of the index follows from that
table: it is made anew when what it lacks is a thirty-second of it.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from lake import catalog, delta_rs_reader, fault_points, working_files
from lake.enums import BRONZE, KeyKind, Outcome
from lake.key_index import TOLD, Found, KeyIndex
from lake.key_spool import KEY, KeySpool, as_numpy
from lake.small_tables import with_values

if TYPE_CHECKING:
    from lake.readable_lake import Lake
    from lake.run_journal import LayerRun
    from lake.writable_lake import WritableLake

UNREADABLE = "unreadable "
"""The prefix of the etag of an object that could not be read. The plain etag stays unknown, so that a later
run tries the version again."""

READ = ("chunk", "object", "etag", "outcome", "photo_id", *TOLD[1:])
"""The columns of bronze/objects that the index follows from."""

READ_SCHEMA = pa.schema([("chunk", pa.int64()), *((name, pa.string()) for name in READ[1:])])
"""Their types."""

FEWEST = 100_000
"""The rows of bronze/objects that are read each time, because an index of them would save nothing."""

SHARE = 32
"""The index is made anew when it lacks the SHAREth part of what it has, which is two keys of most objects."""

LAST = int(np.iinfo(np.int64).max)
"""A number above that of every chunk."""

ROWS = pa.schema(
    [("key", KEY), ("chunk", pa.int64()), ("label", pa.string()), ("split", pa.string())]
)
"""What the index says of a key."""


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
        self._made: KeyIndex | None = None
        self._later: tuple[tuple[int, int], pa.Table] | None = None
        self._counted: tuple[tuple[int, int], int | None] = ((-1, -1), None)

    def photos(self, photo_ids: pa.Array, *, before: int) -> dict[str, int]:
        """Return those of the photos that the chunks before a number have stored: the chunk by `photo_id`."""
        found: dict[str, int] = {}
        for each in self.find([KeyKind.PHOTO], photo_ids, before=before):
            is_asked = each.places.is_valid()
            ids = photo_ids.take(each.places.filter(is_asked)).to_pylist()
            found.update(zip(ids, each.told["chunk"].filter(is_asked).to_pylist(), strict=True))
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
        before = LAST if before is None else before
        if index is not None:
            yield from index.find(kinds, keys_of(texts.to_pylist()), before=before)
        rows = self._rows_after(-1 if index is None else index.through_chunk, before=before)
        for objects in _gathered(rows, rows=len(texts)):
            for kind in kinds:
                held = _rows_of(objects, kind)
                places = pc.index_in(held["text"], value_set=texts)
                yield Found(kind, places, held.select(TOLD))

    def _rows_after(self, chunk: int, *, before: int) -> Iterator[pa.RecordBatch]:
        """Yields the rows of bronze/objects of the chunks after a number and before another one. Where no
        more than FEWEST come after it, they stay in memory for the next time."""
        objects = self._lake.log(catalog.OBJECTS).table()
        number = pc.field("chunk")
        earlier = number < before
        rows = self._count_after(chunk)
        if rows is None or rows > FEWEST:
            where = (number > chunk) & earlier
            yield from self._lake.batches(catalog.OBJECTS, columns=READ, where=where)
            return
        version = objects.version(), chunk
        if self._later is None or self._later[0] != version:
            batches = self._lake.batches(catalog.OBJECTS, columns=READ, where=number > chunk)
            parts = (pa.table(batch).cast(READ_SCHEMA) for batch in batches)
            self._later = version, pa.concat_tables([READ_SCHEMA.empty_table(), *parts])
        yield from self._later[1].filter(earlier).to_batches()

    def _count_after(self, chunk: int) -> int | None:
        """The number of rows of bronze/objects of the chunks after a number; None where the log doesn't say
        it. A file that was joined of earlier and later rows is looked into."""
        objects = self._lake.log(catalog.OBJECTS).table()
        version = objects.version(), chunk
        if self._counted[0] != version:
            rows = delta_rs_reader.most_rows(objects, chunks=(chunk + 1, LAST))
            if rows is not None and rows > FEWEST and chunk >= 0:
                rows = delta_rs_reader.dataset(objects).count_rows(filter=pc.field("chunk") > chunk)
            self._counted = version, rows
        return self._counted[1]

    def lacking(self) -> tuple[int | None, int]:
        """Return how many rows of bronze/objects the index lacks, and how many rows it has. The first is None
        where the log doesn't say it."""
        index = self._index()
        if index is None:
            return self._count_after(-1), 0
        rows = delta_rs_reader.most_rows(index.table) or 0
        return self._count_after(index.through_chunk), rows

    def _index(self) -> KeyIndex | None:
        """The index, where it holds of bronze/objects as it is now."""
        table = self._lake.log(catalog.KNOWN_KEYS).table()
        if self._made is None or self._made.version != table.version():
            self._made = KeyIndex.of(table)
        if self._made is not None:
            self._made.table = table  # opened anew now and then, with new credentials
        made, now = self._made, self._lake.version(catalog.OBJECTS)
        if made is None or not self._lake.only_added_to(catalog.OBJECTS, since=made.holds_at):
            return None
        made.holds_at = now
        return made


def fold(lake: WritableLake, *, most: int | None = None, did: LayerRun | None = None) -> bool:
    """Make the index anew where it lacks much of what bronze/objects has, or more than `most` rows of it.
    Returns whether it was.

    The lake works without it. Where the disk for the rows on the way is full, `did` notes it; without `did`
    it raises OSError. Raises Busy.
    """
    try:
        return _fold(lake, most)
    except OSError as error:
        if did is None or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        note = (
            f"The index bronze/known_keys could not be made, because the disk of {working_files.place()} is "
            f"full: all of bronze/objects is read instead; free some of it, or name another folder with "
            f"paths.working."
        )
        if note not in did.notes:
            did.notes.append(note)
        return False


def _fold(lake: WritableLake, most: int | None) -> bool:
    """Make the index anew where that is due, as `fold` does."""
    lacking, held = lake.known_keys.lacking()
    most = max(FEWEST, held // SHARE) if most is None else most
    if lacking is None or lacking <= most:
        return False
    made_from = {"through_chunk": 0, "table_version": lake.version(catalog.OBJECTS)}
    with ExitStack() as spools:
        of = {kind: spools.enter_context(KeySpool(ROWS)) for kind in KeyKind}
        for batch in lake.batches(catalog.OBJECTS, columns=READ):
            last = pc.max(batch.column("chunk")).as_py() or 0
            made_from["through_chunk"] = max(made_from["through_chunk"], last)
            for kind, spool in of.items():
                rows = _rows_of(pa.table(batch), kind)
                spool.add(rows.append_column("key", keys_of(rows["text"].to_pylist())))
        ranges = [(kind, spool.ranges()) for kind, spool in of.items()]
        rows = (
            with_values(part, {"of": kind.value, **made_from})
            for kind, parts in ranges
            for part in map(_once, parts)
        )
        lake.replace_all(catalog.KNOWN_KEYS, rows, layer=BRONZE)
    fault_points.at("bronze: index of keys made")
    return True


def _once(rows: pa.Table) -> pa.Table:
    """Return sorted rows without those that have the key of the one before: an object that could not be read
    may have a row for each run that tried it."""
    keys = as_numpy(rows["key"].combine_chunks())
    return rows.filter(pa.array(np.append(True, keys[1:] != keys[:-1])))


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
    told = (pc.if_else(is_nothing, "", rows[name].cast(pa.string())) for name in TOLD[1:])
    return pa.table([rows["chunk"], *told], names=TOLD)


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
