"""How many numbers of a stored model are not finite."""

import numpy as np
import pytest

from gold.classifiers import Classifier
from lake import catalog, finite_numbers

NAN, INFINITE = float("nan"), float("inf")
ONE = np.array([1.0, NAN, 2.0]).tobytes()


def model(**columns):
    return dict.fromkeys(catalog.MODELS.column_names) | columns


def parameters(*, weight=1.0):
    layers = ((np.array([[weight, 0.0]]), np.zeros(2)),)
    return Classifier(("kiwi", "lime"), np.zeros(1), np.ones(1), layers).parameters()


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        ({}, 0),
        ({"mean": np.ones(3).tobytes(), "scree": [0.5, 0.5], "variance": 2.0}, 0),
        ({"reference": '{"residual": 1.0}', "parameters": parameters()}, 0),
        ({"parameters": b"weights"}, 1),
        ({"parameters": parameters()[:-30]}, 1),
        ({"reference": '{"residual": 1e999, "edges": [-1e999]}'}, 2),
        ({"mean": ONE}, 1),
        ({"scale": ONE, "basis": ONE}, 2),
        ({"basis": np.full(4, -INFINITE).tobytes()}, 4),
        ({"scree": [NAN, 0.5]}, 1),
        ({"principal_angles": [0.0, NAN]}, 1),
        ({"explained_variance": NAN, "variance": INFINITE, "drift": NAN}, 3),
        ({"reference": '{"residual": NaN, "edges": [Infinity, -Infinity, 0.0]}'}, 3),
        ({"reference": "no JSON"}, 1),
        ({"parameters": parameters(weight=NAN)}, 1),
        ({"mean": ONE[:20]}, 1),  # two values and a half
    ],
)
def test_numbers_of_a_model(columns, count):
    assert finite_numbers.of_model(model(**columns)) == count
