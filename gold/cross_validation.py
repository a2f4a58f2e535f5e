"""How good a kind of classifier is on photos that it wasn't fitted on, with near duplicates on one side."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gold.classifiers import SEED, Floats, Indices, Vectors, checked, coded, fit, log_softmax

TEMPERATURES = (0.01, 100.0)
"""Between which the temperature is sought: with every held-out photo right there is no best one."""


@dataclass(frozen=True)
class Evaluation:
    """How a kind does on photos that it wasn't fitted on, all folds together.

    `confusion` is int64[labels, labels], true by predicted, and `macro_f1` the mean of the labels' F1.
    `baseline` is the accuracy of always saying the most frequent label of the other folds. Labels whose
    photos all fell into one fold can't be learned and tested at once: they are `untested`, took no part,
    and none of the numbers speaks of them.

    Of each of the `tested` photos, int64[tested]: its index `photos` in what was given, its `fold`, and the
    index of the label `predicted`; and float64[tested] the `confidence` in that one, at `temperature`.
    """

    labels: tuple[str, ...]
    untested: tuple[str, ...]
    photos: Indices
    fold: Indices
    predicted: Indices
    confidence: Floats
    accuracy: float
    macro_f1: float
    baseline: float
    confusion: Indices
    temperature: float

    @property
    def tested(self) -> int:
        """How many photos."""
        return len(self.photos)


def evaluate(
    vectors: Vectors,
    labels: Sequence[str],
    groups: Sequence[int] | Indices,
    *,
    kind: str,
    folds: int = 5,
) -> Evaluation:
    """Cross-validation on float[n, d]; photos of a group are always on one side. Deterministic.

    There are as many folds as the label with the most groups has groups, at most `folds`. The temperature
    is fitted on all held-out logits. Raises ValueError as `fit` does, and where fewer than two labels can
    be tested.
    """
    held = _Folds.of(vectors, labels, groups, folds=folds)
    logits = np.empty((len(held.codes), len(held.names)))
    baseline = 0
    for train, test in held:
        # Every tested label is in every training side, so columns are the same in all folds.
        fitted = fit(held.vectors[train], held.labels(train), kind=kind)
        logits[test] = fitted.logits(held.vectors[test])
        most_frequent = np.bincount(held.codes[train]).argmax()
        baseline += int((held.codes[test] == most_frequent).sum())
    predicted = logits.argmax(axis=1)
    confusion = np.zeros((len(held.names), len(held.names)), np.int64)
    np.add.at(confusion, (held.codes, predicted), 1)
    hits = np.diag(confusion)
    temperature = fitted_temperature(logits, held.codes)
    return Evaluation(
        labels=held.names,
        untested=held.untested,
        photos=held.photos,
        fold=held.fold,
        predicted=predicted,
        confidence=np.exp(log_softmax(logits / temperature)).max(axis=1),
        accuracy=float(hits.sum() / len(held.codes)),
        macro_f1=float(np.mean(2 * hits / (confusion.sum(axis=0) + confusion.sum(axis=1)))),
        baseline=baseline / len(held.codes),
        confusion=confusion,
        temperature=temperature,
    )


def nearest_neighbours(
    vectors: Vectors,
    labels: Sequence[str],
    groups: Sequence[int] | Indices,
    *,
    neighbours: int = 5,
    folds: int = 5,
) -> float:
    """The accuracy of the majority of the nearest by cosine, on the folds of `evaluate`: a reference.

    Raises ValueError as `evaluate` does.
    """
    from sklearn.neighbors import KNeighborsClassifier

    held = _Folds.of(vectors, labels, groups, folds=folds)
    hits = 0
    for train, test in held:
        model = KNeighborsClassifier(min(neighbours, int(train.sum())), metric="cosine")
        model.fit(held.vectors[train], held.codes[train])
        hits += int((model.predict(held.vectors[test]) == held.codes[test]).sum())
    return hits / len(held.codes)


def fitted_temperature(logits: Floats, codes: Indices) -> float:
    """By what to divide logits float64[n, labels] so that the true labels int64[n] are likeliest.

    Guo et al. 2017, "On calibration of modern neural networks". Never worse than 1.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        likelihoods = log_softmax(logits / np.exp(log_temperature))
        return -float(likelihoods[np.arange(len(codes)), codes].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x
    return float(np.exp(min(0.0, float(found), key=loss)))


@dataclass(frozen=True)
class _Folds:
    """The photos that are tested, a fold each; iterating gives (train, test) as masks."""

    names: tuple[str, ...]
    untested: tuple[str, ...]
    photos: Indices
    vectors: Floats
    codes: Indices
    fold: Indices

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        labels: Sequence[str],
        groups: Sequence[int] | Indices,
        *,
        folds: int,
    ) -> Self:
        """Raises ValueError."""
        x = checked(vectors, rows=len(labels))
        if len(groups) != len(labels):
            raise ValueError(f"{len(labels)} labels and {len(groups)} groups differ in number")
        names, codes = coded(labels)
        fold = _assigned(codes, np.asarray(groups, np.int64), folds=folds)
        spread = [len(np.unique(fold[codes == code])) for code in range(len(names))]
        is_tested = np.array(spread, int) > 1
        if is_tested.sum() < 2:
            raise ValueError(
                f"a held-out test takes two labels that each have photos in two groups, not {is_tested.sum()}"
            )
        kept = is_tested[codes]
        return cls(
            tuple(name for name, tested in zip(names, is_tested, strict=True) if tested),
            tuple(name for name, tested in zip(names, is_tested, strict=True) if not tested),
            np.flatnonzero(kept),
            x[kept],
            (np.cumsum(is_tested) - 1)[codes[kept]],
            fold[kept],
        )

    def labels(self, photos: NDArray[np.bool_]) -> list[str]:
        """The labels of those photos."""
        return [self.names[code] for code in self.codes[photos]]

    def __iter__(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        for number in np.unique(self.fold):
            yield self.fold != number, self.fold == number


def _assigned(codes: Indices, groups: Indices, *, folds: int) -> Indices:
    """int64[n]: the fold of each photo; every label's photos are spread as evenly as groups allow."""
    from sklearn.model_selection import StratifiedGroupKFold

    pairs = np.unique(np.stack([codes, groups]), axis=1)
    count = min(folds, int(np.bincount(pairs[0]).max(initial=0)))
    fold = np.zeros(len(codes), np.int64)
    if count < 2:
        return fold
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        # Labels with fewer photos than folds are expected here; which are untested is told.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, test) in enumerate(splitter.split(codes, codes, groups)):
            fold[test] = number
    return fold
