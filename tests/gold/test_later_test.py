"""What a champion is tested on after its training: no copy of an earlier photo, and with its scene."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from gold import later_test
from gold.later_test import LaterTest
from lake import catalog
from lake.chunks import ChunkState
from lake.enums import SILVER
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.locate import folder
from tests.support.photo_tables import (
    AFTER,
    WEIGHTS,
    classifier,
    embedding,
    write,
    write_training,
)

FITTED = {"a": 0, "b": 2**50 - 1}
"""The photos of the training, each with its difference hash."""

FAR = 2**40 - 1
"""A hash that is near to none of them."""


def no_spark():
    raise AssertionError("a test of few photos needs no Spark")


def chunk(number, **more):
    known = {"layer": SILVER, "state": ChunkState.PUBLISHED, "weights_id": WEIGHTS, "photos": 1}
    return known | {"chunk": number, "entry": number, "versions": []} | more


@pytest.fixture
def lake(tmp_path):
    """Makes a lake with a champion that was fitted on two photos of chunk 2, which later photos came to."""

    def make(*later, photos=(), held=(), chunks=(), whole=True, max_photos=100):
        version = classifier(photos=2 if whole else 3, tested=2)
        version = replace(version, settings={"max_photos": max_photos})
        rows = [embedding(name, dhash=dhash) for name, dhash in FITTED.items()]
        write(tmp_path, catalog.EMBEDDINGS, [*rows, *later])
        write_training(tmp_path, version, tested=FITTED)
        write(tmp_path, catalog.PHOTOS, photos)
        write(tmp_path, catalog.HELD_OUT, held)
        made = {row.get("chunk", 2): chunk(row.get("chunk", 2)) for row in later}
        made |= {row["chunk"]: row for row in chunks}
        write(tmp_path, catalog.CHUNKS, list(made.values()))
        found = Lake(no_spark, folder(str(tmp_path)), Run("run", "code", "settings"))
        return LaterTest.of(found, {"version": version.version})

    return make


def later(name, *, number=3, dhash=FAR, **more):
    return embedding(name, chunk=number, dhash=dhash, embedded_at=AFTER, **more)


def names(rows):
    return sorted(row["photo_id"] for row in rows)


def test_a_photo_that_came_later_is_tested(lake):
    [row] = lake(later("x", subject="p")).of_new_photos(3, 3)
    assert (row["photo_id"], row["subject"], row["label"]) == ("x", "p", "kiwi")
    assert (row["labelled_at"], row["learned"]) == (AFTER, True)
    assert (row["predicted"], row["confidence"] > 0.5) == ("plum", True)


def test_a_label_that_the_version_never_learned_is_told(lake):
    rows = lake(later("x", label="fig"), later("y", dhash=~FAR)).of_new_photos(3, 3)
    assert {row["photo_id"]: row["learned"] for row in rows} == {"x": False, "y": True}


def test_a_copy_of_a_photo_of_the_training_is_no_test(lake):
    test = lake(later("copy", dhash=FITTED["b"] ^ 0b11), later("x"), later("y", label="plum"))
    assert names(test.of_new_photos(3, 3)) == ["x", "y"]


def test_a_copy_of_a_photo_that_may_have_been_fitted_is_no_test(lake):
    """A photo of a label that wasn't tested, of which the lake can't say whether it was left out."""
    plums = [embedding(name, "plum", dhash=dhash) for name, dhash in [("p", FAR), ("q", ~FAR)]]
    test = lake(*plums, later("x", label="plum", dhash=FAR ^ 1), later("y"), whole=False)
    assert test.training.holds("p", label="plum") is None
    assert names(test.of_new_photos(3, 3)) == ["y"]


def test_a_photo_that_was_certainly_not_fitted_hinders_none(lake):
    bare = embedding("late", chunk=2, dhash=FAR, embedded_at=AFTER)
    assert names(lake(bare, later("x")).of_new_photos(3, 3)) == ["x"]


@pytest.mark.parametrize(("was_tested", "tested"), [(True, ["y"]), (False, ["copy", "y"])])
def test_a_copy_of_a_photo_that_was_tested_while_its_chunk_was_blocked_is_none(
    lake, was_tested, tested
):
    held = {"model_version": classifier(photos=2, tested=2).version, "photo_id": "x"}
    held |= {"chunk": 5, "label": "kiwi", "labelled_at": AFTER, "learned": True}
    rows = [later("copy", dhash=FAR ^ 1), later("y", dhash=~FAR), later("x", number=4)]
    test = lake(*rows, held=[held] * was_tested)
    assert names(test.of_new_photos(3, 3)) == tested


def test_a_photo_that_was_fitted_with_an_untested_label_is_no_test_when_that_is_corrected(lake):
    """Of two plums one is a kiwi now, so that the lake can't tell the two photos of the training any more."""
    corrected = embedding("p", "kiwi", dhash=FAR)
    test = lake(corrected, later("x", dhash=~FAR), whole=False)
    assert names(test.of_other_labels(at=AFTER)) == ["x"]


def test_a_photo_of_the_training_whose_chunk_came_again_is_no_test(lake):
    assert names(lake(later("a", dhash=~FAR), later("x")).of_new_photos(3, 3)) == ["x"]


@pytest.mark.parametrize(("state", "tested"), [("published", ["x"]), ("retired", [])])
def test_where_a_chunk_of_the_training_was_withdrawn_only_certain_photos_are(lake, state, tested):
    """A photo of a label that wasn't tested may have been fitted, and may have come again."""
    plum = later("x", label="plum")
    test = lake(plum, chunks=[chunk(1, state=ChunkState(state))], whole=False)
    assert names(test.of_new_photos(3, 3)) == tested


@pytest.mark.parametrize(("max_photos", "tested"), [(100, ["n"]), (2, [])])
def test_a_photo_that_may_have_been_left_out_of_the_training_is_no_test(lake, max_photos, tested):
    test = lake(embedding("n", dhash=FAR), max_photos=max_photos)
    assert names(test.of_other_labels(at=AFTER)) == tested


def test_a_photo_without_a_label_hinders_none(lake):
    test = lake(later("bare", label=None, subject="p"), later("x", number=4, subject="p"))
    assert names(test.of_new_photos(4, 4)) == ["x"]


def test_a_copy_of_a_photo_that_came_since_is_tested_once(lake):
    test = lake(later("x"), later("y", dhash=FAR ^ 1), later("z", number=4, dhash=FAR ^ 3))
    assert names(test.of_new_photos(3, 3)) == ["x"]
    assert names(test.of_new_photos(4, 4)) == []
    assert names(test.of_new_photos(3, 4)) == ["x"]


def test_copies_of_another_model_hinder_none(lake):
    other = later("o", weights_id="b" * 64)
    assert names(lake(other, later("x", number=4)).of_new_photos(4, 4)) == ["x"]


def test_copies_are_found_however_few_photos_are_in_memory(lake, monkeypatch):
    monkeypatch.setattr(later_test, "ROWS_AT_ONCE", 1)
    copies = [later(f"{name}2", dhash=dhash ^ 1) for name, dhash in FITTED.items()]
    assert names(lake(*copies, later("x"), later("y")).of_new_photos(3, 3)) == ["x"]


def test_a_first_label_of_a_copy_is_no_test_and_a_corrected_photo_keeps_its_scene(lake):
    held = {
        "photo_id": "x",
        "label": "kiwi",
        "predicted": "kiwi",
        "confidence": 0.5,
        "scene": 7,
        "model_version": classifier(photos=2, tested=2).version,
        "labelled_at": AFTER,
        "learned": True,
        "chunk": 4,
    }
    rows = [
        later("x", label="lime"),
        later("x2", dhash=FAR ^ 1, label="lime"),
        later("y", dhash=~FAR),
    ]
    at = AFTER + timedelta(days=9)
    [corrected, first] = lake(*rows, later("a2", dhash=1), held=[held]).of_other_labels(at=at)
    assert (corrected["photo_id"], corrected["label"], corrected["scene"]) == ("x", "lime", 7)
    assert first["photo_id"] == "y"
    assert corrected["labelled_at"] == first["labelled_at"] == at


@pytest.mark.parametrize(
    ("source", "is_read"),
    [
        pytest.param({"source_from": 1, "source_to": 1}, True, id="of its chunk of bronze"),
        pytest.param({"source_from": 9, "source_to": 9}, False, id="of no other"),
        pytest.param({}, True, id="a replay is of any"),
    ],
)
def test_the_day_of_a_scene_is_that_of_the_photo_in_bronze(lake, source, is_read):
    photo = {"photo_id": "x", "chunk": 1, "taken_on": date(2026, 5, 1)}
    named = {"photo_id": "y", "chunk": 1, "path": "kiwi/IMG_20260501_101500.jpg"}
    rows = [later("x", subject="p"), later("y", subject="p", dhash=~FAR)]
    undated = later("z", subject="p", dhash=2**20 - 1)
    test = lake(*rows, undated, photos=[photo, named], chunks=[chunk(3, **source)])
    found = {row["photo_id"]: row["scene"] for row in test.of_new_photos(3, 3)}
    assert found["x"] == found["y"]
    assert (found["x"] != found["z"]) is is_read


def test_beside_a_replay_all_of_bronze_is_read(lake):
    photo = {"photo_id": "x", "chunk": 1, "taken_on": date(2026, 5, 1)}
    rows = [later("x", subject="p"), later("y", number=4, subject="p", dhash=~FAR)]
    chunks = [chunk(3), chunk(4, source_from=9, source_to=9)]
    x, y = lake(*rows, photos=[photo], chunks=chunks).of_new_photos(3, 4)
    assert x["scene"] != y["scene"]


def test_a_person_without_days_has_a_scene_a_day(lake):
    rows = [later(str(n), subject="p", dhash=(FAR << 4 * n) % 2**62) for n in range(2)]
    rows.append(later("n", subject="p", dhash=~FAR) | {"embedded_at": AFTER + timedelta(days=1)})
    found = {row["photo_id"]: row["scene"] for row in lake(*rows).of_new_photos(3, 3)}
    assert found["0"] == found["1"] != found["n"]
