"""Calibration: confidences that say how often a classifier is right, and how far off they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gold.classifiers import Floats, Indices, log_softmax

TEMPERATURES = (0.01, 100.0)
"""The bounds of the temperature. Without them there is no best one where every held-out photo is right."""

BINS = 10
"""The number of bins of equal width over which the expected calibration error is summed."""


def fitted_temperature(logits: Floats, codes: Indices) -> float:
    """Return the number by which to divide logits float64[n, labels] to make the true labels likeliest.

    `codes` are the indices of the true labels, int64[n]. The result is never worse than 1. Source: Guo et
    al. 2017, "On calibration of modern neural networks".
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        likelihoods = log_softmax(logits / np.exp(log_temperature))
        return -float(likelihoods[np.arange(len(codes)), codes].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x
    return float(np.exp(min(0.0, float(found), key=loss)))


def cross_fitted_confidence(logits: Floats, codes: Indices, fold: Indices) -> Floats:
    """Return the probability of the likeliest label of each photo, float64[n].

    `logits` float64[n, labels] are held-out ones, `codes` int64[n] the true labels, and `fold` int64[n] the
    folds. The temperature of a fold is fitted on the logits of the other folds, so no photo is calibrated by
    its own label.
    """
    confidence = np.empty(len(codes))
    for number in np.unique(fold):
        own = fold == number
        temperature = fitted_temperature(logits[~own], codes[~own])
        confidence[own] = np.exp(log_softmax(logits[own] / temperature)).max(axis=1)
    return confidence


@dataclass(frozen=True)
class ConfidenceBin:
    """The answers whose confidence lies in one bin, from `low` to `high`, in [0, 1].

    `photos` have such an answer, with the mean confidence `confidence`, and `right` of them are right.
    """

    low: float
    high: float
    photos: int
    confidence: float
    right: int

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / self.photos


def reliability(confidence: Floats, is_right: NDArray[np.bool_]) -> Sequence[ConfidenceBin]:
    """Return the bins that have answers, of `BINS` bins of equal width, from the least confidence on.

    `confidence` float64[n] in [0, 1] and `is_right` bool[n] are those of photos held out.
    """
    place = np.minimum((np.asarray(confidence) * BINS).astype(np.int64), BINS - 1)
    photos = np.bincount(place, minlength=BINS)
    said = np.bincount(place, weights=confidence, minlength=BINS)
    right = np.bincount(place, weights=is_right, minlength=BINS)
    return [
        ConfidenceBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            photos=int(photos[number]),
            confidence=float(said[number] / photos[number]),
            right=int(right[number]),
        )
        for number in np.flatnonzero(photos).tolist()
    ]


def expected_calibration_error(confidence: Floats, is_right: NDArray[np.bool_]) -> float:
    """Return how far confidences float64[n] in [0, 1] are from the share of right answers, on average.

    It is the expected calibration error over the bins of `reliability`: in each, the mean confidence is
    compared with the share of right answers, weighted by the photos in it. Source: Guo et al. 2017. Raises
    ValueError where there is no photo.
    """
    if not len(confidence):
        raise ValueError("a calibration error needs at least one photo")
    bins = reliability(confidence, is_right)
    gaps = (each.photos * abs(each.confidence - each.share) for each in bins)
    return float(sum(gaps) / len(confidence))
