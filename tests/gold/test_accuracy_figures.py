"""What the tests of a classifier say about it, in all and by kind: whole, after erasures, and of before."""

from dataclasses import replace

import numpy as np
import pytest

from gold import accuracy_figures
from gold.acceptance import NONE_IS_SURE, cross_fitted_sure, sure_from
from gold.confidence_intervals import interval
from gold.cross_validation import evaluate
from gold.scenes import Scenes
from gold.training_examples import Examples


def examples(scenes_of):
    """Examples of labels with the scenes of their photos; labels are far apart."""
    labels = [label for label, scenes in scenes_of.items() for _ in scenes]
    n = len(labels)
    x = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    x[:, 0] += [4 * list(scenes_of).index(label) for label in labels]
    numbers = np.concatenate([np.array(scenes, np.int64) for scenes in scenes_of.values()])
    return Examples(
        photo_ids=[str(i) for i in range(n)],
        subjects=[None] * n,
        labels=labels,
        grouping=Scenes(numbers, numbers, numbers),
        days=[None] * n,
        embeddings=x,
        left_out=[],
    )


def test_totals_count_scenes_and_a_scene_of_several_kinds_once():
    found = examples({"kiwi": [0, 0, 1, 2, 3], "pear": [3, 4, 5, 6, 6], "fig": [7] * 60})
    tested = evaluate(found.embeddings, found.labels, found.scenes, kind="logistic_regression")
    assert tested.untested == ("fig",)
    told = accuracy_figures.totals(tested, found, wanted=0.9)
    assert told["groups"] == 7
    right = [
        found.labels[photo] == tested.labels[said]
        for photo, said in zip(tested.photos, tested.predicted, strict=True)
    ]
    bounds = interval(np.array(right), found.scenes[tested.photos])
    assert (told["accuracy_low"], told["accuracy_high"]) == bounds
    assert told["accuracy_low"] < tested.accuracy <= told["accuracy_high"]


CLASSIFIER = {"labels": ["kiwi", "pear"], "confusion": [3, 1, 0, 60], "metrics": {"groups": 3.0}}
HELD_OUT = [
    {"label": "kiwi", "predicted": "kiwi", "scene": 0},
    {"label": "kiwi", "predicted": "kiwi", "scene": 1},
    {"label": "kiwi", "predicted": "kiwi", "scene": 1},
    {"label": "kiwi", "predicted": "pear", "scene": 2},
    *[{"label": "pear", "predicted": "pear", "scene": 2}] * 60,
]


def test_each_kind_has_its_photos_groups_and_interval():
    kiwi, pear = accuracy_figures.of_kinds(CLASSIFIER, HELD_OUT)
    assert (kiwi.kind, kiwi.photos, kiwi.right, kiwi.groups, kiwi.share) == ("kiwi", 4, 3, 3, 0.75)
    bounds = interval(np.array([True, True, True, False]), np.array([0, 1, 1, 2]))
    assert (kiwi.low, kiwi.high) == bounds
    assert (pear.photos, pear.right, pear.groups) == (60, 60, 1)
    assert pear.interval == "0.0% to 100.0%"  # sixty photos of one scene say nothing of others


def test_a_kind_that_was_learned_and_not_tested_has_no_figures():
    confusion = [
        3,
        1,
        0,
        0,
        0,
        0,
        0,
        2,
        58,
    ]  # two pears were taken for a lime, which was not tested
    labels = ["kiwi", "lime", "pear"]
    found = accuracy_figures.of_kinds({**CLASSIFIER, "labels": labels, "confusion": confusion}, [])
    assert [(each.kind, each.photos, each.right) for each in found] == [
        ("kiwi", 4, 3),
        ("pear", 60, 58),
    ]


def test_where_a_test_flatters_no_kind_has_groups_or_an_interval():
    metrics = {"groups": 3.0, "is_flattering": 1.0}
    found = accuracy_figures.of_kinds({**CLASSIFIER, "metrics": metrics}, HELD_OUT)
    assert [(each.photos, each.groups, each.interval) for each in found] == [
        (4, None, "–"),
        (60, None, "–"),
    ]


@pytest.mark.parametrize("left", [HELD_OUT[1:], HELD_OUT[4:], []])
def test_of_a_kind_whose_photos_left_only_what_the_test_counted_is_told(left):
    kiwi, pear = accuracy_figures.of_kinds(CLASSIFIER, left)
    assert (kiwi.photos, kiwi.right, kiwi.groups, kiwi.low, kiwi.interval) == (
        4,
        3,
        None,
        None,
        "–",
    )
    assert (pear.photos, pear.right) == (60, 60)
    assert pear.groups == (1 if left else None)


EARLIER = {"accuracy": 0.9731, "tested": 2640.0}


def test_a_classifier_of_earlier_code_has_no_interval_and_says_so():
    assert accuracy_figures.interval_of(EARLIER) == "–"
    assert accuracy_figures.right(EARLIER) == "97.3% right (no interval)"
    assert accuracy_figures.sentence(EARLIER) == (
        "right for 97.3% of 2,640 photos held out; how sure that is was not calculated by the earlier code "
        "that trained it: run.py train does"
    )
    assert accuracy_figures.timewise_sentence(EARLIER) == "it was not tested on later days"


def test_the_groups_of_earlier_code_are_not_told_as_independent_ones():
    for kind in accuracy_figures.of_kinds(CLASSIFIER | {"metrics": EARLIER}, HELD_OUT):
        assert (kind.groups, kind.low, kind.interval) == (None, None, "–")


def test_an_accuracy_is_told_with_its_interval_and_scenes():
    metrics = EARLIER | {"accuracy_low": 0.9, "accuracy_high": 0.9876, "groups": 312.0}
    assert accuracy_figures.right(metrics) == "97.3% right (90.0% to 98.8%)"
    assert accuracy_figures.sentence(metrics) == (
        "right for 97.3% of 2,640 photos held out, of 312 scenes (95% interval 90.0% to 98.8%)"
    )


def a_test(confidence, is_right):
    """A test of photos in five folds, and its examples: two photos are a scene, and one kind isn't tested."""
    n = len(confidence)
    scenes = [photo // 2 for photo in range(n)]
    whole = examples({"fig": [n] * 9, "kiwi": scenes[: n // 2], "pear": scenes[n // 2 :]})
    of = evaluate(whole.embeddings, whole.labels, whole.scenes, kind="logistic_regression")
    assert of.tested == n
    return replace(of, confidence=np.array(confidence), is_right=np.array(is_right)), whole


def test_what_a_wanted_precision_brings_is_told_by_bounds_of_other_folds():
    rng = np.random.default_rng(0)
    confidence = rng.random(400)
    evaluation, whole = a_test(confidence, rng.random(400) < confidence)
    told = accuracy_figures.sure_answers(evaluation, whole, wanted=0.8)
    known = confidence, evaluation.is_right, whole.scenes[evaluation.photos]
    is_sure = cross_fitted_sure(*known, evaluation.fold, wanted=0.8)
    assert told["sure_from"] == sure_from(*known, wanted=0.8)
    assert told["sure_share"] == is_sure.mean() != (confidence >= told["sure_from"]).mean()
    assert told["sure_accuracy"] == evaluation.is_right[is_sure].mean()
    scenes = whole.scenes[evaluation.photos[is_sure]]
    bounds = interval(evaluation.is_right[is_sure], scenes)
    assert (told["sure_low"], told["sure_high"]) == bounds


def test_where_no_answer_is_sure_there_is_no_share_of_right_ones():
    evaluation, whole = a_test([0.5] * 40, [True, False] * 20)
    assert accuracy_figures.sure_answers(evaluation, whole, wanted=0.9) == {"sure_share": 0.0}


def test_where_the_bound_of_all_answers_is_none_no_answer_of_a_fold_counts_as_sure():
    """The other folds would set a bound for the one that is wrong."""
    evaluation, whole = a_test([0.95] * 200, [True] * 200)
    wrong = replace(evaluation, is_right=evaluation.fold != 1)
    known = wrong.confidence, wrong.is_right, whole.scenes[wrong.photos]
    assert cross_fitted_sure(*known, wrong.fold, wanted=0.9).any()
    assert accuracy_figures.sure_answers(wrong, whole, wanted=0.9) == {"sure_share": 0.0}


def test_a_test_that_flatters_makes_no_answer_sure():
    evaluation, whole = a_test([0.9] * 40, [True] * 40)
    assert "sure_from" in accuracy_figures.sure_answers(evaluation, whole, wanted=0.8)
    whole = replace(whole, grouping=replace(whole.grouping, is_flattering=True))
    assert accuracy_figures.sure_answers(evaluation, whole, wanted=0.8) == {"sure_share": 0.0}


CALIBRATED = EARLIER | {"calibration_error": 0.0563}
SURE = {"sure_accuracy": 0.9123, "sure_low": 0.8, "sure_high": 0.96}
OFF = "its confidence is off by 5.6 points of 100 on average (expected calibration error 0.056)"


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (
            EARLIER,
            "how far its confidence is to be relied on was not tested by the earlier code that trained it: "
            "run.py train does",
        ),
        (CALIBRATED, f"{OFF}; which of its answers are sure was not tested: run.py train does"),
        (CALIBRATED | {"sure_share": 0.0}, f"{OFF}; {NONE_IS_SURE}"),
        (
            CALIBRATED | {"sure_share": 0.0, "is_flattering": 1.0},
            f"{OFF}, which flatters as its accuracy does; {NONE_IS_SURE}",
        ),
        (CALIBRATED | {"sure_share": 0.1} | SURE, f"{OFF}; {NONE_IS_SURE}"),
        (
            CALIBRATED | {"sure_share": 0.0, "sure_from": 0.987},
            f"{OFF}; its answers are sure from a confidence of 98.7% on, which none reached in the test, "
            "where the other folds set the bound",
        ),
        (
            CALIBRATED | {"sure_share": 0.38, "sure_from": 0.72} | SURE,
            f"{OFF}; its answers are sure from a confidence of 72.0% on: 38.0% of those on photos held out, "
            "of which 91.2% were right (95% interval 80.0% to 96.0%)",
        ),
    ],
)
def test_how_far_to_rely_on_a_confidence_is_a_sentence(metrics, said):
    assert accuracy_figures.confidence_sentence(metrics) == said


def test_a_few_words_leave_out_what_nobody_calculated():
    words = accuracy_figures.in_few_words
    assert words(EARLIER) == "97.3% right (no interval)"
    assert words(CALIBRATED) == "97.3% right (no interval), calibration error 0.056"
    assert words(CALIBRATED | {"sure_share": 0.0}).endswith("error 0.056, 0.0% sure")
    sure = words(CALIBRATED | {"sure_share": 0.38} | SURE)
    assert sure.endswith("error 0.056, 38.0% sure and 91.2% of these right")
    assert accuracy_figures.confidence_in_few_words(EARLIER) == "–"
