"""The JSON that the page's API answers with, as pydantic models; `/openapi.json` describes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from gold import accuracy_figures
from gold.acceptance import AnswerVerdict
from page.photo_answers import Answer, LakeSnapshot


class FruitKind(BaseModel):
    """A kind of fruit, and the probability that the photo shows it, calibrated on photos held out."""

    kind: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class SimilarPhoto(BaseModel):
    """A photo of the lake; `similarity` is the cosine of its embedding and that of the sent photo."""

    photo_id: str
    label: str | None
    similarity: Annotated[float, Field(ge=-1.0001, le=1.0001)]


class ScatterPlace(BaseModel):
    """The first two components of a photo, and its place `x`, `y` in the units of the scatter's SVG."""

    component_1: float
    component_2: float
    x: float
    y: float


class PhotoAnswer(BaseModel):
    """The answer to a photo.

    `kinds` has the likeliest kinds first. It is null while the lake has no classifier, and `place` is null
    while it has no PCA version with features. `verdict` says whether to rely on the likeliest kind
    (`kind`), or not: `not_sure`, or `nothing_like_it` where the photo is like nothing that the classifier
    was trained on. It is null where nobody can say. `sure_from` is the least confidence of a sure answer,
    or null where the classifier is sure of none, or nobody can say. `label` is the label of the same photo
    in the lake, or null where the lake has no such photo, or no label of it. `trained_on` says whether the
    classifier was fitted on this photo: then its answer says little about other photos. It is null where
    nobody can say.
    """

    kinds: list[FruitKind] | None
    verdict: AnswerVerdict | None
    sure_from: Annotated[float, Field(ge=0, le=1)] | None
    similar: list[SimilarPhoto]
    place: ScatterPlace | None
    label: str | None
    trained_on: bool | None

    @classmethod
    def of(cls, answer: Answer) -> PhotoAnswer:
        """Make the JSON of an answer."""
        place, scatter = None, answer.scatter
        if answer.place and scatter:
            first, second = answer.place
            x, y = scatter.x, scatter.y
            place = ScatterPlace(
                component_1=first,
                component_2=second,
                x=x.origin + first * x.scale,
                y=y.origin + second * y.scale,
            )
        kinds = None
        if answer.kinds is not None:
            kinds = [FruitKind(kind=kind, confidence=share) for kind, share in answer.kinds]
        similar = [SimilarPhoto(**vars(each)) for each in answer.similar]
        known = answer.known
        return cls(
            kinds=kinds,
            verdict=answer.verdict,
            sure_from=answer.sure_from,
            similar=similar,
            place=place,
            label=known.label,
            trained_on=known.trained_on,
        )


class About(BaseModel):
    """What the lake can answer at the moment.

    `photos` counts the photos with features of the PCA version. `classifier` and `pca` are the versions that
    answer, or null where there is none yet. `accuracy` says in words how often the classifier was right on
    photos held out, and how sure that is. `max_bytes` is the size of the largest photo that may be sent.
    """

    photos: int
    weights_id: str
    classifier: str | None
    accuracy: str | None
    pca: str | None
    max_bytes: int

    @classmethod
    def of(cls, lake: LakeSnapshot, *, max_bytes: int) -> About:
        """Make the JSON of a lake as it was read."""
        classifier = lake.predictor.classifier if lake.predictor else None
        return cls(
            photos=lake.photos,
            weights_id=lake.model.weights_id,
            classifier=classifier.version if classifier else None,
            accuracy=accuracy_figures.sentence(classifier.metrics) if classifier else None,
            pca=lake.pca.version if lake.pca else None,
            max_bytes=max_bytes,
        )


class Problem(BaseModel):
    """A request that was refused; `detail` is one sentence that says what is wrong and what to do."""

    detail: str
