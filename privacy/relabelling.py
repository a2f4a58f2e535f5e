"""Photos that get another label, in every layer at once.

The photos and their labels are staged first, under a chunk of their own. From then on a run that dies
anywhere is finished by the next writer. Rows keep their `run_id` and `chunk`, and their values but for the
label; the versions of the tables keep what they were before. gold/held_out keeps the labels that classifiers
were tested by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from bronze.label_claims import CLAIM, Corrections
from gold import moments_table, outdated_labels
from gold.model_versions import NARROW
from lake import catalog, fault_points, metric_names
from lake.catalog import Table
from lake.chunks import Chunk, ChunkPlan
from lake.context import Context
from lake.enums import LABELLING, RESTORE
from lake.publication import ChunkLayer, Contents, Publication, TableCommit
from lake.row_source import RowSource
from lake.run_journal import LayerRun
from lake.small_tables import arrow_rows
from lake.writable_lake import WritableLake
from privacy import photo_removal
from privacy.finish_chunks import finish_half_published

LABELS, OBJECTS, PINS = "labels", "objects", "pins"
"""The staged parts of a labelling: one row a photo with its new label (`LABELLED`), rows of bronze/objects,
and the versions of silver/embeddings that moments are pinned to (`PINNED`)."""

LABELLED = pa.schema({"photo_id": pa.string(), "label": pa.string(), "split": pa.string()})
"""The rows of LABELS."""

PINNED = pa.schema({"weights_id": pa.string(), "table_version": pa.int64()})
"""The rows of PINS: models whose moments are those of silver's rows."""

FOLLOWING = (catalog.FEATURES, catalog.QUARANTINE, catalog.EMBEDDINGS)
"""The tables whose labels follow those of bronze/photos. bronze/photos comes after them and bronze/objects
last: by these two it is found again what a labelling is about whose staged rows are lost."""

MOST_SHOWN = 5
"""The most pairs of labels that a note names."""


class RelabellingChunks(ChunkLayer):
    """Chunks of photos that get other labels."""

    name = LABELLING
    tables = (*FOLLOWING, catalog.PHOTOS, catalog.OBJECTS)

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The labels, the rows of bronze/objects, and what moments are pinned to."""
        return [LABELS, OBJECTS, PINS]

    def published_photos(self, chunk: Chunk) -> int | None:
        """None of a labelling whose staged rows are lost: the tables get the labels of bronze/photos again,
        and the next run finds what is to change."""
        follow_photos(self._lake)
        return 0

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged labelling."""
        lake = self._lake
        photos = lake.staging.source(chunk, LABELS)
        commits = []
        for table in (*FOLLOWING, catalog.PHOTOS):
            if by_chunk := lake.source(table).among(photos, "photo_id").counts("chunk"):
                commits.append(_amend(lake, chunk, table, photos, by_chunk))
            if table is catalog.EMBEDDINGS:
                pins = lake.staging.rows(chunk, PINS)
                commits.append(TableCommit(catalog.MOMENTS, partial(_pin_again, lake, pins)))
        objects = lake.staging.source(chunk, OBJECTS)
        if objects.count():
            commits.append(
                TableCommit(
                    catalog.OBJECTS,
                    lambda: lake.upsert(
                        catalog.OBJECTS, objects.frame(), keys=["object", "etag"], chunk=chunk
                    ),
                )
            )
        return Contents(commits, photos=chunk.photos, counts={"relabelled": chunk.photos})


def relabel(context: Context, corrections: Corrections) -> None:
    """Give photos their labels in every layer, and note which, and what stays open.

    Staged chunks that hold any of the photos are given up: the next run makes them again. Raises Blocked
    where a half published chunk can't be finished, and Busy.
    """
    lake, did = context.lake, context.did
    did.measure(metric_names.LABEL_CONFLICTS, corrections.conflicts)
    photos = pa.Table.from_pylist(list(corrections.photos), LABELLED)
    if photos.num_rows:
        finish_half_published(context)
        photo_removal.abandon_staged(lake, RowSource.of(photos, lambda: lake.spark))
    if photos.num_rows or corrections.objects:
        objects = arrow_rows(catalog.OBJECTS, corrections.objects)
        pins = pa.Table.from_pylist(moments_table.pins(lake), PINNED)

        def stage(chunk: Chunk) -> None:
            for part, rows in ((LABELS, photos), (OBJECTS, objects), (PINS, pins)):
                lake.staging.write_rows(chunk, part, rows)

        plan = ChunkPlan(layer=LABELLING, photos=photos.num_rows)
        Publication(lake, RelabellingChunks(lake), did).run(plan, stage)
    _note(corrections, did)
    if photos.num_rows:
        chunks, models = lake.ledger.chunks().values(), lake.records(catalog.MODELS, columns=NARROW)
        did.notes += [f"{each}." for each in outdated_labels.sentences(chunks, models)]


def finish(lake: WritableLake) -> None:
    """Finishes the labelling that an earlier writer left staged, before anything else is written. Raises
    Busy."""
    # What it did is told by its chunk in ops/chunks.
    Publication(lake, RelabellingChunks(lake), LayerRun(LABELLING)).finish_half_published()


def _amend(
    lake: WritableLake, chunk: Chunk, table: Table, photos: RowSource, by_chunk: Mapping[int, int]
) -> TableCommit:
    """The commit that gives the rows of photos in a table their labels, and those of bronze/photos their
    splits."""
    columns = [name for name in LABELLED.names if name in table.column_names]
    within = f"held.chunk between {min(by_chunk)} and {max(by_chunk)}"

    def write() -> int:
        labels = photos.frame().select(*columns)
        return lake.amend(table, labels, on="photo_id", chunk=chunk, within=within)

    return TableCommit(table, write)


def follow_photos(lake: WritableLake) -> None:
    """Gives the rows of photos in silver and gold the labels that bronze/photos has, where they differ, as
    after a restore. Raises Busy."""
    for table in FOLLOWING:
        held = lake.read(table).select("photo_id", F.col("label").alias("held"))
        labels = lake.read(catalog.PHOTOS).select("photo_id", "label").join(held, "photo_id")
        differ = labels.where(~F.col("label").eqNullSafe(F.col("held")))
        if not differ.isEmpty():
            pins = moments_table.pins(lake) if table is catalog.EMBEDDINGS else []
            [chunk] = lake.ledger.plan([ChunkPlan(layer=LABELLING)])
            lake.amend(table, differ.drop("held").distinct(), on="photo_id", chunk=chunk)
            _pin_again(lake, pins)
            fault_points.at(f"labelling: {table.name} followed")


def mark_contradicting(lake: WritableLake, *, now: datetime) -> None:
    """Marks the objects that tell another label than their photo has, because a restore brought it back: so
    the next run looks at them. Raises Busy."""
    labels = lake.read(catalog.PHOTOS).select(
        "photo_id", F.col("label").alias("held_label"), F.col("split").alias("held_split")
    )
    is_against = [
        (F.col(name) != "") & ~F.col(name).eqNullSafe(F.col(f"held_{name}")) for name in CLAIM
    ]
    objects = lake.read(catalog.OBJECTS).where("path is null and left_at is null")
    found = objects.join(labels, "photo_id").where(is_against[0] | is_against[1])
    if not found.isEmpty():
        marked = found.drop("held_label", "held_split").withColumn("left_at", F.lit(now))
        [chunk] = lake.ledger.plan([ChunkPlan(layer=RESTORE)])
        lake.upsert(catalog.OBJECTS, marked, keys=["object", "etag"], chunk=chunk)
        fault_points.at("labelling: objects marked")


def _pin_again(lake: WritableLake, pins: Iterable[Mapping[str, Any]]) -> None:
    """Pins the moments of models (rows of PINS) to silver's new version: its embeddings are the same."""
    for row in pins:
        moments_table.pin(lake, row["weights_id"], since=row["table_version"])


def _note(corrections: Corrections, did: LayerRun) -> None:
    """Note how many photos got another label, and how many objects contradict their photo."""
    if relabelled := len(corrections.photos):
        pairs = [
            f"{before or 'no label'} → {after} ({count:,})"
            for (before, after), count in corrections.changes.most_common(MOST_SHOWN)
        ]
        more = len(corrections.changes) - len(pairs)
        shown = ", ".join([*pairs, *([f"and {more:,} other changes"] if more else [])])
        did.notes.append(
            f"{relabelled:,} photos have another label or split now, in every layer, as their objects in the "
            f"landing folder tell{f': {shown}' if shown else ''}."
        )
    if corrections.conflicts:
        did.notes.append(
            f"{corrections.conflicts:,} photos lie in the landing folder with more than one label or split: "
            f"each keeps its own; run.py status --conflicts lists them."
        )
