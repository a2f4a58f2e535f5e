"""Which answers of a classifier to rely on: those that are sure enough, about something that it knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gold.unit_vectors import unit

ASSURANCE = 0.8
"""How certain it must be, on photos held out, that the wanted precision is reached.

Of answers that were accepted by other photos of the same lake, 90.6 % were right where 90 % were wanted; with
the plain share of right answers, 89.0 %.
"""

NEVER_SURE = 2.0
"""The bound where no answer is sure: no confidence reaches it, and the gate takes finite numbers alone."""

UNLIKE_SHARE = 0.02
"""The share of photos held out that are less like every kind than the bound.

On shop photos, the bound refused 2 % of those held out and 5 to 7 % of those of another day, all of 7 groups
of pictures that show no fruit, but 13 % of photos of kinds that were left out of the training.
"""


class AnswerVerdict(StrEnum):
    """Whether to rely on an answer: on the likeliest kind; not, as it isn't sure enough; or not, as the
    photo is like nothing that the classifier was trained on."""

    KIND = "kind"
    NOT_SURE = "not_sure"
    NOTHING_LIKE_IT = "nothing_like_it"


@dataclass(frozen=True)
class Acceptance:
    """The bounds of answers to rely on.

    `sure_from` is the least confidence with which answers about photos held out were as often right as was
    wanted; `NEVER_SURE` where with none. `centres` float32[k, d] are the mean directions of the kinds'
    embeddings, and `least_likeness` is the cosine to the nearest of them that all but few photos held out
    reach. Also a classifier of features has embeddings here: in few components, other things look like fruit.
    """

    sure_from: float
    centres: NDArray[np.float32]
    least_likeness: float

    @classmethod
    def of(
        cls,
        sure_from: float,
        embeddings: NDArray[np.floating],
        labels: Sequence[str],
        *,
        folds: Iterable[NDArray[np.int64]],
    ) -> Self:
        """Return the bounds for photos with embeddings float[n, d] and a label each.

        `folds` has the photos of each fold of a test, as indices: they are compared with all others.
        """
        names, units = np.array(labels, object), unit(embeddings)
        found = [
            _likeness(units[own], _centres(np.delete(units, own, 0), np.delete(names, own)))
            for own in folds
        ]
        likeness = float(np.quantile(np.concatenate(found), UNLIKE_SHARE))
        return cls(sure_from, _centres(units, names), likeness)

    def verdict(
        self, embedding: NDArray[np.floating], confidence: float, *, is_held: bool = False
    ) -> AnswerVerdict:
        """Return whether to rely on an answer about a photo with the embedding float[d].

        A photo that the lake holds (`is_held`) is like one there, however far from all kinds.
        """
        likeness = _likeness(unit(embedding[np.newaxis]), self.centres)[0]
        if likeness < self.least_likeness and not is_held:
            return AnswerVerdict.NOTHING_LIKE_IT
        return AnswerVerdict.KIND if confidence >= self.sure_from else AnswerVerdict.NOT_SURE

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the parameters of a classifier keep of it, by name."""
        return {
            "sure_from": np.array(self.sure_from),
            "centres": self.centres,
            "least_likeness": np.array(self.least_likeness),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self | None:
        """Return it from the parameters of a classifier; None where earlier code wrote them."""
        if "sure_from" not in arrays:
            return None
        return cls(float(arrays["sure_from"]), arrays["centres"], float(arrays["least_likeness"]))


def sure_from(
    confidence: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    scenes: NDArray[np.int64],
    *,
    wanted: float,
) -> float:
    """Return the least confidence from which on answers are as often right as is wanted; `NEVER_SURE` where
    none are.

    `confidence` float64[n] and `is_right` bool[n] are those of photos held out, and `scenes` int64[n] are
    their scenes. The precision of the answers from a confidence on counts by the lower end of its one-sided
    interval (Clopper and Pearson 1934) at `ASSURANCE`, as if each scene were one answer: neither a few right
    answers are enough nor many of one scene. Equal confidences are accepted together.
    """
    from scipy.stats import beta

    order = np.argsort(-confidence, kind="stable")
    sorted_ = confidence[order]
    is_first = np.zeros(len(order), np.int64)
    is_first[np.unique(scenes[order], return_index=True)[1]] = 1
    share = np.cumsum(is_right[order]) / np.arange(1, len(order) + 1)
    ends = np.flatnonzero(np.append(sorted_[1:] != sorted_[:-1], True)[: len(order)])
    count, right = np.cumsum(is_first)[ends], (share * np.cumsum(is_first))[ends]
    lower = beta.ppf(1 - ASSURANCE, np.maximum(right, 1e-9), count - right + 1)
    reached = ends[lower >= wanted]
    return float(sorted_[reached[-1]]) if len(reached) else NEVER_SURE


def cross_fitted_sure(
    confidence: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    scenes: NDArray[np.int64],
    fold: NDArray[np.int64],
    *,
    wanted: float,
) -> NDArray[np.bool_]:
    """Return which answers about photos held out were sure, bool[n].

    The bound of each fold is that of the answers of the other folds, as `sure_from` gives it: a bound that
    the photos themselves have chosen would flatter them. `fold` int64[n] has the fold of each photo.
    """
    is_sure = np.zeros(len(fold), np.bool_)
    for number in np.unique(fold):
        own = fold == number
        others = confidence[~own], is_right[~own], scenes[~own]
        is_sure[own] = confidence[own] >= sure_from(*others, wanted=wanted)
    return is_sure


def _centres(units: NDArray[np.float32], labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean direction of each label's photos, in the order of the labels' names."""
    return unit(np.stack([units[labels == label].mean(axis=0) for label in np.unique(labels)]))


def _likeness(units: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of each photo to the nearest centre."""
    return np.asarray((units @ centres.T).max(axis=1), np.float32)


WORDS: Mapping[AnswerVerdict, str] = {
    AnswerVerdict.KIND: "sure",
    AnswerVerdict.NOT_SURE: "not sure",
    AnswerVerdict.NOTHING_LIKE_IT: "nothing like this in the lake",
}
"""The verdicts as people read them."""


NONE_IS_SURE = (
    "its test could not show of any confidence that such answers are right as often as is wanted "
    "(training.wanted_precision), so none is sure: send more photos of each kind from other visits (other "
    "days, places or persons), or want less"
)
"""What it means, and what to do, where a classifier is never sure, without a full stop."""


def meaning(bound: float, verdicts: Collection[AnswerVerdict]) -> Iterator[str]:
    """Yield a sentence about what each of some verdicts means, where it isn't plain."""
    if AnswerVerdict.NOT_SURE in verdicts:
        yield (
            f"{NONE_IS_SURE[0].upper()}{NONE_IS_SURE[1:]}."
            if bound == NEVER_SURE
            else f"Not sure is a confidence below {bound:.1%}: on photos held out, too few answers were "
            f"tested there, or too many were wrong, to rely on them (training.wanted_precision)."
        )
    if AnswerVerdict.NOTHING_LIKE_IT in verdicts:
        yield (
            "Nothing like this in the lake is a photo that is less like each kind than nearly all photos "
            "held out: it may show no fruit at all."
        )
