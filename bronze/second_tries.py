"""Chunks of second tries: what a chunk of objects that were rejected before comes to.

What passes now becomes a photo, and its row leaves bronze/rejected; what is refused again keeps its row, with
the reason of now. So bronze/rejected and bronze/objects have one row for each object version, as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bronze.rejection_causes import READ_BY
from lake import catalog
from lake.chunks import Chunk
from lake.enums import Outcome
from lake.known_keys import UNREADABLE
from lake.publication import TableCommit
from lake.writable_lake import WritableLake

TRIED = "tried"
"""The staged part of such a chunk beside its objects: the rows of bronze/rejected that are tried again, each
with the etag of its object version."""


def read_again(facts: pa.Table) -> pa.Table:
    """Return the objects of a chunk that could be read. The others stay as they were rejected before."""
    return facts.filter(pc.invert(pc.starts_with(facts["etag"], UNREADABLE)))


def commits(
    lake: WritableLake,
    chunk: Chunk,
    outcomes: Sequence[Mapping[str, Any]],
    refused: Sequence[Mapping[str, Any]],
) -> list[TableCommit]:
    """Return the commits to bronze/rejected and bronze/objects of a staged chunk of second tries.

    `outcomes` are rows of bronze/objects, and `refused` rows of bronze/rejected, of the objects that were
    read. The rows of objects that are refused no more leave bronze/rejected.
    """
    tried = {(row["object"], row["etag"]): row for row in lake.staging.rows(chunk, TRIED)}
    taken = [row for row in outcomes if row["outcome"] != Outcome.REJECTED]
    leaving = [tried.pop((row["object"], row["etag"])) for row in taken]
    again = {row["object"]: _reading(row) for row in refused}
    for row in outcomes:
        if held := tried.get((row["object"], row["etag"])):
            held.update(again[row["object"]])
    kept = list(tried.values())
    found = []
    if leaving or kept:
        rows, gone = (lake.rows(catalog.REJECTED, each) for each in (kept, leaving))
        upsert = partial(lake.upsert, keys=["object", "chunk"], chunk=chunk, leaving=gone)
        found.append(TableCommit(catalog.REJECTED, partial(upsert, catalog.REJECTED, rows)))
    if taken:
        rows = lake.rows(catalog.OBJECTS, taken)
        upsert = partial(lake.upsert, keys=["object", "etag"], chunk=chunk)
        found.append(TableCommit(catalog.OBJECTS, partial(upsert, catalog.OBJECTS, rows)))
    return found


def _reading(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a refusal says of why, by what the object was read, and where it lies: nothing of a path is
    kept as long as it is uncertain whose it is."""
    return {name: row[name] for name in ("subject", "path", "reason", "detail", READ_BY)}
