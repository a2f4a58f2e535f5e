"""`train` and `predict` on the command line: what a user sees of good photos, bad ones and missing things."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from gold import accuracy_figures, model_reader
from lake import catalog
from page import predictions
from page.photo_looks import looks
from page.predictions import Predictor
from tests.support import canary
from tests.support.place import Place


@pytest.fixture(scope="module")
def trained(samples_lake, tmp_path_factory, spark):
    """The samples' lake with classifiers, and what the command printed."""
    root = tmp_path_factory.mktemp("trained") / "place"
    shutil.copytree(samples_lake.root, root)
    return Place.of(root, spark)


@pytest.fixture
def call(trained, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # else cells would be folded

    def called(*words):
        return command(*words, "--lake", trained.settings.paths.lake)

    return called


def test_before_any_training_it_says_what_to_do(call, trained):
    code, _, told = call("predict", "a.jpg")
    assert code == 2
    assert (
        told
        == f"error: The lake {trained.files.root} has no classifier yet: run python run.py train.\n"
    )


@pytest.fixture
def photos(trained, tmp_path):
    """Good photos of two kinds, and files that are none."""
    good = [p for p in sorted(trained.landing.rglob("label=*/*.jpg")) if p.stat().st_size > 20_000]
    Image.new("RGB", (64, 64)).save(tmp_path / "blank.png")
    (tmp_path / "[red]notes.jpg").write_text("no photo")
    (tmp_path / "folder.jpg").mkdir()
    large = tmp_path / "bomb.png"
    Image.fromarray(np.zeros((1, 1), np.uint8)).resize((12_000, 12_000)).save(large)
    return good


def test_train_shows_how_each_classifier_does(call, trained):
    code, shown, told = call("train")
    assert (code, told) == (0, "")
    rows = trained.lake.read(catalog.MODELS).where("kind = 'classifier'").collect()
    assert len(rows) == 4
    for row in rows:
        assert f"{row['algorithm']} on {row['input']}" in shown
        metrics = dict(row["metrics"])
        assert f"{metrics['accuracy']:.1%}" in shown
        assert f"{metrics['accuracy_low']:.1%} to {metrics['accuracy_high']:.1%}" in shown
    assert "macro F1" in shown
    assert shown.count("for comparison: 5 nearest neighbours on ") == 2
    assert shown.count("always the most frequent kind") == 1
    assert "photos took part" in shown
    assert "95% interval" in shown
    [champion] = [dict(row["metrics"]) for row in rows if row["status"] == "champion"]
    assert champion["timewise_days_before"] >= 1  # the samples say their days
    assert f"{accuracy_figures.timewise_sentence(champion)}." in shown


def test_predict_shows_kind_and_confidence(call, trained, photos):
    code, shown, told = call("predict", *map(str, photos[:6]))
    assert (code, told) == (0, "")
    champion = model_reader.classifier(trained.files.root)
    assert champion.version in shown
    kinds = [photo.parent.name.removeprefix("label=") for photo in photos[:6]]
    assert sum(kind in shown for kind in kinds) >= 5
    assert shown.count("%") >= 6
    assert shown.count("the classifier was trained on this photo") == 6
    assert shown.count("the lake's label is ") == 6


def test_another_classifier_can_be_named(call, trained, photos):
    features = model_reader.pca(trained.files.root).version
    rows = model_reader.rows(trained.files.root, "classifier")
    other = next(row["version"] for row in rows if row["input"] == features)
    code, shown, _ = call("predict", str(photos[0]), "--classifier", other)
    assert code == 0
    assert f"by {other}" in shown
    code, _, told = call("predict", str(photos[0]), "--classifier", "best")
    assert code == 2
    assert told.startswith("error: There is no classifier version best; there is classifier-")


def test_the_beginning_of_a_classifier_is_understood_and_that_of_several_is_not(
    call, trained, photos
):
    rows = model_reader.rows(trained.files.root, "classifier")
    [first, *others] = sorted(row["version"] for row in rows)
    code, _, told = call("predict", str(photos[0]), "--classifier", first[:-1])
    assert (code, f"is the beginning of {len(rows)} classifier versions" in told) == (2, True)
    assert all(name in told for name in (first, *others))


def test_what_is_no_photo_is_told_beside_those_that_are(call, photos, tmp_path):
    bad = [
        "blank.png",
        "[red]notes.jpg",
        "folder.jpg",
        "bomb.png",
        "missing.jpg",
    ]  # folder.jpg is empty
    code, shown, told = call("predict", str(photos[0]), *(str(tmp_path / name) for name in bad))
    assert code == 2
    assert told == "error: 5 of 6 photos can't be used; the table says why.\n"
    for reason in (
        "blank (",
        "not_a_photo (",
        "no photo (JPEG, PNG, WebP, HEIC or AVIF) is in this folder",
        "pixel_bomb",
        "No such file",
    ):
        assert reason in shown, reason
    assert "[red]notes.jpg" in shown


def test_a_model_that_the_lake_has_not_is_said(call, photos):
    code, _, told = call(
        "predict", str(photos[0]), "--extractor", "mobilenet_v2", "--weights", "random:1"
    )
    assert code == 2
    assert (
        "has no mobilenet_v2 with the weights random:1 in float32; its extractors are "
        "efficientnet_lite0 (float32, bicubic pixels): name one with --extractor, --weights" in told
    )


def test_no_lake_is_said(command):
    code, _, told = command("predict", "a.jpg", "--lake", "nowhere")
    assert code == 2
    assert told.startswith("error: There is no lake in nowhere")


def test_a_folder_is_answered_photo_by_photo_as_json_and_as_csv(call, trained, photos, tmp_path):
    """Each sample that silver has is known by its label, also a person's; a new photo is not, a copy is."""
    (trained.landing / "label=kiwi/new.jpg").write_bytes(canary.jpeg(1))
    Image.open(photos[0]).save(tmp_path / "copy.png")
    folder = str(trained.landing)
    code, shown, told = call("predict", folder, str(tmp_path / "copy.png"), "--json")
    (trained.landing / "label=kiwi/new.jpg").unlink()
    assert code == 2
    assert "photos can't be used; `refused` of each says why." in told
    answers = {each["photo"]: each for each in json.loads(shown)["photos"]}
    held = trained.lake.records(catalog.EMBEDDINGS, columns=["label"])
    new = answers.pop(f"{folder}/label=kiwi/new.jpg")
    assert (new["label"], new["trained_on"], new["refused"]) == (None, False, None)
    copy = answers.pop(str(tmp_path / "copy.png"))
    assert (copy["label"], copy["trained_on"]) == (photos[0].parent.name[6:], True)
    known = [each for each in answers.values() if each["trained_on"]]
    assert sorted({row["label"] for row in held}) == sorted({each["label"] for each in known})
    assert len(known) >= len(held)
    assert any("subject=" in each["photo"] for each in known)
    assert all(each["refused"] for each in answers.values() if not each["trained_on"])
    subjects = {row["subject"] for row in trained.lake.records(catalog.PHOTOS) if row["subject"]}
    assert not [subject for subject in subjects if subject in shown]
    _, shown, _ = call("predict", folder, "--csv")
    assert len(list(csv.DictReader(io.StringIO(shown)))) == len(answers)


def test_a_photo_that_came_after_the_training_was_not_trained_on(call, trained, photos, tmp_path):
    """A lake of which one more photo is embedded than the classifier saw."""
    shutil.copytree(trained.root, tmp_path / "later")
    later = Place.of(tmp_path / "later", trained.spark)
    (later.landing / "label=kiwi/new.jpg").write_bytes(canary.jpeg(1))
    later.run("bronze", "silver")
    [before, new] = Predictor.of(later.files, later.settings).predict(
        [str(photos[0]), str(later.landing / "label=kiwi/new.jpg")]
    )
    assert (before.label, before.trained_on) == (photos[0].parent.name[6:], True)
    assert (new.label, new.trained_on) == ("kiwi", False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["missing.jpg"],
            "missing.jpg can't be used: can't be read (No such file or directory); name",
        ),
        (
            ["empty"],
            "empty: no photo (JPEG, PNG, WebP, HEIC or AVIF) is in this folder; name photos, or a folder",
        ),
        (
            ["empty", "--json", "--csv"],
            "--json and --csv don't go together; give one of them.",
        ),
        (["empty", "--csv", "--log", "json"], "--log json and --json or --csv don't go together"),
    ],
)
def test_what_can_not_be_is_one_sentence(call, photos, tmp_path, words, said):
    (tmp_path / "empty").mkdir()
    code, _, told = call("predict", *words)
    assert code == 2
    assert said in told
    assert told.count("\n") == 1


def test_memory_does_not_grow_with_the_photos(trained, photos, monkeypatch):
    """No more photos are read ahead than a batch has, and no more bytes than one batch may have."""
    predictor = Predictor.of(trained.files, trained.settings)
    held = []
    monkeypatch.setattr(
        predictions,
        "looks",
        lambda model, contents: held.append(contents) or looks(model, contents),
    )
    names = [str(photo) for photo in photos[:3]] * 3
    monkeypatch.setattr(predictions, "BATCH", 4)
    assert [found.photo for found in predictor.predict(iter(names))] == names
    assert [len(contents) for contents in held] == [4, 4, 1]
    monkeypatch.setattr(predictions, "BATCH_BYTES", 1)
    held.clear()
    list(predictor.predict(iter(names)))
    assert {len(contents) for contents in held} <= {0, 1}
