"""Calibration is measured against known answers, and no photo is calibrated by its own label."""

from __future__ import annotations

import numpy as np
import pytest

from gold.calibration import (
    cross_fitted_confidence,
    expected_calibration_error,
    fitted_temperature,
    reliability,
)
from gold.classifiers import log_softmax


@pytest.mark.parametrize(
    ("confidence", "is_right", "error"),
    [
        ([0.75] * 4, [True, True, True, False], 0.0),
        ([0.95] * 4, [True, True, False, False], 0.45),
        ([1.0, 1.0], [True, True], 0.0),
        ([0.55, 0.95], [True, False], (0.45 + 0.95) / 2),
    ],
)
def test_the_error_is_that_of_the_definition(
    confidence: list[float], is_right: list[bool], error: float
) -> None:
    assert expected_calibration_error(np.array(confidence), np.array(is_right)) == pytest.approx(
        error
    )


def test_no_photos_have_no_error() -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        expected_calibration_error(np.empty(0), np.empty(0, bool))


def test_a_fold_is_calibrated_by_the_others_alone() -> None:
    random = np.random.default_rng(0)
    logits, codes = random.normal(size=(60, 3)) * 3, random.integers(0, 3, 60)
    fold = np.arange(60) % 3
    found = cross_fitted_confidence(logits, codes, fold)
    others = fold != 1
    temperature = fitted_temperature(logits[others], codes[others])
    expected = np.exp(log_softmax(logits[~others] / temperature)).max(axis=1)
    assert np.allclose(found[~others], expected)
    changed = np.where(fold == 1, (codes + 1) % 3, codes)
    assert np.array_equal(
        cross_fitted_confidence(logits, changed, fold)[fold == 1], found[fold == 1]
    )


def test_each_answer_is_in_the_bin_of_its_confidence_and_bins_without_one_are_left_out() -> None:
    confidence = np.array([0.0, 0.31, 0.35, 0.39, 0.9, 1.0])
    is_right = np.array([False, True, False, True, True, True])
    first, middle, last = reliability(confidence, is_right)
    assert (first.low, first.high, first.photos, first.right) == (0.0, 0.1, 1, 0)
    assert (middle.low, middle.high, middle.photos, middle.right) == (0.3, 0.4, 3, 2)
    assert (middle.confidence, middle.share) == (pytest.approx(0.35), pytest.approx(2 / 3))
    assert (last.low, last.high, last.photos, last.share) == (0.9, 1.0, 2, 1.0)
    assert list(reliability(np.empty(0), np.empty(0, bool))) == []
