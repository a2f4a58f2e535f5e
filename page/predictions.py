"""Predicts which kind of fruit a photo shows by silver's extractor and gold's classifier, without Spark."""

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
from lake.enums import ModelKind
from lake.storage.folder import Folder
from lake.storage.local_folder import open_file
from silver.local_inference import InProcessModel
from silver.model_broadcast import flatbuffer_of, known_model
from silver.pixels import Limits, RefusedPhoto

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one photo file.

    `kinds` has the kinds with their probabilities in [0, 1], the likeliest first. Where the photo can't be
    used, it is empty, and `refused` says why.
    """

    photo: str
    kinds: Sequence[tuple[str, float]] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Predictor:
    """A classifier version, with the models that turn a photo into its input.

    `pca` is None where the classifier takes embeddings and not features.
    """

    model: InProcessModel
    classifier: ClassifierVersion
    pca: PcaVersion | None

    @classmethod
    def of(cls, files: Folder, settings: Settings, *, version: str | None = None) -> Predictor:
        """Read the classifier with the name `version`, or else the champion for the model of the settings.

        Raises BadInput (the lake has no such model or version, or its parameters were wiped) and Inconsistent
        (the model's file is gone).
        """
        model = local_model(files, settings)
        if not model_reader.rows(files.root, ModelKind.CLASSIFIER):
            raise BadInput(f"The lake {files.root} has no classifier yet: run python run.py train.")
        classifier = model_reader.classifier(files.root, version, weights_id=model.weights_id)
        return cls.by(classifier, model, root=files.root)

    @classmethod
    def by(cls, classifier: ClassifierVersion, model: InProcessModel, *, root: str) -> Predictor:
        """Make a predictor of a classifier of the lake under `root`.

        Raises BadInput where the parameters of the classifier's PCA were wiped.
        """
        has_features = classifier.input != EMBEDDINGS
        pca = model_reader.pca(root, classifier.input) if has_features else None
        return cls(model, classifier, pca)

    def predict(self, photos: Sequence[str]) -> Iterator[Prediction]:
        """Predict what each of some photo files shows, in their order."""
        for photo in photos:
            try:
                embedding = embedded(self.model, Path(photo))
            except BadInput as refused:
                yield Prediction(photo, refused=str(refused))
            else:
                yield Prediction(photo, self.kinds(embedding))

    def kinds(self, embedding: Vector) -> list[tuple[str, float]]:
        """Return every kind with its probability for an embedding float32[d], the likeliest first."""
        embeddings = embedding[np.newaxis]
        vectors = self.pca.project(embeddings) if self.pca else embeddings
        [probabilities] = self.classifier.predict(vectors)
        order = np.argsort(-probabilities, kind="stable")
        labels = self.classifier.classifier.labels
        return [(labels[place], float(probabilities[place])) for place in order]


def local_model(files: Folder, settings: Settings) -> InProcessModel:
    """Load the extractor model that the settings name into this process.

    Raises BadInput (the lake does not have the model) and Inconsistent (the model's file is gone).
    """
    extractors = model_reader.rows(files.root, ModelKind.EXTRACTOR)
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
    """Return the embedding of a photo file, float32[d]. Raises BadInput where the photo can't be used."""
    try:
        with open_file(str(photo)) as file:
            # One byte more than is allowed is enough to see that the file is too large.
            content = file.read(model.limits.max_bytes + 1)
    except OSError as error:
        raise BadInput(f"can't be read ({error.strerror})") from None
    [embedding] = model.embed([content])
    if isinstance(embedding, RefusedPhoto):
        raise BadInput(f"{embedding.reason.value} ({embedding.detail})")
    return embedding
