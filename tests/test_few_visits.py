"""Kinds of which there are few visits: a figure or a sentence, never a wrong one, and never a refusal without
a remedy. The photos are drawn, and the extractor is the real one."""

import json

import pytest

from gold import model_reader
from gold.training_photos import untested_labels
from tests.support.place import Place
from tests.support.turning_fruit import drawn, frames, save

REMEDY = "send photos of other fruits of these kinds, taken at another time or place"


def save_kinds_of_few_visits(landing):
    """60 frames of one turning fruit without a day, five photos of one visit, and one photo."""
    for number, frame in enumerate(frames("banana", 600)):
        save(frame, landing / "banana" / f"{number}.jpg")
    for shot in range(5):
        save(drawn("pear", 300 + shot), landing / "pear" / f"IMG_20260510_10150{shot}.jpg")
    save(drawn("orange", 500), landing / "orange" / "1.jpg")


@pytest.fixture(scope="module")
def place(tmp_path_factory, spark):
    """A lake of two kinds of three visits, one of two photos, and three of few visits."""
    place = Place.of(tmp_path_factory.mktemp("visits"), spark)
    for kind, first in (("apple-red", 100), ("kiwi", 200)):
        for visit in range(3):
            for shot in range(3):
                name = f"IMG_2026050{1 + visit}_10150{shot}.jpg"
                save(drawn(kind, first + 10 * visit + shot), place.landing / kind / name)
    for visit in range(2):
        name = f"IMG_2026050{1 + visit}_120000.jpg"
        save(drawn("lemon", 400 + visit), place.landing / "lemon" / name)
    save_kinds_of_few_visits(place.landing)
    place.run()
    return place


def called(command, place, monkeypatch, *words):
    """The exit code of a command over the lake, and what it says on both streams."""
    monkeypatch.setenv("COLUMNS", "400")  # else cells would be folded
    code, shown, told = command(*words, "--lake", place.settings.paths.lake)
    return code, shown + told


def test_each_kind_has_a_figure_or_a_sentence(place, command, monkeypatch):
    code, said = called(command, place, monkeypatch, "train")
    print(said)
    assert code == 0
    assert "of pear (5) all photos are of one visit" in said
    assert (
        "of banana (60) all photos are so alike that they count as one scene, as the frames of a "
        "film do" in said
    )
    assert "of orange there is one photo" in said
    assert "too few to rely on what the test says of lemon (2)" in said
    assert said.count(REMEDY) == 2
    champion = model_reader.classifier(place.files.root)
    assert untested_labels(champion) == {"banana", "pear", "orange"}
    assert (champion.metrics["tested"], champion.metrics["groups"]) == (20, 3)
    assert champion.metrics["untested_labels"] == 3
    assert champion.metrics["accuracy_low"] < champion.metrics["accuracy"]


def test_what_a_classifier_knows_of_one_film_is_said_of_its_frames(place, command, monkeypatch):
    frame = str(place.landing / "banana" / "30.jpg")
    code, said = called(command, place, monkeypatch, "predict", frame, "--json")
    print(said)
    assert code == 0
    [photo] = json.loads(said)["photos"]
    assert photo["kinds"][0]["kind"] == "banana"


def test_where_visits_can_not_be_told_apart_figures_promise_nothing(
    tmp_path, spark, command, monkeypatch
):
    place = Place.of(tmp_path, spark)
    save_kinds_of_few_visits(place.landing)
    place.run()
    code, said = called(command, place, monkeypatch, "train")
    print(said)
    assert code == 0
    champion = model_reader.classifier(place.files.root)
    assert (champion.metrics["accuracy_low"], champion.metrics["is_flattering"]) == (0, 1)
    assert "(95% interval 0.0% to 100.0%), which flatters" in said
    assert "photos of other visits will be right less often than its figures say" in said
    assert "Send photos of other visits" in said


def test_where_no_kind_can_be_tested_it_is_said_why_and_what_to_do(
    tmp_path, spark, command, monkeypatch
):
    place = Place.of(tmp_path, spark)
    for kind in ("orange", "kiwi"):
        save(drawn(kind, 500), place.landing / kind / "1.jpg")
    for number, frame in enumerate(frames("banana", 600)):
        save(frame, place.landing / "banana" / f"{number}.jpg")
    place.run()
    code, said = called(command, place, monkeypatch, "train")
    print(said)
    assert code == 2
    assert "62 photos with a label are not enough to train on" in said
    assert "of kiwi, orange there is one photo" in said
    assert f"To train, {REMEDY}" in said
