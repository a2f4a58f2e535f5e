"""Calibration: confidences that say how often a classifier is right, and how far off they are."""

from __future__ import annotations

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


def expected_calibration_error(confidence: Floats, is_right: NDArray[np.bool_]) -> float:
    """Return how far confidences float64[n] in [0, 1] are from the share of right answers, on average.

    It is the expected calibration error over `BINS` bins of equal width: in each, the mean confidence is
    compared with the share of right answers, weighted by the photos in it. Source: Guo et al. 2017. Raises
    ValueError where there is no photo.
    """
    if not len(confidence):
        raise ValueError("a calibration error needs at least one photo")
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(place, weights=confidence - is_right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))
