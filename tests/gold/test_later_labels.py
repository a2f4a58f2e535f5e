"""Champions are tested on photos that got their label after the training: each once, whatever dies."""

import shutil

import numpy as np
import pytest

from bronze.label_claims import Corrections
from gold import accuracy_since, model_versions
from gold.accuracy_since import AccuracySince, Week
from gold.classifiers import fit
from gold.later_labels import judge_champions
from gold.model_versions import ClassifierVersion
from lake import catalog, metric_names
from lake.chunks import ChunkPlan, ChunkState, published
from lake.enums import GOLD, SILVER, TESTING, TRAINING
from lake.publication import drop_abandoned
from lake.small_tables import arrow_rows
from privacy import photo_removal
from privacy.relabelling import relabel
from tests.support.generated_embeddings import EMBEDDER, KINDS, add
from tests.support.kills import Killed, dies
from tests.support.place import Place

POINTS = (
    "testing: planned",
    "testing: before staged",
    "testing: staged",
    "testing: gold/held_out committed",
    "testing: before published",
)


def train(place, *, name="classifier-1", unseen=()):
    """Publish a champion that was fitted on all labelled embeddings but those of some photos."""
    rows = [r for r in silver(place).values() if r["label"] and r["photo_id"] not in unseen]
    x, labels = np.array([r["embedding"] for r in rows], np.float32), [r["label"] for r in rows]
    classifier = fit(x, labels, kind="logistic_regression")
    n = len(classifier.labels)
    with place.writing() as context:
        lake = context.lake
        through = published(lake.ledger.chunks().values(), layer=SILVER, weights_id=EMBEDDER)[-1]
        version = ClassifierVersion(
            version=name,
            weights_id=EMBEDDER,
            through_chunk=through.number,
            embeddings_version=lake.version(catalog.EMBEDDINGS),
            photos=len(rows),
            reason="request",
            supersedes=None,
            settings={"max_photos": 20_000},
            metrics={"tested": len(rows), "accuracy": 0.95, "accuracy_low": 0.9},
            algorithm="logistic_regression",
            input="embeddings",
            classifier=classifier,
            labels=classifier.labels,
            confusion=np.eye(n, dtype=np.int64),
        )
        plan = ChunkPlan(layer=TRAINING, weights_id=EMBEDDER)
        [chunk] = lake.ledger.plan([plan])
        held = [
            {
                "photo_id": r["photo_id"],
                "label": r["label"],
                "scene": 0,
                "fold": 0,
                "predicted": r["label"],
                "confidence": 1.0,
                "model_version": name,
            }
            for r in rows
        ]
        lake.append(catalog.HELD_OUT, lake.rows(catalog.HELD_OUT, held), chunk=chunk)
        new = [version.row(status="champion")]
        known = model_versions.with_champion(lake.records(catalog.MODELS), new)
        lake.put(catalog.MODELS, known, keys=["version"], chunk=chunk)
        lake.ledger.published(chunk, photos=len(rows), versions={}, photos_left={})


def silver(place):
    rows = place.lake.records(catalog.EMBEDDINGS)
    return {row["photo_id"]: row for row in sorted(rows, key=lambda row: row["photo_id"])}


def judge(place):
    """A run's step that tests the champions: what it did."""
    with place.writing() as context:
        drop_abandoned(context.lake)
        step = context.step(GOLD)
        judge_champions(step)
    return step.did


def later(place):
    """The rows of gold/held_out of photos that were labelled after the training, by version and photo."""
    rows = place.lake.records(catalog.HELD_OUT)
    found = [row for row in rows if row["labelled_at"] is not None]
    keys = [(row["model_version"], row["photo_id"]) for row in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def since(place, name="classifier-1") -> AccuracySince:
    rows = place.lake.records(catalog.MODELS)
    [row] = [row for row in rows if row["version"] == name]
    return accuracy_since.read(place.files.root, row)


def give(place, labels):
    """Give photos other labels, as their objects in the landing folder tell."""
    photos = [{"photo_id": photo, "label": label, "split": None} for photo, label in labels.items()]
    with place.writing() as context:
        relabel(context.step("bronze"), Corrections(photos=photos))


def planned_tests(place):
    return [c for c in place.lake.ledger.chunks().values() if c.layer == TESTING]


@pytest.fixture(scope="module")
def trained(empty_lake, tmp_path_factory, spark):
    """A lake of 60 photos of three kinds, and 3 without a label, with a champion."""
    root = tmp_path_factory.mktemp("later") / "place"
    shutil.copytree(empty_lake.root, root)
    place = Place.of(root, spark)
    add(place, 60, seed=1, apart=6.0)
    add(place, 3, seed=2, apart=6.0, labels=[None])
    train(place)
    return place


@pytest.fixture
def place(trained, tmp_path, spark):
    shutil.copytree(trained.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark)


def test_photos_that_came_later_are_tested_once_whatever_dies(place):
    assert judge(place).notes == []
    add(place, 24, seed=3, apart=6.0)
    for point in POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            judge(place)
        place.bury()
    judge(place)
    held, photos = later(place), silver(place)
    assert len(held) == 24
    assert len({row["scene"] for row in held.values()}) == len(KINDS)
    for (version, photo), row in held.items():
        assert (version, row["label"]) == ("classifier-1", photos[photo]["label"])
        assert row["labelled_at"] == photos[photo]["embedded_at"]
        assert (row["fold"], row["learned"]) == (None, True)
    assert {c.state for c in planned_tests(place)} <= {ChunkState.PUBLISHED, ChunkState.PLANNED}
    before = place.lake.ledger.chunks()
    assert judge(place).notes == []
    assert place.lake.ledger.chunks() == before
    assert place.lake.files.folders("staging") == []


def test_what_it_is_right_about_is_noted_and_measured(place):
    add(place, 24, seed=3, apart=6.0, persons=10)
    did = judge(place)
    found = since(place)
    said = [row["label"] == row["predicted"] for row in later(place).values()]
    assert (found.photos, found.right) == (24, sum(said))
    assert found.right > 20
    assert did.notes == [f"{found}."]
    assert did.measured == {metric_names.LATER_LABELS: 24, metric_names.ACCURACY_SHORTFALL: 0.0}
    assert not did.warnings
    assert did.counts == {}
    again = judge(place)
    assert (again.notes, again.measured) == ([], did.measured)


def test_it_warns_where_it_is_right_less_often_than_promised(place):
    """Labels that say another kind than the photos show: a phone that names everything kiwi. That the
    classifier was right two months ago hides nothing."""
    add(place, 180, seed=4, apart=6.0, persons=20, days_ago=60)
    add(place, 60, seed=3, apart=6.0, labels=["pear", "apple", "kiwi"], persons=20)
    did = judge(place)
    assert since(place).photos == 240
    last = since(place).last
    assert (last.photos, last.scenes) == (60, 20)
    assert did.measured[metric_names.ACCURACY_SHORTFALL] == pytest.approx(0.9 - last.upper)
    assert last.upper < 0.9
    [warning] = did.warnings
    assert (warning.photos, warning.observed, warning.bound) == (
        60,
        last.accuracy,
        "at least 0.90",
    )


def test_one_visit_of_wrong_labels_raises_nothing(place):
    add(place, 60, seed=3, apart=6.0, labels=["pear", "apple", "kiwi"], persons=1)
    did = judge(place)
    assert since(place).photos == 60
    assert (did.measured, did.warnings) == ({}, [])


def test_labels_that_it_never_learned_are_counted_apart(place):
    add(place, 6, seed=3, apart=6.0, labels=["fig", "kiwi"])
    judge(place)
    found = since(place)
    assert (found.photos, found.unlearned) == (3, 3)


def test_a_photo_that_had_no_label_is_tested_when_it_gets_one_and_one_of_the_training_never(place):
    photos = silver(place)
    bare = [photo for photo, row in photos.items() if row["label"] is None]
    learned = next(photo for photo, row in photos.items() if row["label"] == "kiwi")
    give(place, {bare[0]: "kiwi", learned: "pear"})
    judge(place)
    [row] = later(place).values()
    assert (row["photo_id"], row["label"]) == (bare[0], "kiwi")
    assert row["labelled_at"] > photos[bare[0]]["embedded_at"]
    count = len(planned_tests(place))
    judge(place)
    assert len(planned_tests(place)) == count


def test_of_a_photo_that_is_corrected_twice_the_last_label_counts(place):
    add(place, 3, seed=3, apart=6.0)
    judge(place)
    before = later(place)
    (_, photo), row = next(iter(before.items()))
    other = [kind for kind in KINDS if kind != row["label"]]
    for point in ("testing: staged", "testing: gold/held_out committed"):
        other.reverse()
        give(place, {photo: other[0]})
        give(place, {photo: other[1]})
        with dies(point), pytest.raises(Killed, match=point):
            judge(place)
        place.bury()
        judge(place)
        now = later(place)
        assert now.keys() == before.keys()
        found = now.pop(("classifier-1", photo))
        assert (found["label"], found["predicted"]) == (other[1], row["predicted"])
        assert found["labelled_at"] > row["labelled_at"]
        assert now == {key: each for key, each in before.items() if key[1] != photo}


def test_a_label_that_a_restore_takes_away_takes_the_test_away(place):
    add(place, 3, seed=3, apart=6.0)
    judge(place)
    photo = next(iter(later(place)))[1]
    give(place, {photo: None})
    judge(place)
    assert photo not in {photo for _, photo in later(place)}
    assert len(later(place)) == 2


def test_a_new_champion_begins_anew_and_the_tests_of_the_earlier_one_stay(place):
    add(place, 6, seed=3, apart=6.0)
    judge(place)
    train(place, name="classifier-2")
    assert judge(place).notes == []
    assert since(place, "classifier-2").weeks == []
    add(place, 3, seed=4, apart=6.0)
    judge(place)
    assert since(place, "classifier-2").photos == 3
    assert since(place, "classifier-1").photos == 6


def test_photos_that_leave_take_their_tests_along(place):
    add(place, 6, seed=3, apart=6.0)
    judge(place)
    gone = next(iter(later(place)))[1]
    with place.writing() as context:
        photos = context.lake.values("photo_id", [gone])
        photo_removal.remove_photos(context.lake, photos, layer="erase")
    assert since(place).photos == 5
    judge(place)
    assert since(place).photos == 5


def test_a_training_that_died_half_published_comes_before_the_tests(place):
    """Both commit to gold/held_out under their numbers, and a lower one can't follow a higher one. Then its
    champion is tested."""
    add(place, 6, seed=3, apart=6.0)
    with place.writing() as context:
        lake = context.lake
        [row] = [row for row in lake.records(catalog.MODELS) if row["version"] == "classifier-1"]
        [chunk] = lake.ledger.plan([ChunkPlan(layer=TRAINING, weights_id=EMBEDDER)])
        for part, table in (("models", catalog.MODELS), ("held_out", catalog.HELD_OUT)):
            rows = [row | {"version": "classifier-2"}] if part == "models" else []
            lake.staging.write_rows(chunk, part, arrow_rows(table, rows))
        lake.ledger.reached(chunk, ChunkState.STAGED)
    judge(place)
    assert place.lake.ledger.chunks()[chunk.number].state is ChunkState.PUBLISHED
    assert {version for version, _ in later(place)} == {"classifier-2"}
    assert since(place, "classifier-2").photos == 6


def test_without_a_champion_nothing_happens(empty_lake, tmp_path, spark):
    shutil.copytree(empty_lake.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark)
    add(place, 6, seed=3)
    before = place.lake.ledger.chunks()
    did = judge(place)
    assert (did.notes, did.measured, place.lake.ledger.chunks()) == ([], {}, before)


def test_weeks_are_those_of_the_labels(place):
    add(place, 3, seed=3, apart=6.0)
    judge(place)
    [row] = {row["labelled_at"] for row in later(place).values()}
    year, week, _ = row.isocalendar()
    [only] = since(place).weeks
    assert isinstance(only, Week)
    assert only.week == f"{year}-W{week:02}"
