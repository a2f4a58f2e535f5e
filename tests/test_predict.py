"""`train` and `predict` on the command line: what a user sees of good photos, bad ones and missing things."""

import shutil

import numpy as np
import pytest
from PIL import Image

from gold import model_reader
from lake import catalog
from tests.support.place import Place


@pytest.fixture(scope="module")
def trained(samples_lake, tmp_path_factory, spark):
    """The samples' lake with classifiers, and what the command printed."""
    root = tmp_path_factory.mktemp("trained") / "place"
    shutil.copytree(samples_lake.root, root)
    return Place.of(root, spark)


@pytest.fixture
def call(trained, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # else cells would be folded

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
    assert len(rows) == 6
    for row in rows:
        assert f"{row['algorithm']} on {row['input']}" in shown
        assert f"{row['metrics']['accuracy']:.1%}" in shown
    assert "macro F1" in shown
    assert shown.count("5 nearest neighbours on ") == 2
    assert shown.count("always the most frequent kind") == 1
    assert "photos took part" in shown


def test_predict_shows_kind_and_confidence(call, trained, photos):
    code, shown, told = call("predict", *map(str, photos[:6]))
    assert (code, told) == (0, "")
    champion = model_reader.classifier(trained.files.root)
    assert champion.version in shown
    kinds = [photo.parent.name.removeprefix("label=") for photo in photos[:6]]
    assert sum(kind in shown for kind in kinds) >= 5
    assert shown.count("%") >= 6 * 3


def test_another_classifier_can_be_named(call, trained, photos):
    features = model_reader.pca(trained.files.root).version
    rows = model_reader.rows(trained.files.root, "classifier")
    other = next(row["version"] for row in rows if row["input"] == features)
    code, shown, _ = call("predict", str(photos[0]), "--classifier", other)
    assert code == 0
    assert f"by {other}" in shown
    code, _, told = call("predict", str(photos[0]), "--classifier", "best")
    assert code == 2
    assert told.startswith(
        f"error: {trained.files.root} has no classifier version best; name one of"
    )


def test_what_is_no_photo_is_told_beside_those_that_are(call, photos, tmp_path):
    bad = ["blank.png", "[red]notes.jpg", "folder.jpg", "bomb.png", "missing.jpg"]
    code, shown, told = call("predict", str(photos[0]), *(str(tmp_path / name) for name in bad))
    assert code == 2
    assert told == "error: 5 of 6 photos can't be used; the table says why.\n"
    for reason in ("blank (", "unsupported (", "Is a directory", "pixel_bomb", "No such file"):
        assert reason in shown, reason
    assert "[red]notes.jpg" in shown


def test_a_model_that_the_lake_has_not_is_said(call, photos):
    code, _, told = call(
        "predict", str(photos[0]), "--extractor", "mobilenet_v2", "--weights", "random:1"
    )
    assert code == 2
    assert (
        "has no mobilenet_v2 with the weights random:1; its extractors are efficientnet_lite0"
        in told
    )


def test_no_lake_is_said(command):
    code, _, told = command("predict", "a.jpg", "--lake", "nowhere")
    assert code == 2
    assert told.startswith("error: There is no lake in nowhere")
