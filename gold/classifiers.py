"""Classifiers that predict the kind of fruit from vectors: embeddings or features.

A fitted classifier is plain NumPy. scikit-learn is loaded only where one is fitted, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gold.acceptance import Acceptance

Floats = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Layer = tuple[Floats, Floats]

SEED = 0


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier: `predict` turns vectors float[n, d] into a probability for each of `labels`.

    `mean` and `scale`, float64[d], standardise the vectors. Each of `layers` is (weights float64[in, out],
    bias float64[out]), with max(0, x) between two layers. The output of the last layer is divided by
    `temperature`. `acceptance` says which answers to rely on; None for classifiers of earlier code. Raises
    ValueError for fewer than two labels and for a temperature that isn't above 0.
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    layers: tuple[Layer, ...]
    temperature: float = 1.0
    acceptance: Acceptance | None = None

    def __post_init__(self) -> None:
        if len(self.labels) < 2:
            raise ValueError(f"a classifier needs at least two labels, not {len(self.labels)}")
        if not self.temperature > 0:
            raise ValueError(f"the temperature {self.temperature} is not above 0")

    def predict(self, vectors: Vectors) -> Floats:
        """Return the probabilities float64[n, labels] for vectors float[n, d]; each row adds up to 1.

        Raises ValueError as `logits` does.
        """
        return np.exp(log_softmax(self.logits(vectors) / self.temperature))

    def logits(self, vectors: Vectors) -> Floats:
        """Return the logits float64[n, labels] of vectors float[n, d], before the temperature is applied.

        Raises ValueError for another d, NaN or infinity.
        """
        values = (checked_vectors(vectors, dimensions=len(self.mean)) - self.mean) / self.scale
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self.layers[-1]
        return values @ weights + bias

    def parameters(self) -> bytes:
        """Return the classifier as the bytes of an .npz file without pickles.

        The same classifier always gives the same bytes.
        """
        arrays = {
            "labels": np.array(self.labels),
            "mean": self.mean,
            "scale": self.scale,
            "temperature": np.array(self.temperature),
        }
        for number, (weights, bias) in enumerate(self.layers):
            arrays |= {f"weights_{number}": weights, f"bias_{number}": bias}
        arrays |= self.acceptance.arrays() if self.acceptance else {}
        file = BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_parameters(cls, parameters: bytes) -> Self:
        """Return the classifier whose `parameters` these bytes are, equal to it bit for bit."""
        with np.load(BytesIO(parameters), allow_pickle=False) as arrays:
            count = sum(name.startswith("weights_") for name in arrays)
            return cls(
                tuple(arrays["labels"].tolist()),
                arrays["mean"],
                arrays["scale"],
                tuple((arrays[f"weights_{i}"], arrays[f"bias_{i}"]) for i in range(count)),
                float(arrays["temperature"]),
                Acceptance.from_arrays(arrays),
            )


def log_softmax(logits: Floats) -> Floats:
    """Return the log probabilities float64[n, labels] of logits float64[n, labels]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


def _linear_svm() -> Any:
    from sklearn.svm import LinearSVC

    # `crammer_singer` fits all labels in one problem. On the shop photos, one label against the rest took
    # four times as long and was right less often: 0.95 instead of 0.97 on 1,280 values, and 0.78 instead of
    # 0.88 on 20 components. The tolerance is liblinear's own for it: with scikit-learn's 0.0001, a fit took
    # 2.6 times as long and was right as often.
    return LinearSVC(C=0.1, tol=0.1, multi_class="crammer_singer", max_iter=5000, random_state=SEED)


KINDS: Mapping[str, Callable[[], Any]] = {
    "logistic_regression": _logistic_regression,
    "linear_svm": _linear_svm,
}
"""The kinds of classifiers that are fitted. The first one is the baseline.

A multilayer perceptron with one hidden layer took nine tenths of a training's time. On shop photos of another
day, it was right for 59 to 75 of 100, as the others were (59 to 75): lakes of earlier code have some.
"""


def pipeline(kind: str) -> Any:
    """Return scikit-learn's Pipeline of a StandardScaler and an unfitted classifier of that kind.

    Raises ValueError for an unknown kind.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind not in KINDS:
        raise ValueError(f"classifier `{kind}` is unknown; known: {', '.join(KINDS)}")
    return make_pipeline(StandardScaler(), KINDS[kind]())


def fit(
    vectors: Vectors, labels: Sequence[str], *, kind: str, temperature: float = 1.0
) -> Classifier:
    """Return a classifier of that kind, fitted on vectors float[n, d] with one label each.

    The same rows give the same classifier. Raises ValueError for vectors that aren't finite, for fewer than
    two labels, and for an unknown kind.
    """
    x = checked_vectors(vectors, rows=len(labels))
    names, codes = label_codes(labels)
    if len(names) < 2:
        raise ValueError(f"a classifier needs at least two labels, not {len(names)}")
    scaler, model = pipeline(kind).fit(x, codes)
    weights, bias = model.coef_.T, model.intercept_
    if len(names) == 2:
        # For two labels, scikit-learn has one column: the logit of the second label against 0.
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    return Classifier(names, scaler.mean_, scaler.scale_, ((weights, bias),), temperature)


def label_codes(labels: Sequence[str]) -> tuple[tuple[str, ...], Indices]:
    """Return the sorted label names, and for each photo the index of its label among them, int64[n]."""
    names = tuple(sorted(set(labels)))
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.fromiter((numbers[label] for label in labels), np.int64, len(labels))


def checked_vectors(
    vectors: Vectors, *, rows: int | None = None, dimensions: int | None = None
) -> Floats:
    """Return the vectors as float64[n, d].

    Raises ValueError where they are not `rows` x `dimensions`, and for NaN or infinity.
    """
    shape = np.shape(vectors)
    n, d = "n" if rows is None else rows, "d" if dimensions is None else dimensions
    if len(shape) != 2 or rows not in (None, shape[0]) or dimensions not in (None, shape[1]):
        raise ValueError(f"vectors must be float[{n}, {d}], not {list(shape)}")
    values = np.asarray(vectors, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("vectors must be finite: some hold NaN or infinity")
    return values
