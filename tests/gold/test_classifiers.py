"""Classifiers against scikit-learn's own pipelines, without Spark."""

import numpy as np
import pytest

from gold.classifiers import KINDS, Classifier, fit, pipeline
from tests.support.class_clouds import blobs


def theirs(kind, x, labels):
    return pipeline(kind).fit(x.astype(np.float64), labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kinds", [2, 5])
def test_it_says_what_scikit_learn_says(kind, kinds):
    x, labels = blobs(kinds, spread=8.0)
    ours, other = fit(x[:100], labels[:100], kind=kind), theirs(kind, x[:100], labels[:100])
    assert ours.labels == tuple(other.classes_)
    said = [ours.labels[n] for n in ours.predict(x).argmax(axis=1)]
    assert said == other.predict(x.astype(np.float64)).tolist()
    assert said != labels


@pytest.mark.parametrize("kinds", [2, 5])
def test_probabilities_are_scikit_learns(kinds):
    x, labels = blobs(kinds)
    np.testing.assert_allclose(
        fit(x, labels, kind="logistic_regression").predict(x),
        theirs("logistic_regression", x, labels).predict_proba(x.astype(np.float64)),
        rtol=1e-7,
        atol=1e-12,
    )


@pytest.mark.parametrize("kinds", [2, 5])
def test_logits_of_the_svm_are_its_decision_values(kinds):
    x, labels = blobs(kinds)
    logits = fit(x, labels, kind="linear_svm").logits(x)
    decisions = theirs("linear_svm", x, labels).decision_function(x.astype(np.float64))
    ours = logits[:, 1] - logits[:, 0] if kinds == 2 else logits
    np.testing.assert_allclose(ours, decisions, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_the_same_photos_give_the_same_classifier(kind):
    x, labels = blobs()
    first, again = (fit(x, labels, kind=kind).parameters() for _ in range(2))
    assert first == again


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_survive_the_round_trip_bit_for_bit(kind):
    x, labels = blobs()
    held = fit(x, labels, kind=kind, temperature=0.7)
    back = Classifier.from_parameters(held.parameters())
    assert (back.labels, back.temperature) == (held.labels, 0.7)
    assert len(back.layers) == len(held.layers)
    assert back.predict(x).tobytes() == held.predict(x).tobytes()
    assert back.parameters() == held.parameters()


def test_a_classifier_of_two_layers_is_read_and_used():
    """Earlier code fitted multilayer perceptrons, and lakes have some."""
    first = (np.array([[1.0, -1.0]]), np.array([0.0, -1.0]))
    last = (np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
    held = Classifier(("a", "b"), np.zeros(1), np.ones(1), (first, last))
    back = Classifier.from_parameters(held.parameters())
    assert back.logits(np.array([[2.0], [-2.0]])).tolist() == [[4.5, 0.0], [0.5, 3.0]]


def test_a_temperature_makes_it_less_sure_and_changes_no_answer():
    x, labels = blobs()
    sure, less = (
        fit(x, labels, kind="logistic_regression", temperature=t).predict(x) for t in (1, 3)
    )
    assert (sure.argmax(axis=1) == less.argmax(axis=1)).all()
    assert less.max(axis=1).mean() < sure.max(axis=1).mean() - 0.01
    np.testing.assert_allclose(less.sum(axis=1), 1)


def test_logits_of_any_size_give_probabilities():
    plain = Classifier(("a", "b"), np.zeros(1), np.ones(1), ((np.array([[0.0, 1]]), np.zeros(2)),))
    assert plain.predict(np.array([[1e5], [-1e5]])).tolist() == [[0, 1], [1, 0]]


def test_a_constant_column_does_no_harm():
    x, labels = blobs()
    x[:, 3] = 7
    assert np.isfinite(fit(x, labels, kind="logistic_regression").predict(x)).all()


def test_no_vector_gets_no_probability():
    x, labels = blobs()
    assert fit(x, labels, kind="linear_svm").predict(x[:0]).shape == (0, 5)


def spoiled(x, value):
    return np.where(np.arange(x.size).reshape(x.shape) == 5, value, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: spoiled(x, np.nan), "finite"),
        (lambda x: spoiled(x, np.inf), "finite"),
        (lambda x: x[0], r"not \[12\]"),
        (lambda x: x[:, :7], r"not \[200, 7\]"),
    ],
    ids=["NaN", "infinity", "one vector", "another dimension"],
)
def test_vectors_that_do_not_fit_are_refused(change, message):
    x, labels = blobs()
    held = fit(x, labels, kind="logistic_regression")
    with pytest.raises(ValueError, match=message):
        held.predict(change(x))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda x, y: (spoiled(x, np.nan), y), {}, "finite"),
        (lambda x, y: (x[1:], y), {}, r"float\[200, d\], not \[199, 12\]"),
        (lambda x, y: (x, ["kiwi"] * 200), {}, "two labels, not 1"),
        (lambda x, y: (x[:0], []), {}, "two labels, not 0"),
        (
            lambda x, y: (x, y),
            {"kind": "forest"},
            "`forest` is unknown; known: logistic_regression",
        ),
        (lambda x, y: (x, y), {"temperature": 0}, "not above 0"),
    ],
    ids=["NaN", "a label too many", "one label", "nothing", "unknown kind", "no temperature"],
)
def test_what_can_not_be_fitted_is_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        fit(*change(*blobs()), **{"kind": "logistic_regression", **options})
