"""Predicts which kind of fruit a photo shows by silver's extractor and gold's classifier, without Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput
from conf.settings import Settings
from gold import model_reader
from gold.acceptance import NEVER_SURE, AnswerVerdict
from gold.model_versions import EMBEDDINGS, ClassifierVersion, PcaVersion
from lake.enums import ModelKind
from lake.model_identity import ModelIdentity
from lake.storage.folder import Folder
from page import photo_files
from page.known_photos import KnownPhotos
from page.photo_looks import Refusal, looks
from silver.known_models import content_of, known_model
from silver.local_inference import InProcessModel, LookedAt
from silver.model_artifact import AS_BEFORE
from silver.pixels import Limits

Vector = NDArray[np.float32]

BATCH, BATCH_BYTES = 64, 32 << 20
"""The most photos that are read before they are embedded, and the bytes with which no other one is read."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one photo file.

    `kinds` has the kinds with their probabilities in [0, 1], the likeliest first. Where the photo can't be
    used, it is empty, and `refused` says why. `label` is the label of the same photo in the lake, if it has
    one. `trained_on` says whether the classifier was fitted on the photo; None where nobody can say.
    `verdict` says whether to rely on the likeliest kind; None where the classifier is one of earlier code,
    which had no test of that.
    """

    photo: str
    kinds: Sequence[tuple[str, float]] = ()
    refused: str | None = None
    label: str | None = None
    trained_on: bool | None = None
    verdict: AnswerVerdict | None = None


@dataclass(frozen=True)
class Predictor:
    """A classifier version of the lake under `root`, with the models that turn a photo into its input.

    `pca` is None where the classifier takes embeddings and not features.
    """

    root: str
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
        rows = model_reader.rows(files.root, ModelKind.CLASSIFIER)
        if not rows:
            raise BadInput(f"The lake {files.root} has no classifier yet: run python run.py train.")
        chosen = model_reader.choose(
            rows,
            ModelKind.CLASSIFIER,
            lake=files.root,
            version=version,
            weights_id=model.weights_id,
        )
        return cls.by(ClassifierVersion.read(chosen), model, root=files.root)

    @classmethod
    def by(cls, classifier: ClassifierVersion, model: InProcessModel, *, root: str) -> Predictor:
        """Make a predictor of a classifier of the lake under `root`.

        Raises BadInput where the parameters of the classifier's PCA were wiped.
        """
        has_features = classifier.input != EMBEDDINGS
        pca = model_reader.pca(root, classifier.input) if has_features else None
        return cls(root, model, classifier, pca)

    @cached_property
    def known(self) -> KnownPhotos:
        """What the lake knows of its photos. It is read when it is first asked for."""
        return KnownPhotos.of(self.root, self.model.weights_id, self.classifier)

    def predict(
        self, photos: Iterable[str], *, unusable: Mapping[str, str] | None = None
    ) -> Iterator[Prediction]:
        """Predict what each of some photo files shows, in their order. `unusable` has the reason for each
        name that is known to be no photo file.

        Photos are read and embedded in batches, so memory is bounded however many there are.
        """
        limit = self.model.limits.max_bytes + 1
        batch: list[tuple[str, bytes | str]] = []
        held = 0
        for photo in photos:
            content = (unusable or {}).get(photo) or _content(photo, at_most=limit)
            batch.append((photo, content))
            held += len(content)
            if len(batch) == BATCH or held > BATCH_BYTES:
                yield from self._predicted(batch)
                batch, held = [], 0
        yield from self._predicted(batch)

    def _predicted(self, batch: Sequence[tuple[str, bytes | str]]) -> Iterator[Prediction]:
        """Predict what photos show, given their bytes, or else why they can't be read."""
        found = looks(self.model, [each for _, each in batch if isinstance(each, bytes)])
        for photo, content in batch:
            looked = next(found) if isinstance(content, bytes) else content
            if isinstance(looked, LookedAt):
                known = self.known.find(looked.fingerprint)
                kinds = self.kinds(looked.embedding)
                verdict = self.verdict(looked.embedding, kinds[0][1], is_held=known.is_held)
                yield Prediction(photo, kinds, None, known.label, known.trained_on, verdict)
            else:
                yield Prediction(photo, refused=_why(looked))

    def kinds(self, embedding: Vector) -> list[tuple[str, float]]:
        """Return every kind with its probability for an embedding float32[d], the likeliest first."""
        embeddings = embedding[np.newaxis]
        vectors = self.pca.project(embeddings) if self.pca else embeddings
        [probabilities] = self.classifier.predict(vectors)
        order = np.argsort(-probabilities, kind="stable")
        labels = self.classifier.classifier.labels
        return [(labels[place], float(probabilities[place])) for place in order]

    def verdict(
        self, embedding: Vector, confidence: float, *, is_held: bool = False
    ) -> AnswerVerdict | None:
        """Return whether to rely on an answer with that confidence about an embedding float32[d]; None where
        the classifier can't say. `is_held` says that the lake has the photo."""
        acceptance = self.classifier.classifier.acceptance
        return acceptance.verdict(embedding, confidence, is_held=is_held) if acceptance else None

    @property
    def sure_from(self) -> float | None:
        """The least confidence of a sure answer; None where no answer is sure, or the classifier can't
        say."""
        acceptance = self.classifier.classifier.acceptance
        bound = acceptance.sure_from if acceptance else NEVER_SURE
        return None if bound == NEVER_SURE else bound


def local_model(files: Folder, settings: Settings) -> InProcessModel:
    """Load the extractor model that the settings name into this process.

    Raises BadInput (the lake does not have the model, or this machine can't run it) and Inconsistent (the
    model's file is gone).
    """
    extractors = model_reader.rows(files.root, ModelKind.EXTRACTOR)
    wanted = settings.model
    known = known_model(extractors, wanted)
    if known is None:
        held = sorted(f"{row['extractor']} ({ModelIdentity.of(row)})" for row in extractors)
        pixels = f" and {wanted.pixels} pixels" if wanted.pixels != AS_BEFORE else ""
        raise BadInput(
            f"The lake {files.root} has no {wanted.extractor} with the weights {wanted.weights} in "
            f"{wanted.precision}{pixels}; its extractors are {', '.join(held) or 'none'}: name one with "
            f"--extractor, --weights, --precision and --set model.pixels=…."
        )
    limits = Limits(**settings.photos.model_dump())
    model = InProcessModel(ModelIdentity.of(known), content_of(files, known), limits)
    model.check()
    return model


def looked_at(model: InProcessModel, photo: str) -> LookedAt:
    """Return what a model makes of a photo file. Raises BadInput where the photo can't be used."""
    content = _content(photo, at_most=model.limits.max_bytes + 1)
    [looked] = [content] if isinstance(content, str) else looks(model, [content])
    if isinstance(looked, LookedAt):
        return looked
    raise BadInput(_why(looked))


def _content(photo: str, *, at_most: int) -> bytes | str:
    """Return the bytes of a photo file, at most `at_most`, or else why they can't be read.

    One byte more than a photo may have is enough to see that it is too large.
    """
    try:
        return photo_files.contents(photo, at_most=at_most)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    except ValueError:
        return "can't be read (its name is not one of a file)"


def _why(refused: Refusal | str) -> str:
    """Return why a photo can't be used, in words."""
    return refused if isinstance(refused, str) else f"{refused.reason.value} ({refused.detail})"
