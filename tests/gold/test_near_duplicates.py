"""Near duplicates against a comparison of every pair, without Spark."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gold.near_duplicates import DISTANCE, groups


def flipped(value, bits):
    """An int64 with those of its bits turned over."""
    return int(
        (np.array([value]).view(np.uint64) ^ np.uint64(sum(1 << b for b in bits))).view(int)[0]
    )


def of_every_pair(dhash, subjects, labels, distance):
    """The same groups, slowly."""
    found = list(range(len(dhash)))
    for i in range(len(dhash)):
        for j in range(i):
            shared = any(o[i] is not None and o[i] == o[j] for o in (subjects, labels))
            differing = ((int(dhash[i]) ^ int(dhash[j])) & (2**64 - 1)).bit_count()
            if shared and differing <= distance:
                old, new = sorted((found[i], found[j]), reverse=True)
                found = [new if g == old else g for g in found]
    return found


@st.composite
def photos(draw):
    """Photos near one of a few hashes, of few subjects and labels, so that chains and ties come up."""
    n, seed = draw(st.integers(0, 40)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    bases = rng.integers(-(2**63), 2**63, size=draw(st.integers(1, 4)))
    most = draw(st.integers(1, 12))
    dhash = [
        flipped(rng.choice(bases), rng.choice(64, rng.integers(0, most), replace=False).tolist())
        for _ in range(n)
    ]
    owners = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=n, max_size=n)
    return np.array(dhash, np.int64), draw(owners), draw(owners)


@given(photos(), st.integers(0, 12))
def test_they_equal_those_of_every_pair(given, distance):
    dhash, subjects, labels = given
    found = groups(dhash, subjects=subjects, labels=labels, distance=distance)
    assert found.dtype == np.int64
    assert found.tolist() == of_every_pair(dhash, subjects, labels, distance)


@pytest.mark.parametrize(
    ("bits", "subjects", "labels", "expected"),
    [
        (range(DISTANCE), "aa", "xy", [0, 0]),
        (range(64 - DISTANCE, 64), "ab", "xx", [0, 0]),
        (range(0, 60, 10), "aa", "xx", [0, 0]),
        (range(DISTANCE + 1), "aa", "xx", [0, 1]),
        ([], "ab", "xy", [0, 1]),
        ([], [None, None], [None, None], [0, 1]),
        ([], [None, None], "xx", [0, 0]),
        ([], "aa", [None, None], [0, 0]),
        ([], "ab", "ba", [0, 1]),
    ],
    ids=[
        "a subject's photos of two labels",
        "a label's photos of two subjects, the sign bit too",
        "bits of six bytes",
        "one bit too many",
        "nothing shared",
        "None shares with nobody",
        "a label without a subject",
        "a subject without a label",
        "a subject that is named like a label",
    ],
)
def test_two_photos(bits, subjects, labels, expected):
    dhash = np.array([-5, flipped(-5, bits)])
    assert groups(dhash, subjects=subjects, labels=labels).tolist() == expected


def test_a_chain_is_one_group_also_through_two_owners():
    steps = [flipped(0, range(6 * n)) for n in range(4)]
    dhash = np.array([77777777, *steps])
    found = groups(dhash, subjects="qaabb", labels="qxyyz")
    assert found.tolist() == [0, 1, 1, 1, 1]


def test_no_photo_is_no_group():
    assert groups(np.array([], np.int64), subjects=[], labels=[]).tolist() == []


@pytest.mark.parametrize(
    ("dhash", "subjects", "labels", "distance", "message"),
    [
        ([1, 2], "a", "xx", 6, "2 hashes, 1 subjects"),
        ([1, 2], "aa", "x", 6, "1 labels"),
        ([1], "a", "x", -1, "-1 bits"),
        ([1], "a", "x", 63, "63 bits"),
    ],
)
def test_what_does_not_fit_is_refused(dhash, subjects, labels, distance, message):
    with pytest.raises(ValueError, match=message):
        groups(np.array(dhash), subjects=subjects, labels=labels, distance=distance)


@pytest.fixture
def ten_seconds():
    """Of processor time, for what takes about one and, pair by pair, would take half a minute and more."""
    started = time.process_time()
    yield
    assert time.process_time() - started < 10


@pytest.mark.usefixtures("ten_seconds")
def test_many_copies_of_one_photo_are_not_compared_with_each_other():
    n = 50_000
    assert not groups(np.full(n, -9), subjects=["a"] * n, labels=["x"] * n).any()


@pytest.mark.usefixtures("ten_seconds")
def test_many_photos_of_one_label_are_not_compared_with_each_other():
    n = 50_000
    dhash = np.random.default_rng(1).integers(-(2**63), 2**63, size=n)
    dhash[n // 2 :] = dhash[: n // 2] ^ (1 << 40 | 1 << 3)
    found = groups(dhash, subjects=[None] * n, labels=["x"] * n)
    assert found.tolist() == list(range(n // 2)) * 2


@pytest.mark.usefixtures("ten_seconds")
def test_many_photos_that_nearly_are_one_are_not_compared_again_and_again():
    rng = np.random.default_rng(2)
    dhash = np.bitwise_or.reduce(1 << rng.integers(0, 63, size=(20_000, 3)), axis=1)
    assert not groups(dhash, subjects=["a"] * len(dhash), labels=["x"] * len(dhash)).any()
