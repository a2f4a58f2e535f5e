"""Time-wise validation: a classifier that is fitted on earlier days, tested on photos of later ones.

This is what a lake asks of its classifiers: to be right about the photos that will come. Of photos that don't
say on which day they were taken nothing is known, and they take no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from gold.classifiers import Vectors, fit, label_codes
from gold.confidence_intervals import interval
from gold.near_duplicates import Indices
from gold.training_examples import Examples

UNKNOWN = -1
"""The day of a photo that doesn't say it."""


@dataclass(frozen=True)
class DaySplit:
    """A split of n photos by a day: those before it are `fitted`, and later ones are `tested` (bool[n] each).

    A later photo is tested where its label has earlier photos, and none of its scene is earlier: a photo that
    was saved again on another day is not new. `days_before` and `days_after` are the numbers of their days.
    """

    fitted: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    days_before: int
    days_after: int


def metrics(vectors: Vectors, examples: Examples, *, algorithm: str) -> dict[str, float]:
    """Return the metrics of a time-wise validation of an algorithm on vectors float[n, d] of the examples.

    `days` and `dated` are the numbers of days and of photos that say theirs. The others are only there where
    a split was found: `timewise_accuracy` with its interval `timewise_low` and `timewise_high`, and the
    numbers of what was tested (`timewise_photos`, `timewise_groups`, `timewise_days`) and of what was fitted
    (`timewise_fitted`, `timewise_days_before`).
    """
    dated = [day for day in examples.days if day is not None]
    known: dict[str, float] = {"days": len(set(dated)), "dated": len(dated)}
    found = split(examples.days, examples.labels, examples.scenes)
    if found is None:
        return known
    labels = np.array(examples.labels, object)
    fitted = fit(vectors[found.fitted], labels[found.fitted].tolist(), kind=algorithm)
    said = fitted.logits(vectors[found.tested]).argmax(axis=1)
    correct = np.array(fitted.labels, object)[said] == labels[found.tested]
    scenes = examples.scenes[found.tested]
    low, high = interval(correct, scenes)
    return known | {
        "timewise_accuracy": float(correct.mean()),
        "timewise_low": low,
        "timewise_high": high,
        "timewise_photos": len(correct),
        "timewise_groups": len(np.unique(scenes)),
        "timewise_days": found.days_after,
        "timewise_fitted": int(found.fitted.sum()),
        "timewise_days_before": found.days_before,
    }


def split(days: Sequence[date | None], labels: Sequence[str], scenes: Indices) -> DaySplit | None:
    """Return the split of photos by the day that leaves the most photos to test.

    At least half of the photos that say their day are fitted, or, where no such split tests two labels, as
    many as possible. None where no day splits the photos so that two labels are tested.
    """
    day = np.array([UNKNOWN if each is None else each.toordinal() for each in days], np.int64)
    is_dated = day != UNKNOWN
    _, codes = label_codes(labels)
    first_of_label, first_of_scene = _firsts(day, codes), _firsts(day, scenes)

    def split_at(border: int) -> DaySplit:
        fitted = is_dated & (day < border)
        tested = is_dated & (first_of_label < border) & (first_of_scene >= border)
        return DaySplit(fitted, tested, len(np.unique(day[fitted])), len(np.unique(day[tested])))

    splits = (split_at(border) for border in np.unique(day[is_dated])[1:].tolist())
    found = [each for each in splits if len(np.unique(codes[each.tested])) > 1]
    fair = [each for each in found if 2 * each.fitted.sum() >= is_dated.sum()]
    return max(fair or found[-1:], key=lambda each: int(each.tested.sum()), default=None)


def _firsts(day: Indices, owners: Indices) -> Indices:
    """Return the first known day among the photos of each photo's owner, int64[n]."""
    _, owner = np.unique(owners, return_inverse=True)
    never = np.iinfo(np.int64).max
    first = np.full(len(day), never)
    np.minimum.at(first, owner, np.where(day == UNKNOWN, never, day))
    return first[owner]
