"""Scenes: told apart by persons and days where these are known, and else by a likeness that the data tell."""

from datetime import date

import numpy as np

from gold import scenes
from gold.scenes import Scenes, days_taken, visits

D = 64


def shelves(kinds, *, visits_of_each, photos_of_each, seed=0):
    """Embeddings of kinds that were seen on some visits: photos of one visit are more alike than photos of
    two, and kinds come in pairs that are as alike as two visits of one kind. With the labels and visits."""
    rng = np.random.default_rng(seed)
    found, labels, seen = [], [], []
    for pair in range(kinds // 2):
        centre = rng.normal(size=D)
        for kind in (2 * pair, 2 * pair + 1):
            for visit in range(visits_of_each):
                there = centre + rng.normal(size=D)
                found += [there + 0.3 * rng.normal(size=D) for _ in range(photos_of_each)]
                labels += [f"kind {kind}"] * photos_of_each
                seen += [f"{kind}-{visit}"] * photos_of_each
    return np.array(found, np.float32), labels, seen


def hashes(n, *, seed=0):
    """Difference hashes of which no two are near."""
    return np.random.default_rng(seed).integers(0, 2**62, n)


def grouped(x, labels, *, visits=None, subjects=None, dhash=None):
    none = [None] * len(labels)
    return Scenes.of(
        x,
        labels=labels,
        subjects=subjects or none,
        visits=visits or none,
        dhash=hashes(len(labels)) if dhash is None else dhash,
    )


def pairs_held_apart(numbers, seen):
    """The share of the pairs of photos of one visit that are in two scenes."""
    numbers, seen = np.asarray(numbers), np.asarray(seen)
    same = (seen[:, None] == seen) & ~np.eye(len(seen), dtype=bool)
    return float((numbers[:, None] != numbers)[same].mean())


def pairs_held_together(numbers, labels, seen):
    """The share of the pairs of photos of one kind and two visits that are in one scene."""
    numbers, labels, seen = map(np.asarray, (numbers, labels, seen))
    other = (labels[:, None] == labels) & (seen[:, None] != seen)
    return float((numbers[:, None] == numbers)[other].mean())


def test_where_nothing_is_known_likeness_finds_the_visits():
    x, labels, seen = shelves(8, visits_of_each=6, photos_of_each=8)
    found = grouped(x, labels)
    assert found.guessed == len(labels)
    assert pairs_held_apart(found.numbers, seen) < 0.02
    assert pairs_held_together(found.numbers, labels, seen) < 0.2
    assert len(set(found.coarser)) <= len(set(found.numbers)) <= len(set(found.finer))
    [note] = found.notes()
    assert note.startswith(
        f"of {len(labels)} of {len(labels)} photos neither person nor day is known"
    )
    assert f"{found.bound:.2f}" in note


def test_the_bound_follows_the_data():
    x, labels, _ = shelves(8, visits_of_each=6, photos_of_each=8)
    near = grouped(x + 3 * x.mean(axis=0) + 2, labels)
    assert near.bound > grouped(x, labels).bound + 0.05


def test_known_visits_are_the_scenes():
    x, labels, seen = shelves(4, visits_of_each=3, photos_of_each=5)
    found = grouped(np.zeros_like(x), labels, visits=seen)
    assert pairs_held_apart(found.numbers, seen) == 0
    assert pairs_held_together(found.numbers, labels, seen) == 0
    assert (found.guessed, found.bound, list(found.notes())) == (0, None, [])
    assert found.numbers is found.coarser is found.finer


def test_two_kinds_of_one_visit_are_one_scene():
    found = grouped(np.eye(4), list("aabb"), visits=["x", "y", "x", "y"])
    assert found.numbers.tolist() == [0, 1, 0, 1]


def test_near_duplicates_of_two_visits_are_one_scene():
    found = grouped(
        np.eye(6), list("aabbab"), visits=list("xyxyzz"), dhash=np.array([5, 5, *hashes(4)])
    )
    assert found.numbers.tolist() == [0, 0, 0, 0, 4, 4]


def test_photos_of_known_visits_tell_how_alike_other_visits_are():
    """Where kinds are far apart and visits alike, kinds would give a bound that joins all visits."""
    rng = np.random.default_rng(0)
    x, labels, seen = [], [], []
    for kind in range(6):
        centre = 3 * rng.normal(size=D)
        for visit in range(10):
            there = centre + rng.normal(size=D)
            x += [there + 0.1 * rng.normal(size=D) for _ in range(6)]
            labels += [f"kind {kind}"] * 6
            seen += [f"{kind}-{visit}"] * 6
    known = [visit if number % 3 else None for number, visit in enumerate(seen)]
    found = grouped(np.array(x), labels, visits=known)
    assert found.guessed == 120
    assert found.bound > 0.8
    assert grouped(np.array(x), labels).bound < 0.6
    assert "of 120 of 360 photos neither" in next(iter(found.notes()))


def test_a_known_visit_of_one_kind_is_one_scene_where_others_can_be_tested():
    """The others' scenes are guessed; that the day of one is known doesn't make it five scenes."""
    x, labels, _ = shelves(4, visits_of_each=6, photos_of_each=5)
    one = np.random.default_rng(1).normal(size=(5, D))
    seen = [None] * len(labels) + ["2026-05-01"] * 5
    found = grouped(np.vstack([x, one]), [*labels, *["one visit"] * 5], visits=seen)
    assert not found.is_one_visit
    assert len(set(found.numbers[-5:])) == 1
    assert found.guessed == len(labels)


def test_one_visit_of_everything_tells_nothing_apart():
    x, labels, _ = shelves(8, visits_of_each=6, photos_of_each=8)
    found = grouped(x, labels, visits=["2026-05-01"] * len(labels))
    assert (found.is_one_visit, found.is_flattering) == (True, True)
    assert np.array_equal(found.numbers, grouped(x, labels).numbers)
    assert "persons and days tell no two kinds' visits apart" in next(iter(found.notes()))


def test_photos_that_all_are_alike_are_tested_by_near_duplicates_and_it_is_said():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(2, D)), 30, axis=0) + 0.1 * rng.normal(size=(60, D))
    found = grouped(x, ["kiwi"] * 30 + ["lime"] * 30)
    assert found.is_flattering
    assert len(set(found.coarser)) < len(set(found.numbers))
    assert "right less often than its figures say" in next(iter(found.notes()))


def test_one_kind_alone_has_no_bound():
    found = grouped(np.eye(3), ["kiwi"] * 3)
    assert (found.bound, found.numbers.tolist()) == (None, [0, 1, 2])
    assert "only near duplicates are held together" in next(iter(found.notes()))


def test_sixty_frames_of_one_fruit_are_one_scene():
    x, labels, _ = shelves(8, visits_of_each=6, photos_of_each=8)
    rng = np.random.default_rng(9)
    turn = np.linspace(0, 1, 60)[:, None]
    frames = rng.normal(size=D) * (1 - turn) + rng.normal(size=D) * turn
    found = grouped(np.vstack([x, frames]), [*labels, *["fig"] * 60])
    assert len(set(found.numbers[-60:])) == 1


def test_no_block_of_rows_is_left_out(monkeypatch):
    x, labels, _ = shelves(8, visits_of_each=6, photos_of_each=8)
    whole = grouped(x, labels)
    monkeypatch.setattr(scenes, "ROWS_AT_ONCE", 7)
    assert np.array_equal(grouped(x, labels).numbers, whole.numbers)


def test_a_photo_without_values_is_a_scene_of_its_own():
    x, labels, _ = shelves(4, visits_of_each=3, photos_of_each=5)
    x[3] = 0
    assert list(grouped(x, labels).numbers).count(3) == 1


def test_what_a_photo_says_of_its_day_comes_first():
    said = date(2026, 5, 3)
    found = days_taken([said, None, None], ["20260501_101500.jpg", "20260501_101500.jpg", None])
    assert found == [said, date(2026, 5, 1), None]


def test_a_visit_is_a_person_on_a_day():
    day, next_day = date(2026, 5, 1), date(2026, 5, 2)
    found = visits(["a", "a", "b", "c", None, None], [day, next_day, day, None, day, None])
    assert found[-1] is None
    assert len(set(found)) == 6


def test_a_photo_without_a_day_may_be_of_any_visit_of_its_person():
    assert visits(["a", "a", "b"], [date(2026, 5, 1), None, None]) == ["a 2026-05-01", None, "b"]


def test_every_second_photo_of_a_burst_lost_its_day_and_is_linked_with_the_others():
    x, labels, seen = shelves(8, visits_of_each=6, photos_of_each=8)
    half = [visit if number % 2 else None for number, visit in enumerate(seen)]
    found = grouped(x, labels, visits=half)
    assert found.guessed == len(labels) // 2
    assert pairs_held_apart(found.numbers, seen) < 0.05


def test_copies_on_another_visit_do_not_raise_the_bound():
    x, labels, seen = shelves(8, visits_of_each=6, photos_of_each=8)
    known = [visit if number < 240 else None for number, visit in enumerate(seen)]
    dhash = hashes(len(labels))
    before = grouped(x, labels, visits=known, dhash=dhash).bound
    for number in range(0, 240, 8):  # the first photo of a visit, saved again on the next one
        x[number + 1], dhash[number + 1] = x[number], dhash[number]
        known[number + 1] = f"{known[number]} again"
    assert grouped(x, labels, visits=known, dhash=dhash).bound < before + 0.02
