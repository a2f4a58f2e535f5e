"""The benchmark of another day: what it makes of answers, and how it judges."""

from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from benchmarks.another_day import Answers, OtherDay, answers, shown
from gold.acceptance import AnswerVerdict
from gold.classifiers import Classifier

METRICS = {
    "accuracy": 0.7,
    "accuracy_low": 0.5,
    "accuracy_high": 0.9,
    "calibration_error": 0.05,
}


def said(right, photos):
    return Answers(np.arange(photos) < right, np.full(photos, 0.7), np.arange(photos) % 2 == 0)


@pytest.fixture
def console():
    return Console(width=140, record=True)


@pytest.mark.parametrize(("right", "is_held"), [(6, True), (5, True), (4, False), (10, False)])
def test_an_accuracy_outside_of_its_interval_is_told(console, right, is_held):
    version = SimpleNamespace(metrics=METRICS, algorithm="linear_svm", input="embeddings")
    within = (version, said(7, 10))
    assert shown(console, [(version, said(right, 10)), within]) is is_held
    assert ("OUTSIDE" in console.export_text()) is not is_held


def test_answers_are_compared_with_the_names_of_folders():
    weights = np.array([[9.0, 0.0], [0.0, 9.0]])
    classifier = Classifier(("kiwi", "lime"), np.zeros(2), np.ones(2), ((weights, np.zeros(2)),))
    version = SimpleNamespace(classifier=classifier, predict=classifier.predict)
    asked = OtherDay(np.eye(2, dtype=np.float32)[[0, 1, 1]], ["kiwi", "lime", "plum"], 0)

    def verdict(embedding, confidence):
        return AnswerVerdict.KIND if embedding[0] else AnswerVerdict.NOT_SURE

    found = answers(SimpleNamespace(pca=None, classifier=version, verdict=verdict), asked)
    assert found.is_sure.tolist() == [True, False, False]
    assert found.sure == "1 of 1"
    assert found.is_right.tolist() == [True, True, False]
    assert found.accuracy == pytest.approx(2 / 3)
    assert (found.confidence > 0.99).all()


def test_few_photos_leave_an_error_to_confidences_that_are_exactly_right():
    assert said(7, 10).least_error > 0.05
    assert said(700, 1000).least_error < 0.02
    assert said(7, 10).calibration_error == pytest.approx(0)
