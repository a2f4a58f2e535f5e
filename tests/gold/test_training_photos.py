"""Which photos a classifier was fitted on: only what is certain is said."""

from dataclasses import replace

import numpy as np
import pytest

from gold.training_photos import TrainingPhotos
from lake import catalog
from tests.support.photo_tables import AFTER, classifier, embedding, write, write_training


@pytest.fixture
def training(tmp_path):
    """Makes a lake of a classifier that was tested on photos, of those in silver/embeddings."""

    def make(*rows, photos, tested, was_tested=None):
        version = classifier(photos=photos, tested=was_tested or len(tested))
        write(tmp_path, catalog.EMBEDDINGS, rows)
        write_training(tmp_path, version, tested=tested)
        return TrainingPhotos.of(str(tmp_path), version)

    return make


def test_photos_that_it_was_tested_on_are_those_that_it_was_fitted_on(training):
    found = training(embedding("a"), embedding("b"), embedding("c"), photos=2, tested=["a", "b"])
    assert [found.holds(photo, label="kiwi") for photo in "abc"] == [True, True, False]
    assert found.holds("other", label="kiwi") is False
    assert found.holds_others is False


@pytest.mark.parametrize("is_of_before", [True, False])
def test_a_photo_of_a_label_that_could_not_be_tested_counts(tmp_path, is_of_before):
    """Earlier code kept the tested labels of a version, and no others."""
    version = classifier(photos=2, tested=1)
    if not is_of_before:
        labels, confusion = ("kiwi", "lime", "plum"), np.diag([1, 1, 0])
        version = replace(version, labels=labels, confusion=confusion)
    write(tmp_path, catalog.EMBEDDINGS, [embedding("a"), embedding("p", "plum")])
    write_training(tmp_path, version, tested=["a"])
    found = TrainingPhotos.of(str(tmp_path), version)
    assert found.untested == {"plum"}
    assert found.holds("p", label="plum") is True
    assert found.holds_others is False


@pytest.mark.parametrize(
    "late",
    [
        pytest.param({"embedded_at": AFTER}, id="its chunk was blocked, and released later"),
        pytest.param({"chunk": 3}, id="its chunk came later, by a clock that is behind"),
        pytest.param({"weights_id": "b" * 64}, id="another model embedded it"),
    ],
)
def test_a_photo_that_came_after_the_fit_was_not_seen(training, late):
    rows = [embedding("a"), embedding("p", "plum"), embedding("q", "plum", **late)]
    found = training(*rows, photos=2, tested=["a"])
    assert (found.holds("p", label="plum"), found.holds("q", label="plum")) == (True, False)


def test_where_a_sample_was_taken_only_the_tested_labels_are_certain(training):
    rows = [embedding("a"), embedding("p", "plum"), embedding("q", "plum"), embedding("n", None)]
    found = training(*rows, photos=2, tested=["a"])
    assert found.holds("a", label="kiwi") is True
    assert found.holds("b", label="lime") is False
    assert found.holds("n", label=None) is False
    assert found.holds("p", label="plum") is None
    assert found.holds_others is None


def test_where_photos_left_the_lake_nobody_can_say_of_others(training):
    found = training(embedding("a"), embedding("b"), photos=2, tested=["a"], was_tested=2)
    assert found.holds("a", label="kiwi") is True
    assert found.holds("b", label="kiwi") is None
    assert found.holds_others is None
