"""What is said of kinds that no test can take photos of: frames of a film, single photos, and no room."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from gold import near_duplicates, untested_labels
from gold.cross_validation import TooFewTested, evaluate, nearest_neighbours
from gold.scenes import Scenes
from gold.training_examples import Examples


def film(frames, *, seed):
    """The hashes of a film's frames: each is near the one before it, and the first is far from the last."""
    rng = np.random.default_rng(seed)
    bits = np.uint64(1) << rng.permutation(64).astype(np.uint64)
    start = rng.integers(0, 2**63, dtype=np.uint64)
    return [start ^ np.bitwise_or.reduce(bits[: 1 + frame // 2]) for frame in range(frames)]


def far(n, *, seed):
    """The hashes of photos of which no two are near."""
    return list(np.random.default_rng(seed).integers(0, 2**63, n, dtype=np.uint64))


def examples(hashes, left_out=()):
    """The examples of labels with these hashes, each label's vectors apart from those of the others."""
    labels = [label for label, own in hashes.items() for _ in own]
    dhash = np.array([each for own in hashes.values() for each in own], np.uint64).view(np.int64)
    n = len(labels)
    scenes = near_duplicates.groups(dhash, subjects=[None] * n, labels=labels)
    x = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    x[:, 0] += [10 * list(hashes).index(label) for label in labels]
    none = [None] * n
    return Examples(
        [str(i) for i in range(n)], none, labels, Scenes(scenes, scenes, scenes), none, x, left_out
    )


def refused(found):
    with pytest.raises(TooFewTested) as error:
        nearest_neighbours(found.embeddings, found.labels, found.scenes)
    return untested_labels.refusal(found, error.value)


def test_240_frames_of_four_films_are_refused_with_the_cause_and_what_to_do():
    kinds = ("Apple Red 1", "Banana", "Kiwi", "Lemon")
    assert refused(examples({kind: film(60, seed=i) for i, kind in enumerate(kinds)})) == (
        "240 photos with a label are not enough to train on: a test needs two kinds with photos of two "
        "scenes each, and no kind has them; of Apple Red 1 (60), Banana (60), Kiwi (60), Lemon (60) all "
        "photos are so alike that they count as one scene, as the frames of a film do. To train, send photos "
        "of other fruits of these kinds, taken at another time or place."
    )


@pytest.mark.parametrize(
    ("hashes", "said"),
    [
        ({}, "There is no photo with a label"),
        ({"kiwi": far(6, seed=1)}, "6 photos .* and only kiwi has them. To train, send"),
        (
            {"kiwi": far(6, seed=1), "lime": far(1, seed=2)},
            "only kiwi has them; of lime there is one photo. To train",
        ),
        (
            {"kiwi": film(3, seed=1), "lime": far(1, seed=2)},
            r"no kind has them; of kiwi \(3\) all photos are so alike .* do; of lime there is one photo",
        ),
        (
            {f"kind {i}": far(1, seed=i) for i in range(9)},
            "of kind 0, kind 1, kind 2, kind 3, kind 4 and 4 more kinds there is one photo",
        ),
    ],
)
def test_a_refusal_tells_films_from_single_photos(hashes, said):
    assert re.search(said, refused(examples(hashes)))


def noted(found):
    tested = evaluate(found.embeddings, found.labels, found.scenes, kind="logistic_regression")
    return list(untested_labels.notes(found, tested.untested))


def test_kinds_that_are_learned_and_not_tested_are_named_with_their_cause():
    shot = {"kiwi": far(8, seed=1), "pear": far(8, seed=2)}
    assert noted(examples(shot)) == []
    [note] = noted(examples({**shot, "lemon": film(40, seed=3), "fig": far(1, seed=4)}))
    assert note == (
        "not every kind could be tested; of lemon (40) all photos are so alike that they count as one "
        "scene, as the frames of a film do; of fig there is one photo. They were learned all the same; to "
        "test them, send photos of other fruits of these kinds, taken at another time or place."
    )


def test_kinds_for_which_there_was_no_room_are_named():
    shot = {"kiwi": far(8, seed=1), "pear": far(8, seed=2)}
    [note] = noted(examples(shot, left_out=["fig", "lime"]))
    assert note == (
        "training.max_photos left no room for photos of fig, lime: raise it to have them learned."
    )


def test_a_kind_with_scenes_that_fell_into_one_part_is_no_film():
    [note] = untested_labels.notes(
        examples({"kiwi": far(2, seed=1), "pear": far(8, seed=2)}), {"kiwi"}
    )
    assert "be tested; of kiwi (2) the scenes hang together with those of other kinds. They" in note


def test_a_kind_of_one_visit_is_said_to_be_that():
    found = examples({"kiwi": far(8, seed=1), "pear": far(8, seed=2), "fig": film(9, seed=3)})
    days = [date(2026, 5, 1) if label == "fig" else None for label in found.labels]
    [note] = noted(replace(found, days=days))
    assert "; of fig (9) all photos are of one visit. They were learned" in note


def test_kinds_that_were_tested_on_two_scenes_are_named():
    """Sixty frames of a film are one scene, however many photos they are."""
    two_scenes = film(60, seed=3) + far(1, seed=4)
    shot = {
        "kiwi": far(8, seed=1),
        "pear": far(3, seed=2),
        "lemon": two_scenes,
        "fig": far(2, seed=5),
    }
    [note] = noted(examples(shot))
    assert note == (
        "photos of fewer than 3 scenes are too few to rely on what the test says of lemon (61), fig (2); to "
        "know more, send photos of other fruits of these kinds, taken at another time or place."
    )
