"""The test of a champion classifier on photos that got their label after its training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc

from gold import independent_photos, model_reader, moments_table
from gold.model_versions import EMBEDDINGS, ClassifierVersion, PcaVersion
from gold.moments import matrix
from gold.scenes import days_taken
from gold.training_photos import TrainingPhotos
from lake import catalog
from lake.chunks import ChunkState
from lake.delta_rs_reader import of_chunks
from lake.enums import SILVER
from lake.readable_lake import Lake

Row = Mapping[str, Any]

COLUMNS = (*independent_photos.COLUMNS, "chunk", "embedded_at")
"""The columns of silver/embeddings that say whether a photo is a test, and of which scene."""

ROWS_AT_ONCE = 50_000
"""The most photos of the training, and of the time since, that are in memory to find copies of them."""


@dataclass(frozen=True)
class LaterTest:
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
    def of(cls, lake: Lake, row: Row) -> LaterTest:
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
        rows = self._silver(of_chunks(first, last) & pc.field("label").is_valid())
        tests = [row | {"labelled_at": row["embedded_at"]} for row in rows if self._is_test(row)]
        yield from self._tested(tests, before=first)

    def of_other_labels(self, *, at: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of photos that got another label than their row has, or a first one, at a time."""
        held = self._held()
        tests = []
        for row in self._silver():
            if before := held.get(row["photo_id"]):
                if before["label"] != row["label"]:
                    yield self._row(before | {"label": row["label"], "labelled_at": at})
            elif row["label"] is not None and self._is_test(row):
                tests.append(row | {"labelled_at": at})
        yield from self._tested(tests)

    def _silver(self, where: pc.Expression | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows of silver/embeddings of the version's model, with `COLUMNS`."""
        of_model = pc.field("weights_id") == self.version.weights_id
        where = of_model if where is None else of_model & where
        for batch in self.lake.batches(catalog.EMBEDDINGS, columns=COLUMNS, where=where):
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield from batch.slice(start, ROWS_AT_ONCE).to_pylist()

    def _held(self) -> dict[str, dict[str, Any]]:
        """Return the rows of photos that the version was tested on after its training, by photo."""
        columns = ["photo_id", "subject", "label", "scene", "predicted", "confidence"]
        is_later = pc.field("labelled_at").is_valid()
        where = (pc.field("model_version") == self.version.version) & is_later
        found = self.lake.batches(catalog.HELD_OUT, columns=columns, where=where)
        return {row["photo_id"]: row for batch in found for row in batch.to_pylist()}

    def _is_test(self, row: Row) -> bool:
        """Return whether a photo of silver with a label is certainly none of the training, and may not have
        been left out of it with that label."""
        is_later = row["chunk"] > self.version.through_chunk
        if self.is_sample and not is_later:
            return False
        if not is_later and self.training.untested and not self.training.is_whole:
            return False  # it may have been fitted with a label that wasn't tested
        is_of_training = self.training.holds(row["photo_id"], label=row["label"])
        if is_of_training is None:
            return is_later and not self.has_lost_chunks
        return not is_of_training

    def _tested(
        self, tests: Sequence[Row], *, before: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of gold/held_out of photos that are no copies of earlier ones. `tests` are their
        rows of silver with the time of the label; `before` as in `_earlier`."""
        if not tests:
            return
        kept = independent_photos.without_copies(tests, self._earlier(tests, before=before))
        photos = {row["photo_id"]: row for row in kept}
        if not photos:
            return
        taken = self._days_taken(photos)
        for photo_id, said in self._said(photos):
            row = photos[photo_id]
            came = row["embedded_at"].date()
            scene = independent_photos.scene(row, taken=taken.get(photo_id), came=came)
            yield self._row({**row, **said, "scene": scene})

    def _earlier(self, tests: Sequence[Row], *, before: int | None) -> Iterator[Sequence[Row]]:
        """Yield the labelled photos that may be of the training, and those that came since, without the tests
        themselves, in batches of `ROWS_AT_ONCE`. With `before`, they are of chunks below that number, or
        tested already, as where a chunk was blocked: other photos of later chunks will be compared with the
        tests."""
        names, through = {row["photo_id"] for row in tests}, self.version.through_chunk
        held = self._held() if before is not None else {}
        batch: list[Row] = []
        for row in self._silver(pc.field("label").is_valid()):
            photo_id, is_later = row["photo_id"], row["chunk"] > through
            is_known = is_later or self.training.holds(photo_id, label=row["label"]) is not False
            is_earlier = before is None or row["chunk"] < before or photo_id in held
            if is_known and is_earlier and photo_id not in names:
                batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                yield batch
                batch = []
        yield batch

    def _days_taken(self, photos: Mapping[str, Row]) -> dict[str, date | None]:
        """Return the days on which photos were taken, as bronze knows them, by photo.

        Only the chunks of bronze are read that silver's were made from. A replay is made from any.
        """
        where = pc.field("photo_id").isin(list(photos))
        sources = {number: each.source_from for number, each in self.lake.ledger.chunks().items()}
        made_of = {sources.get(row["chunk"]) for row in photos.values()}
        numbers = [number for number in made_of if number is not None]
        if numbers and len(numbers) == len(made_of):
            where &= of_chunks(min(numbers), max(numbers))
        found: dict[str, date | None] = {}
        columns = ["photo_id", "taken_on", "path"]
        for batch in self.lake.batches(catalog.PHOTOS, columns=columns, where=where):
            ids, taken, paths = (batch[name].to_pylist() for name in columns)
            found |= zip(ids, days_taken(taken, paths), strict=True)
        return found

    def _said(self, photos: Mapping[str, Row]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what the version says of photos of silver, each with its id."""
        numbers = [row["chunk"] for row in photos.values()]
        rows = moments_table.embeddings(
            self.lake, self.version.weights_id, min(numbers), max(numbers)
        ).having("photo_id", photos)
        labels = self.version.classifier.labels
        for batch in rows.batches("photo_id", "embedding"):
            if not batch.num_rows:
                continue
            vectors = matrix(batch.column("embedding"))
            said = self.version.predict(self.pca.project(vectors) if self.pca else vectors)
            for photo_id, each in zip(batch["photo_id"].to_pylist(), said, strict=True):
                best = int(each.argmax())
                yield photo_id, {"predicted": labels[best], "confidence": float(each[best])}

    def _row(self, found: Row) -> dict[str, Any]:
        """Return the row of gold/held_out of a photo that got its label after the training."""
        names = ("photo_id", "subject", "label", "scene", "predicted", "confidence", "labelled_at")
        return {name: found[name] for name in names} | {
            "model_version": self.version.version,
            "learned": found["label"] in self.version.classifier.labels,
        }
