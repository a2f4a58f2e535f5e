"""Champion classifiers are tested on photos that got their label after the training.

Nobody could tune a classifier to them. Such a photo came later, or had no label then; a photo of the training
that is labelled anew is none (`gold.outdated_labels` tells of those). What a champion says of each is a row
of gold/held_out with the time of the label, under a chunk of its own. So it is written once, wherever a run
dies, and it goes with the photo. Chunks of silver are taken once for each version. After a labelling, the
labels of all photos are compared with the rows that are there, and only embeddings without a row are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from gold import accuracy_since, model_reader, moments_table
from gold.accuracy_since import AccuracySince
from gold.model_versions import EMBEDDINGS, NARROW, ClassifierVersion, PcaVersion
from gold.moments import matrix
from gold.testing_chunks import HELD_OUT, LaterTestChunks, grouped
from gold.training import TrainingChunks
from gold.training_photos import TrainingPhotos
from lake import catalog, fault_points, metric_names
from lake.chunks import Chunk, ChunkPlan, ChunkState, not_yet_taken
from lake.context import Context
from lake.enums import LABELLING, SILVER, TESTING, ModelKind, ModelStatus
from lake.publication import Publication
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.run_journal import RuleWarning
from lake.small_tables import arrow_rows

Row = Mapping[str, Any]


def judge_champions(context: Context) -> None:
    """Test the champion classifier of each model on photos labelled since its training, and tell how often
    it is right. Raises Busy."""
    lake = context.lake
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
    _finish(context)
    known = list(lake.ledger.chunks().values())
    new = _new_chunks(known, row)
    is_relabelled = _is_labelled_since(known, row)
    if not new and not is_relabelled:
        return 0
    test = _Test.of(lake, row)
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


def _finish(context: Context) -> None:
    """Publish what earlier runs left staged for gold/held_out. Nothing may overtake it."""
    for layer in (TrainingChunks(context.lake), LaterTestChunks(context.lake)):
        Publication(context.lake, layer, context.did).finish_half_published()


def _new_chunks(known: Iterable[Chunk], row: Row) -> list[Chunk]:
    """Return the chunks of silver after a version's training that it was not tested on."""
    new = not_yet_taken(
        known,
        source=SILVER,
        layer=TESTING,
        weights_id=row["weights_id"],
        model_version=row["version"],
    )
    return [chunk for chunk in new if chunk.number > row["through_chunk"]]


def _is_labelled_since(known: Iterable[Chunk], row: Row) -> bool:
    """Return whether labels may have changed since a version was trained, and compared with them last.

    A restore that brings labels back plans a labelling and no more.
    """
    compared = row["chunk"]
    labelled = 0
    for chunk in known:
        is_test = chunk.layer == TESTING and chunk.model_version == row["version"]
        if is_test and chunk.source_from is None and chunk.is_published:
            compared = max(compared, chunk.number)
        if chunk.layer == LABELLING:
            labelled = max(labelled, chunk.number)
    return labelled > compared


@dataclass(frozen=True)
class _Test:
    """A classifier version, what it takes, and what tells which photos it was fitted on.

    `is_sample` says that photos which had a label may have been left out of the training, and
    `has_lost_chunks` that a chunk of silver which it was fitted on was withdrawn.
    """

    lake: Lake
    version: ClassifierVersion
    pca: PcaVersion | None
    training: TrainingPhotos
    is_sample: bool
    has_lost_chunks: bool

    @classmethod
    def of(cls, lake: Lake, row: Row) -> _Test:
        """Read what a champion's test needs. `row` is the version's, without blobs."""
        root = lake.files.root
        version = model_reader.classifier(root, row["version"])
        pca = None if version.input == EMBEDDINGS else model_reader.pca(root, version.input)
        has_lost_chunks = any(
            chunk.state is ChunkState.RETIRED and chunk.number <= version.through_chunk
            for chunk in lake.ledger.chunks().values()
            if chunk.layer == SILVER and chunk.weights_id == version.weights_id
        )
        most = version.settings.get("max_photos", math.inf)
        training = TrainingPhotos.of(root, version)
        return cls(lake, version, pca, training, version.photos >= most, has_lost_chunks)

    def of_new_photos(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """Yield the rows of gold/held_out of labelled photos in silver's chunks from one number to another.
        The label came with the photo."""
        rows = moments_table.embeddings(self.lake, self.version.weights_id, first, last)
        for found in self._said(rows):
            if self._is_test(found):
                yield self._row(found, at=found["embedded_at"])

    def of_other_labels(self, *, at: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of photos that got another label than their row has, or a first one, at a time."""
        held = self._held()
        new: dict[str, int] = {}
        where = pc.field("weights_id") == self.version.weights_id
        columns = ["photo_id", "label", "chunk"]
        for batch in self.lake.batches(catalog.EMBEDDINGS, columns=columns, where=where):
            for row in batch.to_pylist():
                if before := held.get(row["photo_id"]):
                    if before["label"] != row["label"]:
                        yield self._row(before | {"label": row["label"]}, at=at)
                elif row["label"] is not None and self._is_test(row):
                    new[row["photo_id"]] = row["chunk"]
        if new:
            first, last = min(new.values()), max(new.values())
            rows = moments_table.embeddings(self.lake, self.version.weights_id, first, last)
            for found in self._said(rows.having("photo_id", new)):
                yield self._row(found, at=at)

    def _held(self) -> dict[str, dict[str, Any]]:
        """Return the rows of photos that the version was tested on after its training, by photo."""
        columns = ["photo_id", "subject", "label", "predicted", "confidence"]
        is_later = pc.field("labelled_at").is_valid()
        where = (pc.field("model_version") == self.version.version) & is_later
        found = self.lake.batches(catalog.HELD_OUT, columns=columns, where=where)
        return {row["photo_id"]: row for batch in found for row in batch.to_pylist()}

    def _is_test(self, row: Row) -> bool:
        """Return whether a photo of silver with a label is certainly none of the training, and may not have
        been left out of it with that label."""
        is_later = row["chunk"] > self.version.through_chunk
        if row["photo_id"] in self.training.known or (self.is_sample and not is_later):
            return False
        is_of_training = self.training.holds(row["photo_id"], label=row["label"])
        if is_of_training is None:
            return is_later and not self.has_lost_chunks
        return not is_of_training

    def _said(self, rows: RowSource) -> Iterator[dict[str, Any]]:
        """Yield what the version says of rows of silver with a label, in small batches, with their other
        columns."""
        names = ("photo_id", "subject", "label", "chunk", "embedded_at")
        for each in rows.batches(*names, "embedding"):
            batch = each.filter(pc.is_valid(each.column("label")))
            if not batch.num_rows:
                continue
            vectors = matrix(batch.column("embedding"))
            said = self.version.predict(self.pca.project(vectors) if self.pca else vectors)
            labels = self.version.classifier.labels
            for place, row in enumerate(batch.select(list(names)).to_pylist()):
                best = int(said[place].argmax())
                yield row | {"predicted": labels[best], "confidence": float(said[place, best])}

    def _row(self, found: Row, *, at: Any) -> dict[str, Any]:
        """Return the row of gold/held_out of a photo that got its label at a time."""
        names = ("photo_id", "subject", "label", "predicted", "confidence")
        return {name: found[name] for name in names} | {
            "model_version": self.version.version,
            "labelled_at": at,
            "learned": found["label"] in self.version.classifier.labels,
        }


def _tell(context: Context, found: AccuracySince, tested: int) -> None:
    """Note how often a champion is right, where it was tested anew, and measure it. Warn where it is right
    less often than its training promised."""
    did = context.did
    if tested:
        did.notes.append(f"{found}.")
    if found.photos < accuracy_since.FEWEST:
        return
    did.measure(metric_names.LATER_LABELS, found.photos)
    did.measure(metric_names.ACCURACY_SHORTFALL, found.shortfall)
    if found.shortfall:
        did.warnings.append(
            RuleWarning(
                table=catalog.HELD_OUT.name,
                rule="accuracy-since-training",
                says=f"got their label after the training of {found.version}, which is right less often "
                f"than its test promised",
                remedy="run.py train learns them.",
                photos=found.photos,
                observed=found.accuracy,
                bound=f"at least {found.promised:.2f}",
            )
        )
