"""Time-wise validation on made-up days: what is fitted, what is tested, and where there is no such test."""

from datetime import date
from itertools import count

import numpy as np
import pytest

from gold import accuracy_figures, timewise_validation
from gold.scenes import Scenes
from gold.timewise_validation import split
from gold.training_examples import Examples

SCENES = count()
FIRST = date(2026, 3, 1).toordinal()


def examples(*photos):
    """The examples of (label, day or None, scene); labels are far apart."""
    labels = [label for label, _, _ in photos]
    days = [None if day is None else date.fromordinal(FIRST + day) for _, day, _ in photos]
    x = np.random.default_rng(0).normal(size=(len(photos), 4)).astype(np.float32)
    x[:, 0] += [10 * sorted(set(labels)).index(label) for label in labels]
    n = len(photos)
    scenes = np.array([scene for _, _, scene in photos], np.int64)
    return Examples(
        photo_ids=[str(i) for i in range(n)],
        subjects=[None] * n,
        labels=labels,
        grouping=Scenes(scenes, scenes, scenes),
        days=days,
        embeddings=x,
        left_out=[],
    )


def shot(days, kinds=("kiwi", "pear"), each=3):
    """Photos of each kind on each day, each a scene of its own."""
    found = [(kind, day) for day in days for kind in kinds for _ in range(each)]
    return [(*photo, next(SCENES)) for photo in found]


def metrics(found):
    return timewise_validation.metrics(found.embeddings, found, algorithm="logistic_regression")


def split_of(found):
    return split(found.days, found.labels, found.scenes)


def test_later_days_are_tested_by_what_earlier_ones_taught():
    found = examples(*shot([0, 1, 1, 5]))
    parts = split_of(found)
    assert {found.days[i].day for i in np.flatnonzero(parts.fitted)} == {1, 2}
    assert {found.days[i].day for i in np.flatnonzero(parts.tested)} == {6}
    told = metrics(found)
    assert told | {"timewise_low": 0} == {
        "days": 3,
        "dated": 24,
        "timewise_accuracy": 1.0,
        "timewise_low": 0,
        "timewise_high": 1.0,
        "timewise_photos": 6,
        "timewise_groups": 6,
        "timewise_days": 1,
        "timewise_fitted": 18,
        "timewise_days_before": 2,
    }
    assert 0 < told["timewise_low"] < 0.7
    assert accuracy_figures.timewise_sentence(told) == (
        f"fitted on 18 photos of 2 days, it was right for 100.0% ({told['timewise_low']:.1%} to 100.0%) of "
        "6 photos of the 1 day after, of 6 scenes"
    )


def test_a_world_that_changed_is_seen():
    """On the last day kiwis look like pears, which no split that mixes days tells so plainly."""
    found = examples(*shot([0, 1, 2]))
    last = np.array([day.day == 3 for day in found.days])
    found.embeddings[last, 0] = 10 - found.embeddings[last, 0]
    assert metrics(found)["timewise_accuracy"] == 0


@pytest.mark.parametrize(
    ("photos", "days", "why"),
    [
        (shot([None]), 0, "no photo says on which day it was taken"),
        (shot([0]), 1, "the 6 photos that say their day are of one day"),
        (shot([0, None]), 1, "the 6 photos that say their day are of one day"),
        (shot([0], kinds=["kiwi"]) + shot([1], kinds=["pear"]), 2, "no two kinds have other photos"),
        (shot([0]) + shot([1], kinds=["kiwi"]), 2, "no two kinds have other photos both before"),
        ([], 0, "no photo says"),
    ],
)  # fmt: skip
def test_where_there_is_none_it_is_said_why(photos, days, why):
    found = examples(*photos)
    assert split_of(found) is None
    told = metrics(found)
    assert told == {"days": days, "dated": sum(day is not None for _, day, _ in photos)}
    assert f"there is no test on later days: {why}" in accuracy_figures.timewise_sentence(told)


def test_a_photo_that_was_saved_again_on_another_day_is_not_new():
    first = shot([0], each=4)
    again = [(kind, 1, scene) for kind, _, scene in first]
    assert split_of(examples(*first, *again)) is None
    new = shot([1], each=2)
    parts = split_of(examples(*first, *again, *new))
    assert np.flatnonzero(parts.tested).tolist() == [16, 17, 18, 19]
    assert parts.fitted.sum() == 8


def test_a_kind_that_is_new_on_the_later_days_is_not_tested():
    photos = [*shot([0, 1]), *shot([1], kinds=["fig"])]
    parts = split_of(examples(*photos))
    assert {photos[i][0] for i in np.flatnonzero(parts.tested)} == {"kiwi", "pear"}


def test_photos_without_a_day_take_no_part():
    parts = split_of(examples(*shot([0, 1, None])))
    assert (parts.fitted | parts.tested).sum() == 12


def test_at_least_half_of_the_photos_are_fitted_where_days_allow_it():
    parts = split_of(examples(*shot([0]), *shot([1, 2]), *shot([3])))
    assert (parts.fitted.sum(), parts.days_before, parts.days_after) == (12, 2, 2)
    parts = split_of(examples(*shot([0]), *shot([1], each=30)))
    assert (parts.fitted.sum(), parts.tested.sum()) == (6, 60)
