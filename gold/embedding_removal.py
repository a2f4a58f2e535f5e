"""The one way by which rows leave silver/embeddings, and with them their part of gold.

The keys of the rows that leave are staged first, together with what the rows added to the moments, under a
chunk of their own. From then on a run that dies anywhere is finished by the next writer, exactly once. The
keys reach the tables as a frame, by MERGE, so that none of them stands in a Delta log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import lost_removal, model_versions, moments_table
from gold.moments import Moments, fold
from lake import catalog
from lake.catalog import Table
from lake.chunks import Chunk, ChunkPlan, ChunkState, published
from lake.enums import GOLD, REMOVAL, ModelKind
from lake.publication import ChunkLayer, Contents, Publication, TableCommit
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.run_journal import LayerRun
from lake.writable_lake import WritableLake

KEYS, FOLD = "keys", "fold"
"""The staged parts of a removal: one row a photo, with the number of the silver chunk that holds it, if any
(`held_in`); and one row of what the photos added to the moments (`FOLDED`)."""

MADE = {catalog.FEATURES: ModelKind.PCA, catalog.HELD_OUT: ModelKind.CLASSIFIER}
"""The tables with rows that were made from embeddings, and the kind of the version that made them."""

KEYED = pa.schema({"photo_id": pa.string(), "held_in": pa.int64()})
"""The rows of KEYS."""

FOLDED = pa.schema({"before": pa.int64(), "n": pa.int64(), "sum": pa.binary(), "gram": pa.binary()})
"""What photos added to the moments. `before` is the version of silver that the moments were pinned to. `sum`
and `gram` are null where the moments are to be taken anew."""


class RemovalChunks(ChunkLayer):
    """Chunks of rows that leave: their embeddings, their part of the moments, and what was made from them."""

    name = REMOVAL
    tables = (catalog.EMBEDDINGS, catalog.FEATURES, catalog.HELD_OUT)

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The keys, and what they added to the moments, if the model has any."""
        has_moments = moments_table.stored(self._lake, chunk.model) is not None
        return [KEYS, FOLD] if has_moments else [KEYS]

    def published_photos(self, chunk: Chunk) -> int | None:
        """The photos of a removal whose keys are lost after rows of silver went: what else is to go can be
        told without them, and is removed here."""
        lost_removal.finish(self._lake, weights_id=chunk.model, made=MADE)
        return chunk.photos

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged removal, and how many rows each table loses by it."""
        lake = self._lake
        keys = lake.staging.source(chunk, KEYS)
        found = _places(lake, chunk).value_counts().to_pylist()
        held_in = {each["values"]: each["counts"] for each in found}
        commits, removed = [], {}
        if held_in:
            removed[catalog.EMBEDDINGS.name] = sum(held_in.values())
            commits.append(_remove_embeddings(lake, chunk, keys, held_in))
            commits.append(TableCommit(catalog.MOMENTS, lambda: _subtract(lake, chunk)))
        for table, rows in _made_from(lake, keys, weights_id=chunk.model).items():
            if by_version := rows.counts("model_version"):
                removed[table.name] = sum(by_version.values())
                commits.append(_remove_made(lake, chunk, table, keys, by_version))
        return Contents(
            commits,
            photos=chunk.photos,
            counts=removed,
            count_photos_left=lambda: _photos_left(lake, held_in, weights_id=chunk.model),
        )


def remove_embeddings(
    lake: WritableLake,
    leaving: Mapping[str, RowSource],
    *,
    but_of: str | None = None,
    but: frozenset[int] = frozenset(),
) -> Mapping[str, int]:
    """Removes the rows of photos (`photo_id`), by the weights_id of each model that loses them; returns how
    many left each table.

    The moments, and the photos of silver's chunks, follow. What an earlier call left staged is finished
    first. Raises BadInput where a chunk is half published that is not of the model `but_of` and has no number
    of `but`; Busy.
    """
    check_nothing_is_half_published(lake, but_of=but_of, but=but)
    finish(lake)
    removed: Counter[str] = Counter()
    publication = _publication(lake)
    for weights_id, photos in sorted(leaving.items()):
        chunk = _staged(lake, publication, photos, weights_id=weights_id)
        if chunk is not None:
            removed.update(publication.publish(chunk).counts)
    return removed


def finish(lake: WritableLake) -> None:
    """Finishes the removals that an earlier writer left staged, of any model, before anything else is
    written. Raises Busy."""
    _publication(lake).finish_half_published()


def check_nothing_is_half_published(
    lake: Lake, *, but_of: str | None = None, but: frozenset[int] = frozenset()
) -> None:
    """Raises BadInput where a chunk is half published that is not of the model `but_of`, and has no number of
    `but`.

    One table may have the rows of such a chunk and another not, so no later number may go before them.
    """
    for chunk in lake.ledger.unfinished():
        is_judged = chunk.state is ChunkState.JUDGED and chunk.number not in but
        if is_judged and (but_of is None or chunk.weights_id != but_of):
            raise BadInput(
                f"{chunk.layer} chunk {chunk.number} is half published: finish it first with "
                f"run.py --layer {chunk.layer}."
            )


def _publication(lake: WritableLake) -> Publication:
    # Nobody reads these counts: whoever removes rows tells of them.
    return Publication(lake, RemovalChunks(lake), LayerRun(REMOVAL))


def _staged(
    lake: WritableLake, publication: Publication, photos: RowSource, *, weights_id: str
) -> Chunk | None:
    """Stages the keys of the photos of one model, and what they add to the moments; returns the chunk.

    It is None where neither silver nor gold holds any of them.
    """
    with _keys(lake, photos, weights_id=weights_id) as keys:
        held_in = keys.counts("held_in")
        embedded = sum(held_in.values()) - held_in.get(None, 0)
        if not embedded:
            made = _made_from(lake, keys, weights_id=weights_id).values()
            if not any(rows.count() for rows in made):
                return None
        plan = ChunkPlan(layer=REMOVAL, weights_id=weights_id, photos=embedded)
        [chunk] = publication.plan([plan])
        lake.staging.write_source(chunk, KEYS, keys)
    return publication.stage(chunk, lambda planned: _stage_fold(lake, planned))


@contextmanager
def _keys(lake: Lake, photos: RowSource, *, weights_id: str) -> Iterator[RowSource]:
    """The photos (`photo_id`), each once, with the silver chunk of the model that holds it (KEYED)."""
    held = lake.source(catalog.EMBEDDINGS).having("weights_id", [weights_id])
    if photos.are_few and held.are_few:
        found = dict(held.among(photos, "photo_id").distinct("photo_id", "chunk"))
        ids = sorted(photo_id for (photo_id,) in photos.distinct("photo_id"))
        rows = pa.table([ids, [found.get(photo_id) for photo_id in ids]], KEYED)
        yield RowSource.of(rows, lambda: lake.spark)
        return
    places = held.frame().select("photo_id", F.col("chunk").alias("held_in"))
    frame = photos.frame().select("photo_id").distinct().join(places, "photo_id", "left").persist()
    try:
        yield RowSource(lambda: frame)
    finally:
        # While it is cached, Spark reads the tables behind it as they were.
        frame.unpersist()


def _stage_fold(lake: WritableLake, chunk: Chunk) -> None:
    """Stages what the photos of a removal add to the moments."""
    folded = _folded(lake, chunk)
    if folded is not None:
        rows = pa.Table.from_pylist([folded], FOLDED)
        lake.staging.write_rows(chunk, FOLD, rows)


def _made_from(lake: Lake, keys: RowSource, *, weights_id: str) -> dict[Table, RowSource]:
    """The rows of those photos in each table of MADE, of any version of the model. Tables are left out for
    whose kind the model has no version."""
    models, made = lake.records(catalog.MODELS), {}
    for table, kind in MADE.items():
        versions = model_versions.versions(models, weights_id=weights_id, kind=kind)
        if names := [row["version"] for row in versions]:
            made[table] = lake.source(table).having("model_version", names).among(keys, "photo_id")
    return made


def _folded(lake: Lake, chunk: Chunk) -> dict[str, Any] | None:
    """What the photos of a removal added to the moments (`FOLDED`), about the shift of the stored ones.

    The moments are to be taken anew where they are not of silver's rows. They are too where less is left than
    goes: that is cheaper, and a small difference of large sums would keep few digits. The result is None
    where no moments are stored.
    """
    weights_id = chunk.model
    stored = moments_table.stored(lake, weights_id)
    if stored is None:
        return None
    places = _places(lake, chunk)
    covered = places.filter(pc.less_equal(places, stored.through_chunk))
    matches = moments_table.match_silver(lake, stored, weights_id=weights_id)
    if not matches or 2 * len(covered) > stored.moments.n:
        return {"before": stored.table_version, "n": 0, "sum": None, "gram": None}
    gone = Moments.none(stored.moments.shift)
    if len(covered):
        first, last = pc.min_max(covered).as_py().values()
        rows = moments_table.embeddings(lake, weights_id, first, last)
        leaving = rows.among(lake.staging.source(chunk, KEYS), "photo_id")
        gone = fold(leaving, stored.moments.shift)
    return {
        "before": stored.table_version,
        "n": gone.n,
        "sum": gone.sum.tobytes(),
        "gram": gone.gram.tobytes(),
    }


def _places(lake: Lake, chunk: Chunk) -> pa.ChunkedArray:
    """The number of the silver chunk that holds each photo of a removal, of those that silver holds."""
    return lake.staging.columns(chunk, KEYS, "held_in")["held_in"].drop_null()


def _remove_embeddings(
    lake: WritableLake, chunk: Chunk, keys: RowSource, held_in: Mapping[int, int]
) -> TableCommit:
    of_model = f"held.weights_id = '{chunk.model}'"
    of_chunks = f"held.chunk between {min(held_in)} and {max(held_in)}"

    def write() -> int:
        return lake.remove(
            catalog.EMBEDDINGS,
            keys.frame(),
            on=["photo_id"],
            within=f"{of_model} and {of_chunks}",
            chunk=chunk,
        )

    return TableCommit(catalog.EMBEDDINGS, write)


def _remove_made(
    lake: WritableLake, chunk: Chunk, table: Table, keys: RowSource, by_version: Mapping[str, int]
) -> TableCommit:
    names = ", ".join(f"'{name}'" for name in sorted(by_version))

    def write() -> int:
        within = f"held.model_version in ({names})"
        return lake.remove(table, keys.frame(), on=["photo_id"], within=within, chunk=chunk)

    return TableCommit(table, write)


def _subtract(lake: WritableLake, chunk: Chunk) -> None:
    """Subtracts what the photos added to the moments, once: they are pinned to silver's new version then.

    The shift moves, because the photos may be those that it was made of.
    """
    stored = moments_table.stored(lake, chunk.model)
    if stored is None:
        return
    [row] = lake.staging.rows(chunk, FOLD)
    if stored.table_version != row["before"]:
        return
    weights_id, through = chunk.model, stored.through_chunk
    if row["sum"] is not None:
        gone = Moments.read({**row, "shift": stored.moments.shift.tobytes()})
        left = (stored.moments - gone).recentred()
        moments_table.store(lake, left, weights_id=weights_id, through=through)
    else:
        moments_table.take_anew(lake, weights_id=weights_id, through=through, chunk=chunk)


def _photos_left(lake: Lake, held_in: Mapping[int, int], *, weights_id: str) -> Mapping[int, int]:
    """How many rows each of those silver chunks has left, and each of the model's gold chunks, by number."""
    chunks = lake.ledger.chunks().values()
    gold = [c.number for c in published(chunks, layer=GOLD, weights_id=weights_id)]
    left: dict[int, int] = {}
    if held_in:
        rows = moments_table.embeddings(lake, weights_id, min(held_in), max(held_in))
        left |= dict.fromkeys(held_in, 0) | rows.counts("chunk")
    if gold:
        rows = lake.source(catalog.FEATURES, chunks=(min(gold), max(gold)))
        left |= dict.fromkeys(gold, 0) | rows.counts("chunk")
    return left
