"""Held-out figures of classifiers on data whose answers are known, without Spark."""

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import confusion_matrix, f1_score

from gold import cross_validation
from gold.calibration import fitted_temperature
from gold.classifiers import KINDS, fit
from gold.cross_validation import evaluate, nearest_neighbours
from tests.support.class_clouds import blobs

REFERENCES = {
    **{
        kind: lambda *data, kind=kind, **options: evaluate(*data, kind=kind, **options).accuracy
        for kind in KINDS
    },
    "nearest_neighbours": nearest_neighbours,
}


def alone(labels):
    """Every photo a group of its own."""
    return np.arange(len(labels))


def copies(groups=24, times=10, kinds=4, d=60):
    """Noise that says nothing of its label, each photo several times: (vectors, labels, groups)."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(groups), times)
    x = rng.normal(size=(groups, d))[group] + 1e-3 * rng.normal(size=(groups * times, d))
    return x, [f"kind {number % kinds}" for number in group], group


@pytest.mark.parametrize("accuracy", REFERENCES.values(), ids=REFERENCES)
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)  # noise has no good plane
def test_copies_of_a_photo_never_stand_on_both_sides(accuracy):
    x, labels, groups = copies()
    assert accuracy(x, labels, alone(labels)) == 1
    assert accuracy(x, labels, groups) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_those_of_the_confusion(kind):
    x, labels = blobs(spread=6.0)
    found = evaluate(x, labels, alone(labels), kind=kind)
    true, said = np.nonzero(found.confusion)
    times = found.confusion[true, said]
    true, said = true.repeat(times), said.repeat(times)
    assert found.confusion.sum() == found.tested == 200
    assert found.confusion.sum(axis=1).tolist() == [labels.count(name) for name in found.labels]
    assert 0.5 < found.accuracy == np.mean(true == said) < 1
    assert found.macro_f1 == pytest.approx(f1_score(true, said, average="macro"))
    assert (confusion_matrix(true, said) == found.confusion).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_photo_held_out_is_told_with_what_was_said_of_it(kind):
    x, labels = blobs(spread=6.0)
    labels[7] = "a kind with one photo"
    found = evaluate(x, labels, alone(labels), kind=kind)
    assert found.photos.tolist() == [n for n in range(200) if n != 7]
    assert np.bincount(found.fold).tolist() == pytest.approx([40] * 5, abs=2)
    right = [
        labels[p] == found.labels[s] for p, s in zip(found.photos, found.predicted, strict=True)
    ]
    assert np.mean(right) == found.accuracy
    assert found.confidence.mean() == pytest.approx(found.accuracy, abs=0.1)  # calibrated
    assert (found.confidence > 1 / len(found.labels)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_photos_give_the_same_figures(kind):
    x, labels = blobs(n=80)
    first, again = (
        dataclasses.asdict(evaluate(x, labels, alone(labels), kind=kind)) for _ in range(2)
    )
    np.testing.assert_equal(first, again)


@pytest.mark.parametrize("kind", KINDS)
def test_fits_of_several_processes_give_the_same_figures(kind, monkeypatch):
    x, labels = blobs(n=80)
    alone_fitted = evaluate(x, labels, alone(labels), kind=kind)
    monkeypatch.setattr(cross_validation, "LONG_FIT", 0)
    monkeypatch.setattr(cross_validation, "CORES", 2)
    found = evaluate(x, labels, alone(labels), kind=kind)
    np.testing.assert_allclose(found.confidence, alone_fitted.confidence, atol=1e-6)
    assert (found.confusion == alone_fitted.confusion).all()


def test_the_baseline_says_the_most_frequent_label():
    x = np.random.default_rng(4).normal(size=(100, 3))
    labels = ["kiwi"] * 70 + ["lime"] * 20 + ["plum"] * 10
    assert evaluate(x, labels, alone(labels), kind="logistic_regression").baseline == 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_two_labels_are_enough(kind):
    x, labels = blobs(kinds=2, spread=1.0)
    found = evaluate(x, labels, alone(labels), kind=kind)
    assert found.accuracy == 1
    assert found.confusion.tolist() == [[100, 0], [0, 100]]


def test_labels_that_can_not_be_learned_and_tested_at_once_are_named():
    x, labels = blobs(kinds=3, n=90, spread=1.0)
    groups = alone(labels)
    labels[0], labels[1], labels[2], groups[2] = "alone", "one group", "one group", 1
    found = evaluate(x, labels, groups, kind="logistic_regression")
    assert found.untested == ("alone", "one group")
    assert found.labels == ("alone", "kind 0", "kind 1", "kind 2", "one group")
    assert found.confusion.sum(axis=1).astype(bool).tolist() == [False, True, True, True, False]
    assert found.tested == 87


@pytest.mark.parametrize("kind", KINDS)
def test_photos_may_be_taken_for_a_label_that_can_not_be_tested(kind):
    """In life, the classifier knows that label, too. Here it is `kind 0` in truth."""
    x, labels = blobs(kinds=3, n=90, spread=1.0)
    groups = alone(labels)
    twins = [i for i, label in enumerate(labels) if label == "kind 0"][:25]
    for i in twins:
        labels[i], groups[i] = "one group", twins[0]
    found = evaluate(x, labels, groups, kind=kind)
    assert found.untested == ("one group",)
    taken = found.confusion[found.labels.index("kind 0"), found.labels.index("one group")]
    assert taken > 0
    assert found.accuracy == 1 - taken / found.tested < 1
    assert np.isfinite(found.confidence).all()


def test_a_label_that_can_not_be_tested_is_not_learned_from_a_group_that_is_tested():
    """Its photos show what is behind a tested one, so they would draw it to themselves."""
    x, labels = blobs(kinds=2, n=40, spread=1.0)
    groups = alone(labels)
    x, labels = np.vstack([x, *[x[:1]] * 9]), [*labels, *["behind"] * 9]
    apart = evaluate(x, labels, [*groups, *[40] * 9], kind="linear_svm")
    together = evaluate(x, labels, [*groups, *[0] * 9], kind="linear_svm")
    assert apart.untested == together.untested == ("behind",)
    assert apart.labels[apart.predicted[0]] == "behind"
    assert together.labels[together.predicted[0]] == labels[0]


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_several_labels_leave_every_tested_label_in_every_training_side(seed):
    rng = np.random.default_rng(seed)
    x, groups = rng.normal(size=(30, 4)), rng.integers(0, 6, 30)
    labels = rng.choice(["a", "b", "c", "d"], 30, p=[0.6, 0.3, 0.05, 0.05]).tolist()
    found = evaluate(x, labels, groups, kind="logistic_regression")
    assert {*found.labels} == {*labels}
    assert found.tested == sum(label not in found.untested for label in labels)


@pytest.mark.parametrize("seed", range(5))
def test_kinds_that_share_a_visit_are_tested(seed):
    """Two kinds on one day, and each alone on another one: two folds would split the days of one kind."""
    x, _ = blobs(kinds=2, n=40, spread=1.0)
    rng = np.random.default_rng(seed)
    labels = ["apple", "pear"] * 10 + ["apple"] * 10 + ["pear"] * 10
    groups = [0] * 20 + [1] * 10 + [2] * 10
    order = rng.permutation(40)
    of = [np.array(each, object)[order].tolist() for each in (labels, groups)]
    found = evaluate(x[order], *of, kind="logistic_regression")
    assert (found.untested, found.tested) == ((), 40)


def test_the_warnings_of_fits_are_brought_with_their_logits(monkeypatch):
    """Python's warnings of another process would be lost."""

    def fitted(*data, **options):
        warnings.warn("it stopped early", ConvergenceWarning, stacklevel=1)
        return fit(*data, **options)

    monkeypatch.setattr(cross_validation, "fit", fitted)
    x, labels = blobs(n=40, kinds=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        *_, [heard] = cross_validation._fitted_and_asked(x, labels, x, "linear_svm")
    assert isinstance(heard, ConvergenceWarning)
    with pytest.warns(ConvergenceWarning, match="it stopped early"):
        evaluate(x, labels, alone(labels), kind="linear_svm")


def test_fits_that_would_take_too_much_memory_go_one_after_another(monkeypatch):
    monkeypatch.setattr(cross_validation, "LONG_FIT", 0)
    monkeypatch.setattr(cross_validation, "CORES", 2)
    x, labels = blobs(n=80)
    monkeypatch.setattr(cross_validation, "FIT_MEMORY", cross_validation.COPIES * x.size * 8 - 1)
    began = []
    fitted = cross_validation.fit
    monkeypatch.setattr(
        cross_validation, "fit", lambda *some, **more: began.append(1) or fitted(*some, **more)
    )
    evaluate(x, labels, alone(labels), kind="linear_svm")
    assert len(began) == 5  # in this process


def test_small_labels_take_part_beside_large_ones():
    x, labels = blobs(kinds=3, n=60, spread=0.5)
    few = [labels.index("kind 0"), labels.index("kind 0", labels.index("kind 0") + 1)]
    kept = [i for i, label in enumerate(labels) if label != "kind 0" or i in few]
    labels = [labels[i] for i in kept]
    found = evaluate(x[kept], labels, alone(labels), kind="logistic_regression")
    assert (found.untested, found.accuracy) == ((), 1)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([], []),
        (["a"] * 6, range(6)),
        (["a", "a", "b", "b"], [0, 0, 1, 1]),
        (["a", "b", "c", "d"], range(4)),
        (["a", "a", "a", "b"], range(4)),
    ],
    ids=["nothing", "one label", "a group a label", "a photo a label", "one label to be tested"],
)
def test_too_little_is_refused(labels, groups):
    x = np.arange(2.0 * len(labels)).reshape(-1, 2)
    for accuracy in REFERENCES.values():
        with pytest.raises(ValueError, match="needs two labels that each have photos in two"):
            accuracy(x, labels, list(groups))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y, g: (np.full_like(x, np.nan), y, g), "finite"),
        (lambda x, y, g: (x[0], y, g), "must be float"),
        (lambda x, y, g: (x, y[1:], g), r"float\[199, d\]"),
        (lambda x, y, g: (x, y, g[1:]), "200 labels and 199 groups"),
    ],
    ids=["NaN", "one vector", "a label too few", "a group too few"],
)
def test_what_does_not_fit_together_is_refused(change, message):
    x, labels = blobs()
    for accuracy in REFERENCES.values():
        with pytest.raises(ValueError, match=message):
            accuracy(*change(x, labels, alone(labels)))


@pytest.mark.parametrize("factor", [0.02, 0.3, 1, 5, 40])
def test_the_temperature_undoes_what_logits_are_too_sure_by(factor):
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(4000, 3)) * 2
    truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert fitted_temperature(logits * factor, truth) == pytest.approx(factor, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_never_makes_the_truth_less_likely(seed):
    rng = np.random.default_rng(seed)
    logits, truth = rng.normal(size=(20, 4)) * 3, rng.integers(0, 4, 20)

    def likelihood(temperature):
        odds = np.exp(logits / temperature)
        return np.log(odds[np.arange(20), truth] / odds.sum(axis=1)).sum()

    assert likelihood(fitted_temperature(logits, truth)) >= likelihood(1)


@pytest.mark.parametrize("right", [True, False])
def test_the_temperature_stays_within_bounds_where_nothing_is_best(right):
    logits = np.eye(3) * 5
    truth = np.arange(3) if right else np.array([1, 2, 0])
    assert 0.01 <= fitted_temperature(logits, truth) <= 100
