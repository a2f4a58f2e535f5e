"""gold/moments: the moments of each model as the table holds them, and how they follow silver/embeddings.

A fit needs all of them, while the gate of silver needs their centre alone, and a row takes 13 MB at 1,280
values. So a run that fits nothing leaves new embeddings to wait, until they are many, or the moments old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException

from conf.errors import Inconsistent
from gold.moments import DIFFER, NOT_FINITE, Moments, fold, mean
from lake import catalog, delta_log, fault_points
from lake.chunks import Chunk, NoChunk
from lake.enums import GOLD
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.writable_lake import WritableLake

WAITING = 8
"""Embeddings wait until there are so many times as many of them as an embedding has values: a row of d × d
float64 is then a quarter of the bytes of the embeddings that it is written for."""

OLDEST = timedelta(days=7)
"""Moments that are pinned to an older version of silver/embeddings let no embedding wait: what came since is
asked of its log, which ends after its retention. Without it they are taken anew from all rows."""

PLACE = ("shift", "through_chunk", "table_version")
"""The columns of a row that tell how far it is, without the large ones."""


@dataclass(frozen=True)
class StoredMoments:
    """A row of gold/moments: the moments of a model's embeddings up to a silver chunk, and the version of
    silver/embeddings that they were folded from."""

    moments: Moments
    through_chunk: int
    table_version: int


def stored(lake: Lake, weights_id: str) -> StoredMoments | None:
    """The row of a model; None where it has none."""
    rows = lake.records(catalog.MOMENTS, where=pc.field("weights_id") == weights_id)
    if not rows:
        return None
    [row] = rows
    return StoredMoments(Moments.read(row), row["through_chunk"], row["table_version"])


def store(lake: WritableLake, moments: Moments, *, weights_id: str, through: int) -> None:
    """Writes the row of a model, pinned to the version of silver/embeddings that it was folded from.

    Raises Inconsistent where a value is not finite: the moments would stay so for good. Raises Busy.
    """
    if not np.isfinite(moments.sum).all() or not np.isfinite(moments.gram).all():
        raise _useless(weights_id, NOT_FINITE)
    held = StoredMoments(moments, through, lake.version(catalog.EMBEDDINGS))
    _put(lake, held, weights_id=weights_id)
    fault_points.at("gold: moments folded")


def leave_shifts(lake: WritableLake) -> None:
    """Moves the moments of every model to a shift that depends on no embedding which has left them.

    Whatever removes embeddings does that for its model. Earlier code did not, so a shift may have been made
    of embeddings that left long ago. What the moments are pinned to stays. Raises Busy.
    """
    for weights_id, moved in off_the_mean(lake):
        _put(lake, moved, weights_id=weights_id)
        fault_points.at("gold: moments moved")


def off_the_mean(lake: Lake) -> Iterator[tuple[str, StoredMoments]]:
    """Yield each model whose moments have another shift than the mean of its embeddings, with the row that
    has the mean for its shift."""
    for row in lake.records(catalog.MOMENTS, columns=["weights_id"]):
        held = stored(lake, row["weights_id"])
        assert held is not None
        moved = held.moments.recentred()
        if not np.array_equal(moved.shift, held.moments.shift):
            yield row["weights_id"], replace(held, moments=moved)


def pins(lake: Lake) -> list[dict[str, Any]]:
    """The models whose stored moments are those of silver's rows (`weights_id`), each with the version of
    silver/embeddings that they are pinned to (`table_version`)."""
    rows = lake.records(catalog.MOMENTS, columns=["weights_id"])
    held = ((row["weights_id"], stored(lake, row["weights_id"])) for row in rows)
    return [
        {"weights_id": weights_id, "table_version": found.table_version}
        for weights_id, found in held
        if found and match_silver(lake, found, weights_id=weights_id)
    ]


def pin(lake: WritableLake, weights_id: str, *, since: int) -> None:
    """Pins the moments of a model, if they are pinned to the version `since`, to the version of now of
    silver/embeddings, where no embedding has changed, but something else of their rows. Raises Busy."""
    if lake.only_added_to(catalog.EMBEDDINGS, since=since):
        return
    held = stored(lake, weights_id)
    version = lake.version(catalog.EMBEDDINGS)
    if held is not None and held.table_version == since:
        _put(lake, replace(held, table_version=version), weights_id=weights_id)
        fault_points.at("gold: moments pinned again")


def _put(lake: WritableLake, held: StoredMoments, *, weights_id: str) -> None:
    """Writes the row of a model. Raises Busy."""
    through = held.through_chunk
    row = held.moments.row(weights_id=weights_id, through_chunk=through)
    pinned = {**row, "table_version": held.table_version}
    lake.put(catalog.MOMENTS, [pinned], keys=["weights_id"], chunk=NoChunk(GOLD, through))


def follow(lake: WritableLake, published: Sequence[Chunk], *, weights_id: str) -> None:
    """Brings the row of a model up to the last of its published silver chunks, where many embeddings wait
    for that, or some and it is pinned to an old version, or there is no row. Raises Inconsistent, Busy.

    Unless it does, none of silver's rows is read, and of gold/moments no matrix.
    """
    # Without a condition, other columns are not read.
    rows = lake.records(catalog.MOMENTS, columns=["weights_id", *PLACE])
    held = next((row for row in rows if row["weights_id"] == weights_id), None)
    if held is not None:
        waiting = sum(c.photos for c in published if c.number > held["through_chunk"])
        many = WAITING * len(held["shift"]) // np.float64().nbytes
        if not waiting or (waiting < many and not _is_old(lake, held["table_version"])):
            return
    bring_up(lake, weights_id=weights_id, through=published[-1].number)


def _is_old(lake: Lake, version: int) -> bool:
    """Whether a version of silver/embeddings was made longer ago than OLDEST, or its log doesn't tell."""
    commit = delta_log.actions(lake.files, catalog.EMBEDDINGS, version) or ()
    return datetime.now(UTC) - delta_log.commit_time(delta_log.commit_info(commit)) > OLDEST


def bring_up(lake: WritableLake, *, weights_id: str, through: int) -> Moments:
    """Brings the row of a model up to a silver chunk from its new rows only, and returns its moments.

    They are taken anew from all rows where the stored ones may be of other rows: where anything but an append
    or a compaction came to silver/embeddings since, such as a RESTORE, or the counts differ. Raises
    Inconsistent, Busy.
    """
    held = stored(lake, weights_id)
    if held is None or not match_silver(lake, held, weights_id=weights_id):
        return recompute(lake, weights_id=weights_id, through=through)
    if held.through_chunk < through:
        moments = _with_later(
            lake, held.moments, weights_id=weights_id, after=held.through_chunk, through=through
        )
        store(lake, moments, weights_id=weights_id, through=through)
        return moments
    return held.moments


def recompute(lake: WritableLake, *, weights_id: str, through: int) -> Moments:
    """Takes the moments of a model anew from silver/embeddings up to a chunk, stores and returns them.

    Raises Inconsistent, Busy.
    """
    moments = from_embeddings(lake, weights_id=weights_id, through=through)
    store(lake, moments, weights_id=weights_id, through=through)
    return moments


def take_anew(lake: WritableLake, *, weights_id: str, through: int, chunk: Chunk) -> None:
    """Takes the moments of a model anew after embeddings left, as `recompute`, or removes them where none is
    left, in the name of a removal's chunk. Raises Inconsistent, Busy."""
    if embeddings(lake, weights_id, 0, through).count():
        recompute(lake, weights_id=weights_id, through=through)
    else:
        lake.delete(catalog.MOMENTS, f"weights_id = '{weights_id}'", chunk=chunk)


def disagreement(lake: WritableLake, *, weights_id: str, through: int) -> float | None:
    """Takes the moments of a model anew up to a chunk, and returns how far the stored ones were off: the
    largest difference of the covariances, as a share of the total variance.

    They are compared up to the chunk that the stored ones name; what waited comes besides. It is None where
    the counts differ, or none were stored. Raises Inconsistent, Busy.
    """
    held = stored(lake, weights_id)
    covered = min(held.through_chunk, through) if held else through
    if not embeddings(lake, weights_id, 0, covered).count():
        recompute(lake, weights_id=weights_id, through=through)
        return None
    anew = from_embeddings(lake, weights_id=weights_id, through=covered)
    whole = _with_later(lake, anew, weights_id=weights_id, after=covered, through=through)
    store(lake, whole, weights_id=weights_id, through=through)
    if held is None or held.moments.n != anew.n or anew.n < 2:
        return None
    covariance = anew.covariance()
    difference = np.abs(held.moments.covariance() - covariance).max()
    total = np.trace(covariance)
    return float(difference / total) if total > 0 else 0.0


def from_embeddings(lake: Lake, *, weights_id: str, through: int) -> Moments:
    """The moments of a model's embeddings up to a chunk, about the mean of its oldest chunk. Raises
    Inconsistent where embeddings differ in length."""
    rows = embeddings(lake, weights_id, 0, through)
    oldest = rows.least("chunk")
    with refused(weights_id):
        return fold(rows, mean(embeddings(lake, weights_id, oldest, oldest)))


def _with_later(
    lake: Lake, moments: Moments, *, weights_id: str, after: int, through: int
) -> Moments:
    """Return moments with a model's embeddings of the chunks after one, up to another. Raises Inconsistent
    where embeddings differ in length."""
    later = embeddings(lake, weights_id, after + 1, through)
    with refused(weights_id):
        return moments + fold(later, moments.shift)


def match_silver(lake: Lake, held: StoredMoments, *, weights_id: str) -> bool:
    """Whether stored moments are those of silver's rows up to their chunk; see `bring_up`."""
    if not lake.only_added_to(catalog.EMBEDDINGS, since=held.table_version):
        return False
    return embeddings(lake, weights_id, 0, held.through_chunk).count() == held.moments.n


def embeddings(lake: Lake, weights_id: str, first: int, last: int) -> RowSource:
    """A model's rows of silver/embeddings, of the chunks from one number to another (inclusive)."""
    rows = lake.source(catalog.EMBEDDINGS, chunks=(first, last))
    return rows.having("weights_id", [weights_id])


@contextmanager
def refused(weights_id: str) -> Iterator[None]:
    """Raises Inconsistent where an embedding is met meanwhile of another length, or not finite."""
    try:
        yield
    except (ValueError, PythonException, Py4JJavaError) as error:
        for fault in (DIFFER, NOT_FINITE):
            if fault in str(error):
                raise _useless(weights_id, fault) from None
        raise


def _useless(weights_id: str, fault: str) -> Inconsistent:
    return Inconsistent(
        f"silver/embeddings can't be used for a PCA of {weights_id[:12]}, because {fault}. No run writes "
        f"such rows: run.py check --table silver/embeddings says how many there are, and run.py restore "
        f"--table silver/embeddings brings back a version of before them."
    )
