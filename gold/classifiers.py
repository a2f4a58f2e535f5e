"""Classifiers of the kinds of fruit on vectors: embeddings or features.

A fitted one is plain NumPy: scikit-learn is loaded where something is fitted, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Layer = tuple[Floats, Floats]

SEED = 0


@dataclass(frozen=True)
class Classifier:
    """`predict` takes vectors float[n, d] to a probability for each of `labels`.

    `mean` and `scale` are float64[d]; each of `layers` is (weights float64[in, out], bias float64[out]),
    with max(0, x) between two layers; the last one's output is divided by `temperature`.
    Raises ValueError below two labels, and for a temperature that isn't above 0.
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    layers: tuple[Layer, ...]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if len(self.labels) < 2:
            raise ValueError(f"a classifier takes two labels, not {len(self.labels)}")
        if not self.temperature > 0:
            raise ValueError(f"a temperature of {self.temperature} is not above 0")

    def predict(self, vectors: Vectors) -> Floats:
        """float[n, d] to float64[n, labels], each row adding up to 1. Raises ValueError as `logits` does."""
        return np.exp(log_softmax(self.logits(vectors) / self.temperature))

    def logits(self, vectors: Vectors) -> Floats:
        """float64[n, labels], before the temperature. Raises ValueError for another d, NaN or infinity."""
        values = (checked(vectors, dimensions=len(self.mean)) - self.mean) / self.scale
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = self.layers[-1]
        return values @ weights + bias

    def parameters(self) -> bytes:
        """Everything above as one .npz, without pickles: the same bytes for the same classifier."""
        arrays = {
            "labels": np.array(self.labels),
            "mean": self.mean,
            "scale": self.scale,
            "temperature": np.array(self.temperature),
        }
        for number, (weights, bias) in enumerate(self.layers):
            arrays |= {f"weights_{number}": weights, f"bias_{number}": bias}
        into = BytesIO()
        np.savez(into, allow_pickle=False, **arrays)
        return into.getvalue()

    @classmethod
    def from_parameters(cls, parameters: bytes) -> Self:
        """What `parameters` gave, bit for bit."""
        with np.load(BytesIO(parameters), allow_pickle=False) as held:
            count = sum(name.startswith("weights_") for name in held)
            return cls(
                tuple(held["labels"].tolist()),
                held["mean"],
                held["scale"],
                tuple((held[f"weights_{i}"], held[f"bias_{i}"]) for i in range(count)),
                float(held["temperature"]),
            )


def log_softmax(logits: Floats) -> Floats:
    """Log probabilities float64[n, labels]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


def _linear_svm() -> Any:
    from sklearn.svm import LinearSVC

    # All labels in one problem. On the shop photos, one against the rest took four times as long and was
    # right less often: 0.95 for 0.97 on 1,280 values, 0.78 for 0.88 on 20 components.
    return LinearSVC(C=0.1, multi_class="crammer_singer", max_iter=5000, random_state=SEED)


def _mlp() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (128,), alpha=0.1, learning_rate_init=0.003, max_iter=1000, random_state=SEED
    )


KINDS: Mapping[str, Callable[[], Any]] = {
    "logistic_regression": _logistic_regression,
    "linear_svm": _linear_svm,
    "mlp": _mlp,
}
"""What can be fitted: the baseline first; the MLP has one hidden layer."""


def pipeline(kind: str) -> Any:
    """scikit-learn's Pipeline of that kind behind a StandardScaler. Raises ValueError for another kind."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind not in KINDS:
        raise ValueError(f"classifier `{kind}` is unknown; known: {', '.join(KINDS)}")
    return make_pipeline(StandardScaler(), KINDS[kind]())


def fit(
    vectors: Vectors, labels: Sequence[str], *, kind: str, temperature: float = 1.0
) -> Classifier:
    """A classifier of that kind, fitted on float[n, d] and a label each. The same rows give the same one.

    Raises ValueError for vectors that aren't finite, below two labels, and for an unknown kind.
    """
    x = checked(vectors, rows=len(labels))
    names, codes = coded(labels)
    if len(names) < 2:
        raise ValueError(f"a classifier takes two labels, not {len(names)}")
    scaler, model = pipeline(kind).fit(x, codes)
    if hasattr(model, "coefs_"):
        layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    else:
        layers = [(model.coef_.T, model.intercept_)]
    if len(names) == 2:
        # scikit-learn has one column for two labels, the second label's logit against 0.
        weights, bias = layers.pop()
        layers.append((np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)))
    return Classifier(names, scaler.mean_, scaler.scale_, tuple(layers), temperature)


def coded(labels: Sequence[str]) -> tuple[tuple[str, ...], Indices]:
    """The labels in order, and the number of each photo's."""
    names = tuple(sorted(set(labels)))
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.fromiter((numbers[label] for label in labels), np.int64, len(labels))


def checked(vectors: Vectors, *, rows: int | None = None, dimensions: int | None = None) -> Floats:
    """As float64. Raises ValueError for another shape, NaN or infinity."""
    shape = np.shape(vectors)
    n, d = "n" if rows is None else rows, "d" if dimensions is None else dimensions
    if len(shape) != 2 or rows not in (None, shape[0]) or dimensions not in (None, shape[1]):
        raise ValueError(f"vectors must be float[{n}, {d}], not {list(shape)}")
    values = np.asarray(vectors, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("vectors must be finite: some hold NaN or infinity")
    return values
