"""Recognizes photos of the lake by their pixels: their label, and whether a classifier was fitted on them.

Nothing of a person is read for it: neither a pseudonym, nor a path, nor the key. Photos with the same pixels
are the same photo here, whoever sent them and whatever else their files hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from gold.model_versions import ClassifierVersion
from gold.training_photos import TrainingPhotos
from lake import catalog, delta_rs_reader
from silver.fingerprints import Fingerprint

COLUMNS = ("photo_id", "label", "dhash", "brightness", "sharpness")

BRIGHTNESS, SHARPNESS = 1e-9, 1e-3
"""The largest difference of the brightness of two photos with the same pixels, and the largest ratio of the
difference of their sharpness: the brightness is a sum of whole numbers, the sharpness one of float32, which
another processor may round in another way."""

YES, NO, UNSURE = 1, 0, -1
TRAINED = {True: YES, False: NO, None: UNSURE}
"""The codes in an array of what `TrainingPhotos.holds` returns."""


@dataclass(frozen=True)
class Known:
    """What the lake knows of a photo.

    `is_held`: it has a photo with these pixels. `label` is that photo's; where copies have several, they are
    joined by ` / `. `trained_on` says whether the classifier was fitted on it; it is None where nobody can
    say, and where there is no classifier.
    """

    is_held: bool
    label: str | None
    trained_on: bool | None


@dataclass(frozen=True)
class KnownPhotos:
    """The photos of a lake that one model embedded, in the order of their hashes, n of them.

    `dhash` int64[n], `brightness` and `sharpness` float64[n] are their fingerprints, `label` int64[n] numbers
    in `labels` (−1: none), and `trained` int8[n] codes of `TRAINED`. A million photos take 33 MB. `training`
    are the photos that the classifier was fitted on; None without a classifier.
    """

    dhash: NDArray[np.int64]
    brightness: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    label: NDArray[np.int64]
    labels: tuple[str, ...]
    trained: NDArray[np.int8]
    training: TrainingPhotos | None

    @classmethod
    def of(
        cls,
        root: str,
        weights_id: str,
        classifier: ClassifierVersion | None,
        *,
        version: int | None = None,
    ) -> KnownPhotos:
        """Read the photos of the model `weights_id` at a version of silver/embeddings, by default the newest.

        Raises BadInput where there is no lake.
        """
        training = TrainingPhotos.of(root, classifier) if classifier else None
        table = delta_rs_reader.delta_table(root, catalog.EMBEDDINGS, version=version)
        where = pc.field("weights_id") == weights_id
        numbers: dict[str | None, int] = {None: -1}
        parts: list[tuple[NDArray[np.generic], ...]] = [
            tuple(np.empty(0, kind) for kind in ("i8", "f8", "f8", "i8", "i1"))
        ]
        for batch in delta_rs_reader.batches(table, columns=COLUMNS, where=where):
            ids, labels = batch["photo_id"].to_pylist(), batch["label"].to_pylist()
            codes = [numbers.setdefault(label, len(numbers) - 1) for label in labels]
            trained = [
                TRAINED[training.holds(photo_id, label=label) if training else None]
                for photo_id, label in zip(ids, labels, strict=True)
            ]
            measures = (batch[name].to_numpy() for name in COLUMNS[2:])
            parts.append((*measures, np.array(codes, "i8"), np.array(trained, "i1")))
        dhash, brightness, sharpness, label, trained_on = map(
            np.concatenate, zip(*parts, strict=True)
        )
        order = np.argsort(dhash, kind="stable")
        return cls(
            dhash[order],
            brightness[order],
            sharpness[order],
            label[order],
            tuple(name for name in numbers if name is not None),
            trained_on[order],
            training,
        )

    def find(self, photo: Fingerprint) -> Known:
        """Return what the lake knows of the photo with this fingerprint."""
        first = np.searchsorted(self.dhash, photo.dhash, "left")
        after = np.searchsorted(self.dhash, photo.dhash, "right")
        near = slice(int(first), int(after))
        same = np.abs(self.brightness[near] - photo.brightness) <= BRIGHTNESS
        allowed = SHARPNESS * max(photo.sharpness, 1.0)
        same &= np.abs(self.sharpness[near] - photo.sharpness) <= allowed
        if not same.any():
            others = self.training.holds_others if self.training else None
            return Known(False, None, others)
        found = sorted({self.labels[code] for code in self.label[near][same] if code >= 0})
        codes = set(self.trained[near][same].tolist())
        trained_on = True if YES in codes else None if UNSURE in codes else False
        return Known(True, " / ".join(found) or None, trained_on)
