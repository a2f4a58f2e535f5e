"""Cross-validation: how good a kind of classifier is on photos that it wasn't fitted on.

Near duplicates are never split between the photos that are fitted and those that are tested.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gold.calibration import (
    cross_fitted_confidence,
    expected_calibration_error,
    fitted_temperature,
)
from gold.classifiers import (
    SEED,
    Floats,
    Indices,
    Vectors,
    checked_vectors,
    fit,
    label_codes,
)
from lake.cpu_cores import cores

CORES = min(4, cores())
"""The most fits of one test at once. Each is a process with a copy of its photos' vectors."""

FIT_MEMORY = 1 << 30
"""The bytes that the fits of one test may take at once, beside the first."""

COPIES = 4
"""About how many times a fit has its vectors in memory: as they came, scaled, and as liblinear holds them."""

LONG_FIT = 2e6
"""The product of photos, dimensions and labels from which on fits are longer than the start of a process,
which takes two seconds."""


class TooFewTested(ValueError):
    """Fewer than two labels can be tested. `tested` are these, and `untested` the others."""

    def __init__(self, tested: Sequence[str], untested: Sequence[str]) -> None:
        super().__init__(
            f"a held-out test needs two labels that each have photos in two groups, not {len(tested)}"
        )
        self.tested, self.untested = tuple(tested), tuple(untested)


@dataclass(frozen=True)
class Evaluation:
    """The results of a kind of classifier on photos that it wasn't fitted on, over all folds.

    `confusion` is int64[labels, labels], with a row for each true label and a column for each predicted
    one. `baseline` is the accuracy of always predicting the most frequent label of the other folds. Labels
    whose photos all fell into one fold can't be both learned and tested: they are `untested`. They are
    learned in each fold, so other photos may be taken for them; their own rows of `confusion` are zeros.
    `macro_f1` is the mean of the tested labels' F1.

    The arrays have one value for each of the `tested` photos: `photos` (int64) is its index among the
    photos that were given, `fold` (int64) its fold, `predicted` (int64) the index of the predicted label,
    `is_right` (bool) whether that is the true one, and `confidence` (float64) the probability of that label,
    at a temperature that was fitted on the other folds. `calibration_error` is the expected calibration error
    of these confidences.
    """

    labels: tuple[str, ...]
    untested: tuple[str, ...]
    photos: Indices
    fold: Indices
    predicted: Indices
    is_right: NDArray[np.bool_]
    confidence: Floats
    accuracy: float
    macro_f1: float
    baseline: float
    confusion: Indices
    temperature: float
    calibration_error: float

    @property
    def tested(self) -> int:
        """The number of photos that were tested."""
        return len(self.photos)


def evaluate(
    vectors: Vectors,
    labels: Sequence[str],
    groups: Sequence[int] | Indices,
    *,
    kind: str,
    folds: int = 5,
) -> Evaluation:
    """Cross-validate a kind of classifier on vectors float[n, d] with a label and a group each.

    Photos of one group are never split between training and test. There are as many folds as groups, or
    as the label with the most photos has photos, but at most `folds`. The temperature is fitted on all
    held-out logits. The result is deterministic. Raises ValueError as `fit` does, and TooFewTested where
    fewer than two labels can be tested.
    """
    data = _Folds.of(vectors, labels, groups, folds=folds)
    photos = np.flatnonzero(data.is_tested)
    logits = _held_out_logits(data, kind=kind)[photos]
    codes, fold = data.codes[photos], data.fold[photos]
    baseline = 0
    for train, test in data:
        most_frequent = np.bincount(data.codes[train]).argmax()
        baseline += int((data.codes[test] == most_frequent).sum())
    predicted = logits.argmax(axis=1)
    confusion = np.zeros((len(data.names), len(data.names)), np.int64)
    np.add.at(confusion, (codes, predicted), 1)
    hits, tested = np.diag(confusion), np.unique(codes)
    f1 = 2 * hits[tested] / (confusion.sum(axis=0) + confusion.sum(axis=1))[tested]
    is_right = predicted == codes
    confidence = cross_fitted_confidence(logits, codes, fold)
    return Evaluation(
        labels=data.names,
        untested=data.untested,
        photos=photos,
        fold=fold,
        predicted=predicted,
        is_right=is_right,
        confidence=confidence,
        accuracy=float(hits.sum() / len(codes)),
        macro_f1=float(np.mean(f1)),
        baseline=baseline / len(codes),
        confusion=confusion,
        temperature=fitted_temperature(logits, codes),
        calibration_error=expected_calibration_error(confidence, is_right),
    )


def _held_out_logits(data: _Folds, *, kind: str) -> Floats:
    """Return the logits float64[n, labels] of photos, each by a fit of the other folds.

    A label that wasn't learned there has minus infinity, which is no probability. Photos that aren't tested
    have no other value.
    """
    from joblib import Parallel, delayed

    # Processes and no threads: liblinear draws from one random generator for all threads. Their memory holds
    # the vectors, and no file does.
    is_long = data.vectors.size * len(data.names) > LONG_FIT
    at_once = max(1, min(CORES, FIT_MEMORY // (COPIES * data.vectors.nbytes))) if is_long else 1
    jobs = Parallel(n_jobs=at_once, max_nbytes=None, pre_dispatch="n_jobs")
    fits = jobs(
        delayed(_fitted_and_asked)(
            data.vectors[train], data.labels(train), data.vectors[test], kind
        )
        for train, test in data
    )
    logits = np.full((len(data.codes), len(data.names)), -np.inf)
    for (_, test), (labels, found, warned) in zip(data, fits, strict=True):
        logits[np.ix_(test, np.searchsorted(data.names, labels))] = found
        for each in warned:
            warnings.warn(each, stacklevel=1)
    return logits


def _fitted_and_asked(
    vectors: Floats, labels: Sequence[str], asked: Floats, kind: str
) -> tuple[tuple[str, ...], Floats, list[Warning]]:
    """Fit a classifier on vectors, and return its labels, the logits of other vectors, and the warnings of
    the fit, which another process doesn't hear."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(vectors, labels, kind=kind)
    heard = [each.message for each in caught if isinstance(each.message, Warning)]
    return fitted.labels, fitted.logits(asked), heard


def nearest_neighbours(
    vectors: Vectors,
    labels: Sequence[str],
    groups: Sequence[int] | Indices,
    *,
    neighbours: int = 5,
    folds: int = 5,
) -> float:
    """Return the accuracy of the k nearest neighbours by cosine, on the folds of `evaluate`.

    It serves as a reference for the classifiers. Raises ValueError as `evaluate` does.
    """
    from sklearn.neighbors import KNeighborsClassifier

    data = _Folds.of(vectors, labels, groups, folds=folds)
    hits = 0
    for train, test in data:
        model = KNeighborsClassifier(min(neighbours, int(train.sum())), metric="cosine")
        model.fit(data.vectors[train], data.codes[train])
        hits += int((model.predict(data.vectors[test]) == data.codes[test]).sum())
    return hits / int(data.is_tested.sum())


@dataclass(frozen=True)
class _Folds:
    """Photos, each with its fold. Iteration yields those to learn and those to test as boolean masks.

    `names` are all labels, `untested` those that can't be tested. For each photo, `codes` is the index of its
    label in `names`, and `is_tested` says whether that is a tested one.
    """

    names: tuple[str, ...]
    untested: tuple[str, ...]
    vectors: Floats
    codes: Indices
    groups: Indices
    fold: Indices
    is_tested: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        labels: Sequence[str],
        groups: Sequence[int] | Indices,
        *,
        folds: int,
    ) -> Self:
        """Assign photos to at most `folds` folds.

        Raises ValueError where the arguments differ in length and for vectors that aren't finite, and
        TooFewTested where fewer than two labels can be tested.
        """
        x = checked_vectors(vectors, rows=len(labels))
        if len(groups) != len(labels):
            raise ValueError(f"{len(labels)} labels and {len(groups)} groups differ in number")
        names, codes = label_codes(labels)
        numbers = np.asarray(groups, np.int64)
        fold = _assigned(codes, numbers, folds=folds)
        spread = [len(np.unique(fold[codes == code])) for code in range(len(names))]
        can_be_tested = np.array(spread, int) > 1
        tested = tuple(name for name, can in zip(names, can_be_tested, strict=True) if can)
        untested = tuple(name for name, can in zip(names, can_be_tested, strict=True) if not can)
        if len(tested) < 2:
            raise TooFewTested(tested, untested)
        return cls(names, untested, x, codes, numbers, fold, can_be_tested[codes])

    def labels(self, photos: NDArray[np.bool_]) -> list[str]:
        """Return the labels of the photos that a boolean mask selects."""
        return [self.names[code] for code in self.codes[photos]]

    def __iter__(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        for number in np.unique(self.fold[self.is_tested]):
            test = self.is_tested & (self.fold == number)
            # Photos of untested labels are learned in each fold, as they are in life, but for those of a
            # group that is tested.
            is_other = ~self.is_tested & ~np.isin(self.groups, self.groups[test])
            yield (self.fold != number) | is_other, test


def _assigned(codes: Indices, groups: Indices, *, folds: int) -> Indices:
    """Return the fold of each photo, int64[n].

    Every label's photos are spread over the folds as evenly as the groups allow.
    """
    return _split(codes.tobytes(), groups.tobytes(), folds)


@lru_cache(maxsize=4)
def _split(codes_bytes: bytes, groups_bytes: bytes, folds: int) -> Indices:
    """Return the folds of `_assigned`, not to be written to. A training asks for the same ones for each
    algorithm and input, and they take a second for 2,640 photos of 81 labels."""
    from sklearn.model_selection import StratifiedGroupKFold

    codes, groups = np.frombuffer(codes_bytes, np.int64), np.frombuffer(groups_bytes, np.int64)
    most_photos = int(np.bincount(codes, minlength=1).max())
    count = min(folds, len(np.unique(groups)), most_photos)
    fold = np.zeros(len(codes), np.int64)
    if count > 1:
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
        with warnings.catch_warnings():
            # Labels with fewer photos than folds are expected here; `Evaluation.untested` lists them.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            for number, (_, test) in enumerate(splitter.split(codes, codes, groups)):
                fold[test] = number
    fold.flags.writeable = False
    return fold
