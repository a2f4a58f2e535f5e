"""Intervals of a share of right answers: what they hold on simulated groups, and where little is known."""

import numpy as np
import pytest

from gold.confidence_intervals import interval


def simulated(seed, *, groups, share):
    """Groups of one to thirty photos each, which are right or wrong together."""
    rng = np.random.default_rng(seed)
    members = np.repeat(np.arange(groups), rng.integers(1, 31, groups))
    likely = rng.beta(share, 1 - share, groups)
    return rng.random(len(members)) < likely[members], members


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("groups", [4, 12, 60])
def test_it_holds_the_true_share_in_nineteen_cases_of_twenty(groups, share):
    bounds = [interval(*simulated(seed, groups=groups, share=share)) for seed in range(200)]
    held = sum(low <= share <= high for low, high in bounds)
    assert held / len(bounds) >= 0.9


def test_photos_of_one_group_count_hardly_more_than_one_photo():
    """The interval that takes them for independent holds the true share in one case of four or so."""
    held = {"groups": 0, "photos": 0}
    for seed in range(200):
        correct, groups = simulated(seed, groups=20, share=0.75)
        for name, members in (("groups", groups), ("photos", np.arange(len(groups)))):
            low, high = interval(correct, members)
            held[name] += low <= 0.75 <= high
    assert held["groups"] > 180
    assert held["photos"] < 100


def test_many_groups_make_it_narrow():
    low, high = interval(*simulated(0, groups=5_000, share=0.75))
    assert 0.73 < low < 0.75 < high < 0.78
    assert high - low < 0.04


def test_of_one_group_nothing_is_known_about_others():
    for correct in ([True] * 60, [False] * 60, [True] * 30 + [False] * 30):
        assert interval(np.array(correct), np.zeros(60, np.int64)) == (0, 1)
    assert interval(np.array([], bool), np.array([], np.int64)) == (0, 1)


def test_sixty_copies_of_a_frame_make_it_no_narrower():
    correct = np.array([True, True, False, True, True])
    groups = np.arange(5)
    once = interval(correct, groups)
    assert interval(np.repeat(correct, 60), np.repeat(groups, 60)) == pytest.approx(once)


def test_no_mistake_in_a_few_groups_is_no_promise():
    low, high = interval(np.ones(3, bool), np.arange(3))
    assert low < 0.5
    assert high == 1
    assert interval(np.ones(300, bool), np.arange(300))[0] > 0.98
    low, high = interval(np.zeros(3, bool), np.arange(3))
    assert low == 0
    assert high > 0.5


def test_it_is_the_same_each_time_and_whatever_the_order_and_the_names_of_groups():
    correct, groups = simulated(1, groups=12, share=0.75)
    order = np.random.default_rng(0).permutation(len(groups))
    assert interval(correct, groups) == interval(correct, groups)
    assert interval(correct[order], 1_000 - groups[order]) == interval(correct, groups)


@pytest.mark.parametrize("large", [True, False])
def test_it_holds_the_share_of_the_photos_themselves(large):
    """One group has nearly all photos."""
    groups = np.array([0] * 1_000 + [1, 2])
    low, high = interval(np.where(groups == 0, large, not large), groups)
    assert low <= np.mean(np.where(groups == 0, large, not large)) <= high
