"""What it means for a test that its scenes are guessed: the accuracy is a range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gold.classifiers import Vectors
from gold.confidence_intervals import interval
from gold.cross_validation import TooFewTested, evaluate
from gold.near_duplicates import Indices
from gold.training_examples import Examples


def widened(
    metrics: Mapping[str, float], vectors: Vectors, examples: Examples, *, kind: str, folds: int
) -> dict[str, float]:
    """Return the bounds of the accuracy of a kind of classifier, `accuracy_low` and `accuracy_high`, also for
    coarser and for finer scenes than those that its `metrics` come from.

    The lower one is 0 where the coarser scenes leave too few kinds to test, and where the test flatters: it
    says nothing then of photos of another visit. Where no scene was guessed, the bounds stay as they are.
    """
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    if examples.grouping.is_flattering:
        low = 0.0
    for scenes in _other_scenes(examples):
        try:
            tested = evaluate(vectors, examples.labels, scenes, kind=kind, folds=folds)
        except TooFewTested:
            low = 0.0
        else:
            bounds = interval(tested.is_right, scenes[tested.photos])
            low, high = min(low, bounds[0]), max(high, bounds[1])
    return {"accuracy_low": low, "accuracy_high": high}


def _other_scenes(examples: Examples) -> Iterator[Indices]:
    """Yield the coarser and the finer scenes of a training, where they differ from its own."""
    grouping = examples.grouping
    for scenes in (grouping.coarser, grouping.finer):
        if not np.array_equal(scenes, grouping.numbers):
            yield scenes
