"""The range of an accuracy whose scenes are guessed."""

from dataclasses import replace

import numpy as np
import pytest

from gold.cross_validation import evaluate
from gold.scene_uncertainty import widened
from gold.scenes import Scenes
from gold.training_examples import Examples

KIND = "logistic_regression"
BOUNDS = {"accuracy_low": 0.70, "accuracy_high": 0.72}


@pytest.fixture(scope="module")
def examples():
    """Three kinds on ten visits of four photos each, where a visit looks more like itself than its kind."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["apple", "kiwi", "pear"], 40)
    kinds, visits = np.repeat(np.arange(3), 40), np.repeat(np.arange(30), 4)
    x = 0.3 * rng.normal(size=(3, 16))[kinds] + rng.normal(size=(30, 16))[visits]
    x += 0.1 * rng.normal(size=x.shape)
    each, whole = np.arange(120), np.repeat(np.arange(30) * 4, 4)
    coarser = np.repeat(np.arange(6) * 20, 20)
    grouping = Scenes(whole, coarser=coarser, finer=each, is_guessed=np.full(120, True), bound=0.9)
    none = [None] * 120
    return Examples([str(i) for i in each], none, labels.tolist(), grouping, none, x, [])


def bounds(examples, **change):
    told = replace(examples, grouping=replace(examples.grouping, **change))
    found = widened(BOUNDS, told.embeddings, told, kind=KIND, folds=5)
    return found["accuracy_low"], found["accuracy_high"]


def test_finer_scenes_raise_the_upper_bound(examples):
    found = bounds(examples, coarser=examples.scenes)
    tested = evaluate(examples.embeddings, examples.labels, examples.grouping.finer, kind=KIND)
    assert found[0] == 0.70
    assert found[1] >= tested.accuracy > 0.9


def test_coarser_scenes_lower_the_lower_bound(examples):
    found = bounds(examples, finer=examples.scenes)
    tested = evaluate(examples.embeddings, examples.labels, examples.grouping.coarser, kind=KIND)
    assert tested.accuracy < 0.70
    assert found[0] < tested.accuracy
    assert found[1] == 0.72


def test_scenes_that_are_known_leave_the_bounds(examples):
    found = bounds(examples, coarser=examples.scenes, finer=examples.scenes)
    assert found == (0.70, 0.72)


def test_where_coarser_scenes_can_not_be_tested_nothing_is_known_of_other_visits(examples):
    found = bounds(examples, coarser=np.repeat([0, 40, 80], 40), finer=examples.scenes)
    assert found == (0, 0.72)


def test_a_test_that_flatters_promises_nothing(examples):
    same = {"coarser": examples.scenes, "finer": examples.scenes}
    assert bounds(examples, is_flattering=True, **same) == (0, 0.72)
