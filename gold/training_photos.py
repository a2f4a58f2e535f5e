"""The photos that a classifier was fitted on, as far as the lake still knows them. Without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow.compute as pc

from gold.model_versions import ClassifierVersion
from lake import catalog, delta_rs_reader
from lake.enums import ModelKind


@dataclass(frozen=True)
class TrainingPhotos:
    """The photos that one classifier version was fitted on.

    `known` are the ids of those that the lake still knows. `is_whole`: they are all of them.
    `tested_is_whole`: they are at least all of those whose label was tested. `untested` are the labels that
    were learned and not tested.
    """

    known: frozenset[str]
    is_whole: bool
    tested_is_whole: bool
    untested: frozenset[str]

    @classmethod
    def of(cls, root: str, version: ClassifierVersion) -> TrainingPhotos:
        """Read the photos of a classifier version from the lake under `root`.

        gold/held_out has every photo that the version was tested on, and in the end it was fitted on all of
        them. Photos of a label that could not be tested are in no table. They are known where the photos of
        such labels that were there at that time are as many as are missing. Raises BadInput where there is no
        lake.
        """
        tested = _tested(root, version.version)
        tested_is_whole = len(tested) == int(version.metrics["tested"])
        untested = untested_labels(version)
        missing = version.photos - len(tested)
        others = _others(root, version, labels=untested) - tested if missing and untested else set()
        if missing and len(others) == missing:
            return cls(tested | others, True, tested_is_whole, untested)
        return cls(tested, not missing, tested_is_whole, untested)

    def holds(self, photo_id: str, *, label: str | None) -> bool | None:
        """Return whether a photo of the lake with this label is one of them; None where nobody can say."""
        if photo_id in self.known:
            return True
        if self.is_whole or (self.tested_is_whole and label not in self.untested):
            return False
        return None

    @property
    def holds_others(self) -> bool | None:
        """Whether a photo that the lake doesn't have may be one of them: False, or None where nobody can say,
        because photos left the lake since."""
        return False if self.is_whole else None


def untested_labels(version: ClassifierVersion) -> frozenset[str]:
    """Return the labels that a version learned and that were not tested: they have no row in its confusion
    table, or an empty one."""
    tested = {version.labels[place] for place in np.nonzero(version.confusion)[0].tolist()}
    return frozenset(version.classifier.labels) - tested


def _tested(root: str, version: str) -> frozenset[str]:
    """Return the ids of the photos that a classifier version was tested on."""
    table = delta_rs_reader.delta_table(root, catalog.HELD_OUT)
    is_held_out = pc.field("labelled_at").is_null()  # and none that was labelled after the training
    where = (pc.field("model_version") == version) & is_held_out
    found = delta_rs_reader.batches(table, columns=["photo_id"], where=where, of=catalog.HELD_OUT)
    return frozenset(photo for batch in found for photo in batch["photo_id"].to_pylist())


def _others(root: str, version: ClassifierVersion, *, labels: frozenset[str]) -> set[str]:
    """Return the ids of the photos with one of the labels that a classifier version can have been fitted on.

    A chunk that was blocked may be published later than chunks after it: the time of the row tells it.
    """
    table = delta_rs_reader.delta_table(root, catalog.EMBEDDINGS)
    columns = ["photo_id", "label", "embedded_at"]
    is_before = pc.field("chunk") <= version.through_chunk
    where = (pc.field("weights_id") == version.weights_id) & is_before
    fitted_at = _fitted_at(root, version.version)
    return {
        row["photo_id"]
        for batch in delta_rs_reader.batches(table, columns=columns, where=where)
        for row in batch.to_pylist()
        if row["label"] in labels and row["embedded_at"] <= fitted_at
    }


def _fitted_at(root: str, version: str) -> datetime:
    """Return when a model version was fitted."""
    columns = ["version", "created_at"]
    where = pc.field("kind") == ModelKind.CLASSIFIER
    rows = delta_rs_reader.rows(root, catalog.MODELS, columns=columns, where=where)
    found: datetime = next(row["created_at"] for row in rows if row["version"] == version)
    return found
