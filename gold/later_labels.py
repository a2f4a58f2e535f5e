"""Champion classifiers are tested on photos that got their label after the training.

Nobody could tune a classifier to them. Such a photo came later, or had no label then, and it is no copy of
another one; a photo of the training that is labelled anew is none (`gold.outdated_labels` tells of those).
What a champion says of each is a row of gold/held_out with the time of the label, under a chunk of its own.
So it is written once, wherever a run dies, and it goes with the photo. Chunks of silver are taken once for
each version. After a labelling, the labels of all photos are compared with the rows that are there, and only
embeddings without a row are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gold import accuracy_since
from gold.accuracy_since import AccuracySince
from gold.later_test import LaterTest
from gold.model_versions import NARROW
from gold.testing_chunks import (
    HELD_OUT,
    LaterTestChunks,
    grouped,
    is_labelled_since,
    new_chunks,
)
from gold.training import finish
from lake import catalog, fault_points, metric_names
from lake.chunks import Chunk, ChunkPlan
from lake.context import Context
from lake.enums import TESTING, ModelKind, ModelStatus
from lake.publication import Publication
from lake.readable_lake import Lake
from lake.run_journal import RuleWarning
from lake.small_tables import arrow_rows

Row = Mapping[str, Any]


def judge_champions(context: Context) -> None:
    """Test the champion classifier of each model on photos labelled since its training, and tell how often
    it is right. What earlier runs left staged for gold/held_out comes first: nothing may overtake it. Raises
    Busy."""
    lake = context.lake
    finish(context)
    for row in _champions(lake):
        tested = _test_new(context, row)
        _tell(context, accuracy_since.read(lake.files.root, row), tested)


def _champions(lake: Lake) -> Sequence[Row]:
    """Return the rows of gold/models of the champion classifiers, without blobs."""
    return [
        row
        for row in lake.records(catalog.MODELS, columns=NARROW)
        if (row["kind"], row["status"]) == (ModelKind.CLASSIFIER, ModelStatus.CHAMPION)
    ]


def _test_new(context: Context, row: Row) -> int:
    """Test one champion on what is new since its last test; return the number of photos whose row is new."""
    lake = context.lake
    known = list(lake.ledger.chunks().values())
    new = new_chunks(known, row)
    is_relabelled = is_labelled_since(known, row)
    if not new and not is_relabelled:
        return 0
    test = LaterTest.of(lake, row)
    publication = Publication(lake, LaterTestChunks(lake), context.did)
    tested = 0
    for group in grouped(new, known):
        first, last = group[0].number, group[-1].number
        rows = list(test.of_new_photos(first, last))
        tested += _publish(context, publication, row, rows, first=first, last=last)
    if is_relabelled:
        rows = list(test.of_other_labels(at=context.now))
        tested += _publish(context, publication, row, rows)
    return tested


def _publish(
    context: Context,
    publication: Publication,
    champion: Row,
    rows: Sequence[Row],
    *,
    first: int | None = None,
    last: int | None = None,
) -> int:
    """Publish rows of gold/held_out as one chunk, also where there are none: what they are of is taken then.
    Return their number."""
    plan = ChunkPlan(
        layer=TESTING,
        weights_id=champion["weights_id"],
        model_version=champion["version"],
        source_from=first,
        source_to=last,
        photos=len(rows),
    )

    def stage(chunk: Chunk) -> None:
        context.lake.staging.write_rows(chunk, HELD_OUT, arrow_rows(catalog.HELD_OUT, rows))
        fault_points.at("testing: staged")

    publication.run(plan, stage)
    return len(rows)


def _tell(context: Context, found: AccuracySince, tested: int) -> None:
    """Note how often a champion is right, where it was tested anew. Where the last weeks have scenes enough,
    measure it, and warn where it is right less often than its training promised."""
    did = context.did
    if tested:
        did.notes.append(f"{found}.")
    if (last := found.last) is None:
        return
    did.measure(metric_names.LATER_LABELS, found.photos)
    did.measure(metric_names.ACCURACY_SHORTFALL, found.shortfall)
    if found.shortfall:
        did.warnings.append(
            RuleWarning(
                table=catalog.HELD_OUT.name,
                rule="accuracy-since-training",
                says=f"got their label since {last.since}, of which {found.version} is right about less than "
                f"its test promised",
                remedy="run.py train learns them.",
                photos=last.photos,
                observed=last.accuracy,
                bound=f"at least {found.promised:.2f}",
            )
        )
