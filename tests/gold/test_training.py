"""Classifiers over a lake: what is published of each, kills, promotion, and reading them without Spark."""

import hashlib
import shutil
from collections import Counter
from datetime import date, datetime
from operator import itemgetter

import numpy as np
import pytest
from delta import DeltaTable
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import accuracy_figures, model_reader, model_versions, pca_refit, training
from gold.acceptance import NEVER_SURE, cross_fitted_sure, sure_from
from gold.calibration import expected_calibration_error
from gold.classifiers import KINDS
from gold.confidence_intervals import interval
from gold.training_examples import Examples
from gold.training_photos import untested_labels
from lake import catalog
from lake.chunks import ChunkPlan
from lake.enums import BRONZE, TRAINING
from lake.publication import drop_abandoned
from lake.run_journal import LayerRun
from tests.support.generated_embeddings import EMBEDDER, add
from tests.support.gold_runs import embeddings, project, promote
from tests.support.kills import Killed, dies
from tests.support.place import Place

POINTS = (
    "training: planned",
    "training: staged",
    "training: before staged",
    "training: gold/held_out committed",
    "training: gold/models committed",
    "training: before published",
)


def train(place):
    with place.writing() as context:
        drop_abandoned(context.lake)
        step = context.step(TRAINING)
        training.train(step, EMBEDDER, reason=pca_refit.REQUEST)
    return step.did


def classifiers(place, status=None):
    """The rows of classifiers, by version."""
    rows = model_versions.versions(
        place.lake.records(catalog.MODELS), weights_id=EMBEDDER, kind="classifier"
    )
    held = [{**row, "metrics": dict(row["metrics"])} for row in rows]
    return [
        row for row in sorted(held, key=itemgetter("version")) if status in (None, row["status"])
    ]


def held_out(place, version):
    rows = place.lake.read(catalog.HELD_OUT).where(F.col("model_version") == version)
    return rows.orderBy("photo_id").collect()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, spark):
    """A lake with a PCA version of 90 embeddings of three kinds, one photo of a fourth, and a copy of one."""
    place = Place.of(tmp_path_factory.mktemp("fitted"), spark, "pca.components=6")
    add(place, 90, seed=1, apart=4.0)
    add(place, 1, seed=2, labels=["fig"])
    project(place)
    return place


class TrainedLake(Place):
    """A lake with classifiers, and what the last training did."""

    did: LayerRun


@pytest.fixture(scope="module")
def trained(fitted, tmp_path_factory, spark):
    """That lake with classifiers, of a command that died at every point in turn."""
    root = tmp_path_factory.mktemp("trained") / "place"
    shutil.copytree(fitted.root, root)
    place = TrainedLake.of(root, spark, "pca.components=6")
    for point in POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            train(place)
        place.bury()
    place.did = train(place)
    return place


@pytest.fixture
def place(trained, tmp_path, spark):
    """A copy of it."""
    shutil.copytree(trained.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark, "pca.components=6")


def test_each_kind_is_fitted_on_both_inputs_once_whatever_died(trained):
    rows = classifiers(trained)
    pca = model_versions.champion(trained.lake.records(catalog.MODELS), weights_id=EMBEDDER)
    both = [(kind, name) for name in ("embeddings", pca.version) for kind in KINDS]
    assert [(row["algorithm"], row["input"]) for row in rows] == both
    assert [row["version"] for row in rows] == [
        f"classifier-{EMBEDDER[:8]}-{n}" for n in range(1, 5)
    ]
    assert "are published; run again to train new ones" in trained.did.notes[0]
    assert trained.lake.files.folders("staging") == []
    assert len({row["chunk"] for row in rows}) == 1
    for row in rows:
        assert len(held_out(trained, row["version"])) == 90


def test_the_best_is_the_champion_and_readers_get_it(trained):
    rows = classifiers(trained)
    [champion] = classifiers(trained, "champion")
    assert champion["metrics"]["macro_f1"] == max(row["metrics"]["macro_f1"] for row in rows)
    assert {row["status"] for row in rows if row is not champion} == {"champion", "candidate"}
    assert model_reader.classifier(trained.files.root).version == champion["version"]


def test_figures_are_those_of_the_photos_held_out(trained):
    for row in classifiers(trained):
        held = held_out(trained, row["version"])
        right = [photo["label"] == photo["predicted"] for photo in held]
        assert row["metrics"]["accuracy"] == pytest.approx(np.mean(right))
        pairs = Counter((photo["label"], photo["predicted"]) for photo in held)
        expected = [pairs[true, said] for true in row["labels"] for said in row["labels"]]
        assert row["confusion"] == expected
        assert row["metrics"]["accuracy"] > row["metrics"]["baseline"] + 0.3
        assert all(0 < photo["confidence"] <= 1 for photo in held)


def test_how_sure_an_accuracy_is_is_told_by_the_scenes_held_out(trained):
    for row in classifiers(trained):
        held, metrics = held_out(trained, row["version"]), row["metrics"]
        correct = np.array([photo["label"] == photo["predicted"] for photo in held])
        scenes = np.array([photo["scene"] for photo in held])
        # Nothing tells visits apart here: other bounds of likeness widen the interval.
        low, high = interval(correct, scenes)
        assert metrics["accuracy_low"] < low < high <= metrics["accuracy_high"]
        assert metrics["guessed_scenes"] == 90
        assert metrics["groups"] == len(set(scenes)) < 90
        kinds = accuracy_figures.of_kinds(row, held)
        labels = np.array([photo["label"] for photo in held])
        assert [kind.groups for kind in kinds] == [
            len(set(scenes[labels == kind.kind])) for kind in kinds
        ]
        assert [kind.photos for kind in kinds] == [30, 30, 30]


def test_what_sure_answers_are_worth_is_told_by_the_photos_held_out(trained):
    for row in classifiers(trained):
        held, metrics = held_out(trained, row["version"]), row["metrics"]
        confidence = np.array([photo["confidence"] for photo in held])
        correct = np.array([photo["label"] == photo["predicted"] for photo in held])
        fold = np.array([photo["fold"] for photo in held])
        scenes = np.array([photo["scene"] for photo in held])
        is_sure = cross_fitted_sure(confidence, correct, scenes, fold, wanted=0.9)
        assert metrics["sure_share"] == pytest.approx(is_sure.mean())
        assert metrics["sure_accuracy"] == pytest.approx(correct[is_sure].mean())
        assert metrics["sure_low"] < metrics["sure_accuracy"] <= metrics["sure_high"]
        assert metrics["sure_from"] == sure_from(confidence, correct, scenes, wanted=0.9)
        assert metrics["calibration_error"] == pytest.approx(
            expected_calibration_error(confidence, correct)
        )


def test_without_days_there_is_no_test_on_later_ones_and_it_is_said_why(trained):
    told = [row["metrics"] for row in classifiers(trained) if "days" in row["metrics"]]
    [metrics] = told
    assert metrics == classifiers(trained, "champion")[0]["metrics"]
    assert (metrics["days"], metrics["dated"]) == (0, 0)
    assert "timewise_accuracy" not in metrics


def test_the_champion_is_tested_on_later_days_where_photos_say_theirs(place):
    """Bronze's rows of the embeddings' photos, of four days."""
    with place.writing() as context:
        names = sorted(row["photo_id"] for row in context.lake.records(catalog.EMBEDDINGS))
        rows = [
            {"photo_id": name, "taken_on": date(2026, 3, 1 + number % 4)}
            for number, name in enumerate(names)
        ]
        [chunk] = context.lake.ledger.plan([ChunkPlan(layer=BRONZE, photos=len(rows))])
        frame = context.lake.rows(catalog.PHOTOS, rows)
        context.lake.append(catalog.PHOTOS, frame, chunk=chunk)
    train(place)
    [champion] = classifiers(place, "champion")
    metrics = champion["metrics"]
    assert (metrics["days"], metrics["dated"]) == (4, 91)
    assert metrics["timewise_days_before"] + metrics["timewise_days"] == 4
    assert metrics["timewise_fitted"] + metrics["timewise_photos"] in (90, 91)
    assert metrics["timewise_low"] <= metrics["timewise_accuracy"] <= metrics["timewise_high"]
    assert metrics["timewise_accuracy"] == pytest.approx(metrics["accuracy"], abs=0.15)


def test_a_kind_with_one_photo_is_learned_and_not_tested(trained):
    for row in classifiers(trained):
        assert row["labels"] == ["apple", "fig", "kiwi", "pear"]
        assert (row["metrics"]["tested"], row["metrics"]["untested_labels"]) == (90, 1)
        held = model_reader.classifier(trained.files.root, row["version"])
        assert held.classifier.labels == ("apple", "fig", "kiwi", "pear")
        assert untested_labels(held) == {"fig"}
        assert held.photos == 91


def test_a_version_names_what_it_was_fitted_on(trained):
    for row in classifiers(trained):
        assert row["embeddings_version"] == trained.lake.version(catalog.EMBEDDINGS)
        assert (row["reason"], row["supersedes"]) == ("request", None)
        held = model_reader.classifier(trained.files.root, row["version"])
        assert held.settings == {
            "folds": 5, "max_photos": 20_000, "wanted_precision": 0.9, "near_bits": 6,
        }  # fmt: skip
        bounds = held.classifier.acceptance
        assert bounds.centres.shape == (4, 32)
        assert 0 < bounds.sure_from <= 1
        assert held.through_chunk == row["through_chunk"] > 0


def test_versions_are_read_without_spark_as_they_were_written(trained):
    x = embeddings(trained)
    pca = model_reader.pca(trained.files.root)
    features = trained.lake.read(catalog.FEATURES).orderBy("photo_id").collect()
    np.testing.assert_array_equal(pca.project(x), [row["features"] for row in features])
    for row in classifiers(trained):
        held = model_reader.classifier(trained.files.root, row["version"])
        said = held.predict(x if held.input == "embeddings" else pca.project(x))
        assert said.shape == (91, 4)
        assert held.row(status=row["status"]) | {"created_at": None} == {
            name: row[name] for name in held.row(status="")
        } | {"created_at": None}


def test_near_duplicates_are_one_scene_and_on_one_side(place):
    """Copies of a photo, as a phone sends them twice: another photo_id, a hash three bits off."""
    silver = (
        place.lake.read(catalog.EMBEDDINGS).where("label <> 'fig'").orderBy("photo_id").limit(30)
    )
    originals = [row["photo_id"] for row in silver.collect()]
    copies = silver.withColumns(
        {"photo_id": F.sha2("photo_id", 256), "dhash": F.expr("dhash ^ 7")}
    ).select(*catalog.EMBEDDINGS.schema.fieldNames())
    copies.write.format("delta").mode("append").save(place.files.uri(catalog.EMBEDDINGS.name))
    train(place)
    rows = held_out(place, classifiers(place, "champion")[0]["version"])
    scene = {row["photo_id"]: row["scene"] for row in rows}
    copied = [hashlib.sha256(photo.encode()).hexdigest() for photo in originals]
    assert [scene[photo] for photo in copied] == [scene[photo] for photo in originals]
    assert len(scene) == 120
    assert 60 < len(set(scene.values())) <= 90
    folds = {}
    for row in rows:
        folds.setdefault(row["scene"], set()).add(row["fold"])
    assert max(map(len, folds.values())) == 1
    assert len(set.union(*folds.values())) == 5


def test_a_new_training_ends_the_old_versions_and_one_can_be_promoted_again(place):
    [before] = classifiers(place, "champion")
    did = train(place)
    assert did.counts == {"in": 91, "kept": 91}
    assert Counter(row["status"] for row in classifiers(place)) == {
        "retired": 4, "candidate": 3, "champion": 1,
    }  # fmt: skip
    [now] = classifiers(place, "champion")
    assert now["supersedes"] == before["version"]
    pca = model_reader.pca(place.files.root).version
    promote(place, before["version"])
    assert [row["version"] for row in classifiers(place, "champion")] == [before["version"]]
    assert model_reader.pca(place.files.root).version == pca  # another kind's champion stays


def test_without_promotion_they_wait_as_candidates(place):
    [before] = classifiers(place, "champion")
    train(place.set("refit.promote=false"))
    assert [row["version"] for row in classifiers(place, "champion")] == [before["version"]]
    assert len(classifiers(place, "candidate")) == 3 + 4


def test_many_photos_are_a_sample_and_always_the_same(fitted):
    rows, photos = map(fitted.lake.read, (catalog.EMBEDDINGS, catalog.PHOTOS))
    first, again = (Examples.of(rows, photos, at_most=40).photo_ids for _ in range(2))
    assert first == again == sorted(first)
    assert len(first) == 40


def test_of_a_sample_it_is_known_which_kinds_it_has_no_photo_of(fitted):
    rows, photos = map(fitted.lake.read, (catalog.EMBEDDINGS, catalog.PHOTOS))
    few, all_ = (Examples.of(rows, photos, at_most=most) for most in (2, 1000))
    assert few.left_out == sorted({"apple", "fig", "kiwi", "pear"} - set(few.labels)) != []
    assert all_.left_out == []


def test_days_are_those_on_which_photos_were_taken_and_never_those_of_their_files(fitted, spark):
    rows = fitted.lake.read(catalog.EMBEDDINGS)
    known, named, undated, *others = [row["photo_id"] for row in rows.orderBy("photo_id").collect()]
    photos = spark.createDataFrame(
        [
            (known, date(2026, 3, 1), datetime(2026, 4, 1), "IMG_20260302_101500.jpg"),
            (named, None, datetime(2026, 4, 1), "kiwi/IMG_20260302_101500.jpg"),
            (undated, None, datetime(2026, 4, 1), "kiwi/1.jpg"),
            ("0" * 64, date(2026, 3, 2), datetime(2026, 4, 1), None),
        ],
        "photo_id string, taken_on date, uploaded_at timestamp, path string",
    )
    found = Examples.of(rows, photos, at_most=1000)
    assert found.photo_ids == [known, named, undated, *others]
    assert found.days == [date(2026, 3, 1), date(2026, 3, 2), None, *[None] * len(others)]


@pytest.fixture
def empty(empty_lake, tmp_path, spark):
    """A copy of a lake without rows."""
    shutil.copytree(empty_lake.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark, "pca.components=6")


def test_labels_that_say_nothing_are_warned_of(empty):
    place = empty
    add(place, 60, seed=3, labels=["kiwi", "pear"])
    project(place)
    train(place)
    judged = place.lake.read(catalog.QUALITY).where("expectation = 'accuracy-above-majority'")
    [*_, last] = judged.orderBy("judged_at").collect()
    worse = [r for r in classifiers(place) if r["metrics"]["accuracy"] <= r["metrics"]["baseline"]]
    assert last["unexpected_count"] == len(worse) > 0
    for row in classifiers(place):
        assert (row["metrics"]["sure_share"], "sure_from" in row["metrics"]) == (0, False)
        version = model_reader.classifier(place.files.root, row["version"])
        assert version.classifier.acceptance.sure_from == NEVER_SURE


def test_too_little_to_train_on_is_said(empty):
    place = empty
    with pytest.raises(BadInput, match="has no PCA version yet"):
        train(place)
    place.bury()
    add(place, 6, seed=1, labels=[None])
    project(place)
    with pytest.raises(BadInput, match=r"There is no photo with a label .* folders"):
        train(place)
    place.bury()
    add(place, 6, seed=2, labels=["kiwi"])
    with pytest.raises(
        BadInput, match=r"6 photos with a label are not enough .* only kiwi has them"
    ):
        train(place)
    assert classifiers(place) == []


def test_what_can_not_be_read_is_said(place):
    root = place.files.root
    with pytest.raises(BadInput, match="no classifier version best; there is classifier-"):
        model_reader.classifier(root, "best")
    with pytest.raises(
        BadInput, match=r"has no pca yet for the model f+; run.py --layer gold fits one"
    ):
        model_reader.pca(root, weights_id="f" * 64)
    with pytest.raises(BadInput, match="There is no lake in"):
        model_reader.pca(f"{root}/nowhere")
    name = classifiers(place, "champion")[0]["version"]
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.MODELS.name))
    table.update(F.col("version") == name, {"parameters": F.lit(None)})
    with pytest.raises(BadInput, match=f"parameters of {name} were removed"):
        model_reader.classifier(root)
