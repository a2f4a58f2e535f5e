"""Which kinds of fruit photos show, by silver's extractor and gold's classifier, without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conf.errors import BadInput
from conf.settings import Settings
from gold import reading
from gold.models import EMBEDDINGS, ClassifierVersion, PcaVersion
from lake.files import Folder
from silver.local import LocalModel
from silver.model import flatbuffer_of, known_model
from silver.pixels import Limits, RefusedPhoto


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

    model: LocalModel
    classifier: ClassifierVersion
    pca: PcaVersion | None

    @classmethod
    def of(cls, files: Folder, settings: Settings, *, version: str | None = None) -> Predictor:
        """The classifier of that name, or the champion of the model that the settings name.

        Raises BadInput (the lake has no such model or version, or its parameters were wiped), Inconsistent
        (the model file is gone).
        """
        extractors = reading.rows(files.root, "extractor")
        known = known_model(extractors, settings.model)
        if known is None:
            names = ", ".join(sorted({row["extractor"] for row in extractors})) or "none"
            raise BadInput(
                f"The lake {files.root} has no {settings.model.extractor} with the weights "
                f"{settings.model.weights}; its extractors are {names}: name one with --extractor and "
                f"--weights."
            )
        weights_id = known["weights_id"]
        if not reading.rows(files.root, "classifier"):
            raise BadInput(f"The lake {files.root} has no classifier yet: run python run.py train.")
        classifier = reading.classifier(files.root, version, weights_id=weights_id)
        pca = None
        if classifier.input != EMBEDDINGS:
            pca = reading.pca(files.root, classifier.input)
        limits = Limits(**settings.photos.model_dump())
        model = LocalModel(weights_id, flatbuffer_of(files, known), limits)
        return cls(model, classifier, pca)

    def predict(self, photos: Sequence[str]) -> Iterator[Prediction]:
        """What photo files show, in order."""
        for photo in photos:
            try:
                content = self._content(Path(photo))
            except OSError as error:
                yield Prediction(photo, refused=f"can't be read ({error.strerror})")
                continue
            yield self._prediction(photo, content)

    def _content(self, path: Path) -> bytes:
        """Of a file that is too large, as much as shows that. Raises OSError."""
        with path.open("rb") as file:
            return file.read(self.model.limits.max_bytes + 1)

    def _prediction(self, photo: str, content: bytes) -> Prediction:
        [embedded] = self.model.embed([content])
        if isinstance(embedded, RefusedPhoto):
            return Prediction(photo, refused=f"{embedded.reason.value} ({embedded.detail})")
        embeddings = embedded[np.newaxis]
        vectors = self.pca.project(embeddings) if self.pca else embeddings
        [probabilities] = self.classifier.predict(vectors)
        order = np.argsort(-probabilities, kind="stable")
        labels = self.classifier.classifier.labels
        return Prediction(photo, [(labels[place], float(probabilities[place])) for place in order])
