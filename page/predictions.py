"""Which kinds of fruit photos show, by silver's extractor and gold's classifier, without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput
from conf.settings import Settings
from gold import model_reader
from gold.model_versions import EMBEDDINGS, ClassifierVersion, PcaVersion
from lake.storage.folder import Folder
from lake.storage.local_folder import open_file
from silver.in_process_model import InProcessModel
from silver.model_lookup import flatbuffer_of, known_model
from silver.pixels import Limits, RefusedPhoto

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """Of one photo file: kinds with their probabilities in (0, 1], the likeliest first; or why there are
    none."""

    photo: str
    kinds: Sequence[tuple[str, float]] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Predictor:
    """A classifier version, and what makes its input from a photo's bytes."""

    model: InProcessModel
    classifier: ClassifierVersion
    pca: PcaVersion | None

    @classmethod
    def of(cls, files: Folder, settings: Settings, *, version: str | None = None) -> Predictor:
        """The classifier of that name, or the champion of the model that the settings name.

        Raises as `local_model`, and BadInput (no such version, or its parameters were wiped).
        """
        model = local_model(files, settings)
        if not model_reader.rows(files.root, "classifier"):
            raise BadInput(f"The lake {files.root} has no classifier yet: run python run.py train.")
        classifier = model_reader.classifier(files.root, version, weights_id=model.weights_id)
        return cls.by(classifier, model, root=files.root)

    @classmethod
    def by(cls, classifier: ClassifierVersion, model: InProcessModel, *, root: str) -> Predictor:
        """With a classifier of the lake under `root`. Raises BadInput where its PCA's parameters were
        wiped."""
        has_features = classifier.input != EMBEDDINGS
        pca = model_reader.pca(root, classifier.input) if has_features else None
        return cls(model, classifier, pca)

    def predict(self, photos: Sequence[str]) -> Iterator[Prediction]:
        """What photo files show, in order."""
        for photo in photos:
            try:
                embedding = embedded(self.model, Path(photo))
            except BadInput as refused:
                yield Prediction(photo, refused=str(refused))
            else:
                yield Prediction(photo, self.kinds(embedding))

    def kinds(self, embedding: Vector) -> list[tuple[str, float]]:
        """The kinds that a photo's embedding may be of, with their probabilities, the likeliest first."""
        embeddings = embedding[np.newaxis]
        vectors = self.pca.project(embeddings) if self.pca else embeddings
        [probabilities] = self.classifier.predict(vectors)
        order = np.argsort(-probabilities, kind="stable")
        labels = self.classifier.classifier.labels
        return [(labels[place], float(probabilities[place])) for place in order]


def local_model(files: Folder, settings: Settings) -> InProcessModel:
    """The extractor that the settings name, for this process.

    Raises BadInput (the lake has no such model), Inconsistent (the model file is gone).
    """
    extractors = model_reader.rows(files.root, "extractor")
    known = known_model(extractors, settings.model)
    if known is None:
        names = ", ".join(sorted({row["extractor"] for row in extractors})) or "none"
        raise BadInput(
            f"The lake {files.root} has no {settings.model.extractor} with the weights "
            f"{settings.model.weights}; its extractors are {names}: name one with --extractor and "
            f"--weights."
        )
    limits = Limits(**settings.photos.model_dump())
    return InProcessModel(known["weights_id"], flatbuffer_of(files, known), limits)


def embedded(model: InProcessModel, photo: Path) -> Vector:
    """The embedding float32[d] of a photo file. Raises BadInput: can't be read, or is refused, and why."""
    try:
        with open_file(str(photo)) as file:
            # Of a file that is too large, as much as shows that.
            content = file.read(model.limits.max_bytes + 1)
    except OSError as error:
        raise BadInput(f"can't be read ({error.strerror})") from None
    [found] = model.embed([content])
    if isinstance(found, RefusedPhoto):
        raise BadInput(f"{found.reason.value} ({found.detail})")
    return found
