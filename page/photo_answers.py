"""Answers to a photo: its kind, the most similar photos of the lake, and its place in the scatter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.errors import BadInput, FruitLakeError, Refused
from conf.settings import Settings
from gold import model_reader as models
from gold.acceptance import AnswerVerdict
from gold.model_versions import PcaVersion
from lake import catalog, lake_format
from lake.delta_log import DeltaLog
from lake.storage.folder import Folder
from page.known_photos import Known, KnownPhotos
from page.photo_looks import looks
from page.predictions import Predictor, local_model
from page.similar_photos import Embeddings, Neighbour
from report import scatter_points
from report.scatter_points import first_two
from report.svg_plots import Scatter
from silver.local_inference import InProcessModel, LookedAt

KINDS = 3
"""The number of kinds that an answer names, the likeliest ones."""

WATCHED = (catalog.EMBEDDINGS, catalog.FEATURES, catalog.MODELS)
"""The tables that answers are made from. When one of them has a new version, the lake is read anew."""


class LakeGone(FruitLakeError):
    """The lake can't be read at the moment."""

    @classmethod
    def of(cls, error: Exception) -> LakeGone:
        """Make a LakeGone from an error of a library, without its message, which may hold a path."""
        return cls(f"The lake can't be read just now ({type(error).__name__}); try again.")


@dataclass(frozen=True)
class Answer:
    """The answer to one photo.

    `kinds` has the likeliest kinds with their probabilities, or is None where the lake has no classifier yet.
    `place` has the photo's first two components, and `scatter` is the plot that they belong to; both are None
    where the lake has no PCA version yet. `verdict` says whether to rely on the likeliest kind; None where
    there is none, or nobody can say. `sure_from` is the least confidence of a sure answer; None where none is
    sure. `known` is what the lake knows of the photo itself.
    """

    kinds: Sequence[tuple[str, float]] | None
    verdict: AnswerVerdict | None
    sure_from: float | None
    similar: Sequence[Neighbour]
    place: tuple[float, float] | None
    scatter: Scatter | None
    known: Known


@dataclass(frozen=True)
class LakeSnapshot:
    """What answers need of a lake, read at some `versions` of the watched tables and kept for many photos.

    `versions` maps the name of a table to its version. `photos` counts those that have features of `pca`.
    `predictor`, `pca` and `scatter` are None where the lake has no such model yet.
    """

    versions: Mapping[str, int]
    photos: int
    model: InProcessModel
    embeddings: Embeddings
    known: KnownPhotos
    predictor: Predictor | None
    pca: PcaVersion | None
    scatter: Scatter | None

    @classmethod
    def of(cls, files: Folder, settings: Settings, versions: Mapping[str, int]) -> LakeSnapshot:
        """Read the lake.

        Raises BadInput (the lake does not have the model of the settings) and Inconsistent (the model's file
        is gone).
        """
        root, model = files.root, local_model(files, settings)
        pca = _champion(models.pca, root, model.weights_id)
        classifier = _champion(models.classifier, root, model.weights_id)
        points = scatter_points.points(root, pca.version) if pca else scatter_points.NONE
        version = versions[catalog.EMBEDDINGS.name]
        return cls(
            versions,
            points.photos,
            model,
            Embeddings(root, model.weights_id, version=version),
            KnownPhotos.of(root, model.weights_id, classifier, version=version),
            Predictor.by(classifier, model, root=root) if classifier else None,
            pca,
            points.drawn(pca.pca.scree.tolist()) if pca else None,
        )


class Answers:
    """Answers photos one after another, each by the lake as it is at that time.

    All calls must come from one thread: the processes that clean and decode end with the thread that started
    them, and an interpreter takes one photo at a time.
    """

    def __init__(self, files: Folder, settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self._logs: dict[str, DeltaLog] = {}
        self._snapshot: LakeSnapshot | None = None

    def snapshot(self) -> LakeSnapshot:
        """Return the lake as it is now, read anew only where a watched table has changed.

        Raises LakeGone, and BadInput and Inconsistent as `LakeSnapshot.of` does.
        """
        try:
            versions = self._versions()
            if self._snapshot is None or self._snapshot.versions != versions:
                # Dropped first: if reading fails, rows that left the lake must not be shown any more.
                self._snapshot = None
                self._snapshot = LakeSnapshot.of(self._files, self._settings, versions)
        except FruitLakeError:
            raise
        except Exception as error:
            self._logs.clear()
            raise LakeGone.of(error) from error
        return self._snapshot

    def answer(self, content: bytes, *, count: int) -> Answer:
        """Answer a photo, given its bytes, with the `count` most similar photos.

        Raises NotAPhoto or RefusedPhoto where the photo can't be used, and as `snapshot` does.
        """
        lake = self.snapshot()
        [looked] = looks(lake.model, [content])
        if not isinstance(looked, LookedAt):
            raise looked
        embedding = looked.embedding
        try:
            similar = lake.embeddings.nearest(embedding, count=count)
        except OSError as error:  # a file was removed that was not kept in memory
            self._snapshot = None
            raise LakeGone("The lake changed meanwhile; try again.") from error
        known = lake.known.find(looked.fingerprint)
        kinds = verdict = least = None
        if lake.predictor:
            kinds = lake.predictor.kinds(embedding)[:KINDS]
            verdict = lake.predictor.verdict(embedding, kinds[0][1], is_held=known.is_held)
            least = lake.predictor.sure_from
        place = None
        if lake.pca:
            place = first_two(lake.pca.project(embedding[np.newaxis])[0].tolist())
        return Answer(kinds, verdict, least, similar, place, lake.scatter, known)

    def _versions(self) -> dict[str, int]:
        """The newest version of each watched table, by name. Raises LakeGone where the lake is gone."""
        try:
            is_there = lake_format.check_format(self._files) is not None
        except Refused as error:  # it is half way to a new key
            self._snapshot = None
            raise LakeGone(str(error)) from None
        if not is_there:
            self._logs.clear()
            self._snapshot = None
            raise LakeGone(
                f"There is no lake in {self._settings.paths.lake} any more; put it back."
            )
        versions = {}
        for table in WATCHED:
            log = self._logs.setdefault(table.name, DeltaLog(self._files.root, table))
            versions[table.name] = log.version()
        return versions


def _champion(read: Callable[..., Any], root: str, weights_id: str) -> Any:
    """The champion that `read` returns for a model, or None where there is none yet."""
    try:
        return read(root, weights_id=weights_id)
    except BadInput:
        return None
