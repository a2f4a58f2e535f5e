"""What the page answers of a photo: its kind, the photos most like it, and where it falls in the scatter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from gold import model_reader as models
from gold.model_versions import PcaVersion
from lake import catalog, delta_rs_reader
from lake.storage.folder import Folder
from page.predictions import Predictor, local_model
from page.similar_photos import Embeddings, Neighbour
from report import scatter_points
from report.scatter_points import first_two
from report.svg_plots import Scatter
from silver.in_process_model import InProcessModel
from silver.pixels import RefusedPhoto

KINDS = 3
"""That are told of a photo, the likeliest ones."""

WATCHED = (catalog.EMBEDDINGS, catalog.FEATURES, catalog.MODELS)
"""Tables of which another version means that everything is read anew."""


class LakeGone(FruitLakeError):
    """The lake can't be read just now."""

    @classmethod
    def of(cls, error: Exception) -> LakeGone:
        """What to say of an error that isn't ours: its message may hold a path."""
        return cls(f"The lake can't be read just now ({type(error).__name__}); try again.")


@dataclass(frozen=True)
class Answer:
    """Of one photo. `kinds`: the likeliest ones with their probabilities; `place`: its first two components,
    `scatter`: where they are drawn.

    They are None where there is no classifier, or no PCA, yet.
    """

    kinds: Sequence[tuple[str, float]] | None
    similar: Sequence[Neighbour]
    place: tuple[float, float] | None
    scatter: Scatter | None


@dataclass(frozen=True)
class LakeSnapshot:
    """What is read of the lake at `versions` of the watched tables, and kept for many photos."""

    versions: Mapping[str, int]
    photos: int
    model: InProcessModel
    embeddings: Embeddings
    predictor: Predictor | None
    pca: PcaVersion | None
    scatter: Scatter | None

    @classmethod
    def of(cls, files: Folder, settings: Settings, versions: Mapping[str, int]) -> LakeSnapshot:
        """Raises BadInput (the lake has no such model), Inconsistent (the model file is gone)."""
        root, model = files.root, local_model(files, settings)
        pca = _champion(models.pca, root, model.weights_id)
        classifier = _champion(models.classifier, root, model.weights_id)
        shown = scatter_points.points(root, pca.version) if pca else scatter_points.NONE
        version = versions[catalog.EMBEDDINGS.name]
        return cls(
            versions,
            shown.photos,
            model,
            Embeddings(root, model.weights_id, version=version),
            Predictor.by(classifier, model, root=root) if classifier else None,
            pca,
            shown.drawn(pca.pca.scree.tolist()) if pca else None,
        )


class Answers:
    """Of photos, one after another, by the lake as it is at each. For one thread: the decoder's process ends
    with the thread that made it, and an interpreter takes one photo at a time."""

    def __init__(self, files: Folder, settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self._tables: dict[str, Any] = {}
        self._known: LakeSnapshot | None = None

    def known(self) -> LakeSnapshot:
        """The lake as it is now. Raises LakeGone, and as `Known.of`."""
        try:
            versions = self._versions()
            if self._known is None or self._known.versions != versions:
                self._known = None  # what left the lake must not be shown, should the rest fail
                self._known = LakeSnapshot.of(self._files, self._settings, versions)
        except FruitLakeError:
            raise
        except Exception as error:
            self._tables.clear()
            raise LakeGone.of(error) from error
        return self._known

    def answer(self, content: bytes, *, count: int) -> Answer:
        """Of a photo's bytes. Raises RefusedPhoto, and as `known`."""
        known = self.known()
        [embedded] = known.model.embed([content])
        if isinstance(embedded, RefusedPhoto):
            raise embedded
        try:
            similar = known.embeddings.nearest(embedded, count=count)
        except OSError as error:  # a file that was not in memory went
            self._known = None
            raise LakeGone("The lake changed meanwhile; try again.") from error
        kinds = known.predictor.kinds(embedded)[:KINDS] if known.predictor else None
        place = None
        if known.pca:
            place = first_two(known.pca.project(embedded[np.newaxis])[0].tolist())
        return Answer(kinds, similar, place, known.scatter)

    def _versions(self) -> dict[str, int]:
        """Of the watched tables. Raises LakeGone where there is no lake any more."""
        if not lake_json.is_made(self._files):
            self._tables.clear()
            self._known = None
            raise LakeGone(
                f"There is no lake in {self._settings.paths.lake} any more; put it back."
            )
        versions = {}
        for table in WATCHED:
            if table.name in self._tables:
                self._tables[table.name].update_incremental()
            else:
                self._tables[table.name] = delta_rs_reader.delta_table(self._files.root, table)
            versions[table.name] = self._tables[table.name].version()
        return versions


def _champion(read: Callable[..., Any], root: str, weights_id: str) -> Any:
    """None where there is none yet."""
    try:
        return read(root, weights_id=weights_id)
    except BadInput:
        return None
