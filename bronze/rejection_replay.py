"""Rejected objects taken through bronze once more, after a limit, a setting or the code changed.

They make chunks of their own, whose sources are the chunks that rejected them (`bronze.second_tries`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import to_arrow_schema

from bronze import bronze_layer
from bronze.bronze_layer import BronzeChunks
from bronze.bronze_rows import ARCHIVED, UNREAD
from bronze.landing import Arrival, Landing
from bronze.listed_objects import ListedObjects
from bronze.new_objects import Mark, marker
from bronze.rejection_causes import READ_BY, Reader
from bronze.second_tries import TRIED
from bronze.waiting_rejections import rejected_rows
from conf.errors import BadInput, hint
from conf.settings import ChunkSettings
from lake import catalog
from lake.chunks import Chunk, ChunkPlan, batches
from lake.context import Context
from lake.enums import BRONZE, Outcome
from lake.publication import Publication
from lake.readable_lake import Lake

ASKED_EACH_RUN = (UNREAD, ARCHIVED)
"""The reasons of objects that could not be read: each run asks for them again by itself."""

NOTHING = "no object is rejected that could be tried again: there is nothing to replay."


@dataclass(frozen=True)
class SecondTry:
    """A row of bronze/rejected with the `etag` of its object version, and the version as it lies in the
    landing folder; None where it has gone from there."""

    row: Mapping[str, Any]
    arrival: Arrival | None

    @property
    def size(self) -> tuple[int, int]:
        """What it adds to a chunk: the number of photos (1) and of bytes."""
        return 1, 0 if self.arrival is None else self.arrival.landing.size


def replay(context: Context, *, reason: str | None, tombstones: frozenset[str]) -> None:
    """Take through bronze what was rejected and still lies in the landing folder, or what was for one reason.

    `tombstones` are those that hold. Raises BadInput where nothing has that reason, or there is no landing
    folder; Busy.
    """
    landing = Landing.of(context.settings)
    landing.check()
    bronze = Publication(context.lake, BronzeChunks(context.lake), context.did)
    bronze.finish()
    with bronze_layer.listed(context, landing) as found:
        mark = marker(context.pseudonyms, tombstones)
        tries = second_tries(context.lake, found, reason=reason, mark=mark)
    parts = groups(tries, context.settings.chunks)
    left = len(tries)
    for chunk, group in zip(bronze.plan(list(map(plan, parts))), parts, strict=True):
        read = partial(stage, context, landing, group, tombstones=tombstones)
        left -= bronze.publish(bronze.stage(chunk, read)).counts["in"]
    _note(context, tries, gone=left)


def _note(context: Context, tries: Sequence[SecondTry], *, gone: int) -> None:
    """Note what became of the objects, of which so many are `gone`, and what to do next.

    The counts of the run may be those of chunks, too, that an earlier run had left staged.
    """
    did, landing = context.did, context.settings.paths.landing
    kept = did.counts.get("kept")
    if not (tries or did.counts):
        did.notes.append(NOTHING)
    if kept:
        did.notes.append(
            f"{kept:,} objects are photos now; run.py --layer all takes them on to silver and gold."
        )
    if gone:
        did.notes.append(
            f"{gone:,} rejected objects have left the landing folder {landing}, or can't be read now: they "
            f"stay rejected; send again what should come in, and run this command again where the files keep "
            f"their times."
        )


def second_tries(
    lake: Lake, listed: ListedObjects, *, reason: str | None, mark: Mark
) -> list[SecondTry]:
    """Return what bronze/rejected holds, or holds for one reason, with the landing objects, in the order of
    their arrival. `mark` marks those of erased subjects.

    Raises BadInput where nothing was rejected for that reason, or each run asks for it anyway.
    """
    known = lake.log(catalog.REJECTED).table()
    held = rejected_rows(known, catalog.REJECTED.column_names).to_pylist()
    rows = [row for row in held if row["reason"] not in ASKED_EACH_RUN]
    reasons = Counter(row["reason"] for row in rows)
    if reason is not None and reason not in reasons:
        otherwise = f"the reasons are {', '.join(sorted(reasons)) or 'none'}."
        if reason in ASKED_EACH_RUN:
            otherwise = "each run with --layer bronze asks for objects that could not be read."
        nearest = hint(reason, reasons, otherwise=otherwise)
        raise BadInput(f"No rejected object to replay has the reason {reason}; {nearest}")
    wanted = [row for row in _with_etags(lake, rows) if reason in (None, row["reason"])]
    there = sorted(
        map(mark, listed.of({row["object"] for row in wanted})),
        key=lambda each: (each.landing.modified_ns, each.landing.path),
    )
    placed = (replace(each, position=place) for place, each in enumerate(there))
    by_version = {(each.key, each.landing.etag): each for each in placed}
    found = [SecondTry(row, by_version.get((row["object"], row["etag"]))) for row in wanted]
    return sorted(found, key=lambda each: each.arrival.position if each.arrival else len(there))


def _with_etags(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the etags of their object versions, which bronze/objects has."""
    wanted = {(row["object"], row["chunk"]): row for row in rows}
    objects = lake.batches(
        catalog.OBJECTS,
        columns=["object", "chunk", "etag"],
        where=pc.field("outcome") == Outcome.REJECTED.value,
    )
    found = []
    for batch in objects:
        columns = (batch.column(name).to_pylist() for name in ("object", "chunk", "etag"))
        for key, number, etag in zip(*columns, strict=True):
            if row := wanted.get((key, number)):
                found.append({**row, "etag": etag})
    return found


def groups(tries: Sequence[SecondTry], bounds: ChunkSettings) -> list[list[SecondTry]]:
    """Return the tries in their order, a group for each chunk."""
    return list(
        batches(
            tries,
            size=lambda each: each.size,
            max_photos=bounds.max_photos,
            max_bytes=bounds.max_bytes,
        )
    )


def plan(group: Sequence[SecondTry]) -> ChunkPlan:
    """Return the chunk that holds a group of tries."""
    numbers = [each.row["chunk"] for each in group]
    photos, size = map(sum, zip(*(each.size for each in group), strict=True))
    return ChunkPlan(
        layer=BRONZE,
        source_from=min(numbers),
        source_to=max(numbers),
        photos=photos,
        bytes=size,
    )


def stage(
    context: Context,
    landing: Landing,
    group: Sequence[SecondTry],
    chunk: Chunk,
    *,
    tombstones: frozenset[str],
) -> None:
    """Read and clean the objects of a chunk again, and stage them with the rows of their refusals.

    The rows of objects that have gone say that this code and these settings read them: nothing waits for
    them.
    """
    reader = Reader.of(context.settings.photos)
    fields = to_arrow_schema(catalog.REJECTED.schema).append(pa.field("etag", pa.string()))
    rows = [{**each.row, **({} if each.arrival else {READ_BY: str(reader)})} for each in group]
    context.lake.staging.write_rows(chunk, TRIED, pa.Table.from_pylist(rows, fields))
    there = [each.arrival for each in group if each.arrival]
    bronze_layer.stage(context, landing, there, chunk, tombstones=tombstones)
