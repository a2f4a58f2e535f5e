"""Rejected objects that wait for somebody to replay them: the settings or the code have changed since they
were refused, and may let them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bronze.bronze_rows import UNCERTAIN_SUBJECT, modified_at
from bronze.landing import Arrival
from bronze.listed_objects import ListedObjects
from bronze.rejection_causes import Reader, may_pass, with_reader
from conf.settings import PhotoSettings
from lake import catalog, delta_rs_reader
from lake.readable_lake import Lake
from lake.run_journal import LayerRun

COLUMNS = ("object", "size_bytes", "uploaded_at", "reason", "detail", "read_by")


def waiting(root: str, photos: PhotoSettings) -> int:
    """Return how many rows of bronze/rejected may be photos by the settings and the code of now.

    `root` is that of a lake. Objects that have left the landing folder count until somebody replays them.
    """
    rejected = rejected_rows(delta_rs_reader.delta_table(root, catalog.REJECTED), COLUMNS)
    return may_pass(rejected, Reader.of(photos)).num_rows


def sentence(objects: int) -> str:
    """Return what to do with so many waiting objects."""
    return (
        f"{objects:,} rejected objects may be photos by the settings and the code of now; run.py replay "
        f"--rejected takes them through bronze again"
    )


def note(lake: Lake, listed: ListedObjects, photos: PhotoSettings, did: LayerRun) -> None:
    """Note how many of the rejected objects in the landing folder wait, and the command that takes them in.

    An object whose path tells by now whose it is waits, too. Where only a part of the folder was listed,
    those that may have left it count as well, as for `waiting`.
    """
    rejected = rejected_rows(lake.log(catalog.REJECTED).table(), COLUMNS)
    may = may_pass(rejected, Reader.of(photos))
    uncertain = rejected.filter(pc.field("reason") == UNCERTAIN_SUBJECT)
    rows = [*may.to_pylist(), *uncertain.to_pylist()]
    by_key = {each.key: each for each in listed.of({row["object"] for row in rows})}
    count = sum(_is_there(row, by_key.get(row["object"])) for row in rows)
    if not listed.is_whole:
        count = may.num_rows
    if count and (told := f"{sentence(count)}.") not in did.notes:
        did.notes.append(told)


def rejected_rows(known: Any, columns: Sequence[str]) -> pa.Table:
    """Return columns of bronze/rejected, of which a table of earlier code may lack `read_by`.

    `known` is delta-rs' table.
    """
    held = delta_rs_reader.dataset(known).schema.names
    found = delta_rs_reader.read(known, columns=[name for name in columns if name in held])
    return with_reader(found)


def _is_there(row: Mapping[str, Any], arrival: Arrival | None) -> bool:
    """Return whether the version that a row is about lies in the landing folder, and its path is clear."""
    return (
        arrival is not None
        and not arrival.is_uncertain
        and arrival.landing.size == row["size_bytes"]
        and modified_at(arrival.landing) == row["uploaded_at"]
    )
