"""The objects of a landing folder as they were listed once, and what their paths say.

They lie outside memory where they are many: what is in memory doesn't grow with their number.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from bronze.labels import Labels
from bronze.landing import Arrival, LandingObject, Listing, ListingCounts, arrival
from lake.key_spool import KEY, KeySpool
from lake.known_keys import keys_of
from lake.pseudonyms import Pseudonyms
from lake.spool_file import OutsideMemory

PART = 1 << 15
"""The most objects that are in memory as such."""

SECOND = 10**9
"""The nanoseconds of a second. Those of a time of a broken disk may be too many for 64 bits."""

FACTS = pa.schema(
    [
        ("seconds", pa.int64()),
        ("nanoseconds", pa.int64()),
        ("path", pa.binary()),
        ("size", pa.int64()),
        ("tag", pa.string()),
        ("is_archived", pa.bool_()),
    ]
)
"""What a listing tells of an object (`LandingObject`). A path may be no UTF-8."""

ARRIVED = ("seconds", "nanoseconds", "path")
"""The columns of FACTS by which objects are in the order of their arrival."""

KEYED = pa.schema([("key", KEY), ("object", pa.string()), ("etag", pa.string()), *FACTS])
"""The same, with the keyed hash of the object's path, its etag, and the key of both (`lake.known_keys`)."""


class ListedObjects(OutsideMemory):
    """The objects of a landing folder, listed when the context begins. `counts` tells of the listing, and
    `is_whole` whether it is one of all objects.

    Raises BadInput where there is no such folder, or it can't be listed; OSError where the disk is full.
    """

    def __init__(self, listing: Listing, pseudonyms: Pseudonyms, labels: Labels) -> None:
        self.counts = ListingCounts()
        self.is_whole = listing.is_whole
        self._listing = listing
        self._pseudonyms = pseudonyms
        self._labels = labels
        self._spool = KeySpool(KEYED)

    def __enter__(self) -> Self:
        listed = self._listing.objects(self.counts)
        while objects := list(islice(listed, PART)):
            self._spool.add(keyed(objects, map(self._pseudonyms.path, (o.path for o in objects))))
        return self

    def close(self) -> None:
        """Gives the file up."""
        self._spool.close()

    @property
    def are_many(self) -> bool:
        """Whether they are too many to be in memory."""
        return self._spool.is_in_file

    def parts(self) -> Iterator[pa.Table]:
        """Yields every object, KEYED, in the order of keys, no more than PART at a time."""
        for rows in self._spool.ranges():
            for begin in range(0, rows.num_rows, PART):
                yield rows.slice(begin, PART)

    def arrivals(self) -> Iterator[Arrival]:
        """Yields every object, those with keys that are near one another together."""
        for rows in self.parts():
            yield from map(self.arrival, _facts(rows))

    def told(self, rows: pa.Table) -> pa.Table:
        """What the paths of some objects tell, in their order: label and split, empty for nothing."""
        found = list(map(self.arrival, _facts(rows)))
        labels = pa.array([each.label or "" for each in found], pa.string())
        splits = pa.array([each.split or "" for each in found], pa.string())
        return pa.table({"label": labels, "split": splits})

    def of(self, objects: Collection[str]) -> Iterator[Arrival]:
        """Yields those objects the keyed hash of whose path is among some."""
        if objects:
            wanted = pa.array(sorted(objects), pa.string())
            for rows in self._spool.ranges():
                yield from map(self.arrival, _facts(rows.filter(pc.field("object").isin(wanted))))

    def arrival(self, facts: Mapping[str, Any], *, position: int = 0) -> Arrival:
        """An object of some FACTS, and what its path says."""
        listed = LandingObject(
            os.fsdecode(facts["path"]),
            facts["size"],
            facts["seconds"] * SECOND + facts["nanoseconds"],
            facts["tag"],
            facts["is_archived"],
        )
        return arrival(listed, position=position, pseudonyms=self._pseudonyms, labels=self._labels)


def keyed(objects: Sequence[LandingObject], hashes: Iterable[str]) -> pa.Table:
    """Return objects as KEYED, with the keyed hashes of their paths."""
    found, etags = list(hashes), [each.etag for each in objects]
    versions = (f"{key} {etag}" for key, etag in zip(found, etags, strict=True))
    rows = facts_of(objects).append_column("object", pa.array(found, pa.string()))
    rows = rows.append_column("etag", pa.array(etags, pa.string()))
    return rows.append_column("key", keys_of(versions)).select(KEYED.names)


def facts_of(objects: Iterable[LandingObject]) -> pa.Table:
    """Return the FACTS of objects."""
    rows = []
    for each in objects:
        seconds, nanoseconds = divmod(each.modified_ns, SECOND)
        path, tag = os.fsencode(each.path), each.tag
        rows.append((seconds, nanoseconds, path, each.size, tag, each.is_archived))
    return pa.Table.from_pylist([dict(zip(FACTS.names, row, strict=True)) for row in rows], FACTS)


def _facts(rows: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in rows.select(FACTS.names).to_batches(max_chunksize=1024):
        yield from batch.to_pylist()
