"""Which answers to rely on: from which confidence on, and about photos of what."""

import json

import numpy as np
import pytest

from gold.acceptance import (
    NEVER_SURE,
    Acceptance,
    AnswerVerdict,
    cross_fitted_sure,
    meaning,
    sure_from,
)
from gold.classifiers import Classifier, fit
from tests.support.class_clouds import blobs


def bound(right, *, confidence=None, scenes=None, wanted=0.9):
    right = np.array(right, bool)
    falling = np.linspace(0.99, 0.5, len(right)) if confidence is None else np.array(confidence)
    own = np.arange(len(right)) if scenes is None else np.array(scenes)
    return sure_from(falling, right, own, wanted=wanted)


def test_the_bound_is_where_the_precision_ends_that_is_wanted():
    """Of the 100 surest answers all are right, and of the next 100 half."""
    right = [True] * 100 + [True, False] * 50
    falling = np.linspace(1, 0.5, 200)
    found = bound(right, confidence=falling)
    accepted = falling >= found
    assert 100 < accepted.sum() < 125
    assert np.array(right)[accepted].mean() > 0.9


def test_more_is_accepted_where_less_is_wanted():
    rng = np.random.default_rng(0)
    confidence = rng.random(2000)
    right = rng.random(2000) < confidence
    bounds = [bound(right, confidence=confidence, wanted=wanted) for wanted in (0.6, 0.75, 0.9)]
    assert bounds == sorted(bounds)
    for found, wanted in zip(bounds, (0.6, 0.75, 0.9), strict=True):
        assert right[confidence >= found].mean() >= wanted


def test_a_few_right_answers_are_not_enough():
    assert bound([True] * 15) == NEVER_SURE
    assert bound([True] * 16) < NEVER_SURE


def test_many_answers_of_one_scene_are_not_enough():
    """Sixty frames of a film are right or wrong together."""
    assert bound([True] * 160, scenes=[0] * 160) == NEVER_SURE
    assert bound([True] * 160, scenes=[photo // 11 for photo in range(160)]) == NEVER_SURE
    assert bound([True] * 160, scenes=[photo // 10 for photo in range(160)]) < NEVER_SURE


@pytest.mark.parametrize("right", [[], [False] * 50, [True, False] * 50])
def test_where_nothing_is_sure_nothing_is_accepted(right):
    assert bound(right) == NEVER_SURE


def test_equal_confidences_are_accepted_together_or_not_at_all():
    """Of 40 answers with one confidence 20 are right: none may be taken for the right ones."""
    confidence = [0.9] * 30 + [0.8] * 40
    assert bound([True] * 30 + [True] * 20 + [False] * 20, confidence=confidence) == 0.9
    assert bound([True] * 70, confidence=confidence) == 0.8


def test_no_answer_chooses_the_bound_by_which_it_is_sure():
    """The answers of one fold are sure and wrong, those of the others sure and right."""
    confidence, fold = np.full(90, 0.95), np.repeat([0, 1, 2], 30)
    is_right = fold != 1
    own = np.arange(90)
    is_sure = cross_fitted_sure(confidence, is_right, own, fold, wanted=0.9)
    assert is_sure.tolist() == (fold == 1).tolist()
    assert sure_from(confidence, is_right, own, wanted=0.9) == NEVER_SURE


def test_the_precision_of_answers_by_bounds_of_other_folds_does_not_flatter():
    """Without anything to choose by, a bound that its own answers chose would make them look better."""
    rng = np.random.default_rng(0)
    own, others, scenes = [], [], np.arange(120)
    for _ in range(200):
        confidence, fold = rng.random(120), np.arange(120) % 4
        is_right = rng.random(120) < 0.85
        bound = sure_from(confidence, is_right, scenes, wanted=0.85)
        own += is_right[confidence >= bound].tolist()
        is_sure = cross_fitted_sure(confidence, is_right, scenes, fold, wanted=0.85)
        others += is_right[is_sure].tolist()
    assert np.mean(own) > 0.88
    assert np.mean(others) == pytest.approx(0.85, abs=0.015)


@pytest.fixture(scope="module")
def fruit():
    """Embeddings of three kinds in three directions, the folds of a test, and their acceptance."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, 64))
    kinds = np.repeat(np.arange(3), 100)
    x = (5 * directions[kinds] + 3 * rng.normal(size=(300, 64))).astype(np.float32)
    folds = np.array_split(rng.permutation(300), 5)
    labels = [("apple", "kiwi", "pear")[kind] for kind in kinds]
    return x, Acceptance.of(0.8, x, labels, folds=folds)


def test_photos_of_known_kinds_are_answered_by_their_confidence(fruit):
    x, held = fruit
    said = [held.verdict(each, 0.9) for each in x]
    assert said.count(AnswerVerdict.NOTHING_LIKE_IT) <= 300 * 0.03
    assert AnswerVerdict.NOT_SURE not in said
    assert held.verdict(x[0], 0.79) == AnswerVerdict.NOT_SURE


def test_what_looks_like_no_kind_is_told_however_sure_the_classifier_is(fruit):
    _, held = fruit
    others = np.random.default_rng(1).normal(size=(50, 64))
    assert {held.verdict(each, 1.0) for each in others} == {AnswerVerdict.NOTHING_LIKE_IT}
    assert held.verdict(np.zeros(64), 1.0) == AnswerVerdict.NOTHING_LIKE_IT


def test_a_photo_that_the_lake_holds_is_like_something_there(fruit):
    _, held = fruit
    assert held.verdict(np.zeros(64), 1.0, is_held=True) == AnswerVerdict.KIND
    assert held.verdict(np.zeros(64), 0.1, is_held=True) == AnswerVerdict.NOT_SURE


def test_the_bound_is_from_photos_that_the_centres_do_not_hold():
    """Two photos a kind: each is its own centre, unless it is held out."""
    x = np.eye(4, dtype=np.float32)
    held = Acceptance.of(0.5, x, ["a", "a", "b", "b"], folds=[np.array([0, 2]), np.array([1, 3])])
    assert held.least_likeness == pytest.approx(0)


def test_a_classifier_keeps_it_and_one_of_earlier_code_has_none(fruit):
    _, held = fruit
    x, labels = blobs()
    plain = fit(x, labels, kind="logistic_regression")
    assert Classifier.from_parameters(plain.parameters()).acceptance is None
    given = Classifier(plain.labels, plain.mean, plain.scale, plain.layers, 1.0, held)
    back = Classifier.from_parameters(given.parameters()).acceptance
    assert (back.sure_from, back.least_likeness) == (held.sure_from, held.least_likeness)
    assert back.centres.tobytes() == held.centres.tobytes()


def test_infinity_survives_and_no_json_holds_it(fruit):
    _, held = fruit
    never = Acceptance(NEVER_SURE, held.centres, held.least_likeness)
    back = Acceptance.from_arrays(never.arrays())
    assert back.sure_from == NEVER_SURE
    assert json.dumps(back.verdict(fruit[0][0], 1.0)) == '"not_sure"'


def test_what_a_verdict_means_is_said_once():
    assert list(meaning(0.8, {AnswerVerdict.KIND})) == []
    [unsure] = meaning(0.8, {AnswerVerdict.NOT_SURE, AnswerVerdict.KIND})
    assert "below 80.0%" in unsure
    [never] = meaning(NEVER_SURE, {AnswerVerdict.NOT_SURE})
    assert "none is sure: send more photos of each kind from other visits" in never
    [unlike] = meaning(0.8, {AnswerVerdict.NOTHING_LIKE_IT})
    assert "no fruit at all" in unlike
