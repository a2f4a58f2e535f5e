"""What it means for a test that its scenes are guessed: the accuracy is a range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gold.classifiers import Vectors
from gold.confidence_intervals import interval
from gold.cross_validation import TooFewTested, evaluate
from gold.near_duplicates import Indices
from gold.training_examples import Examples


def widened(
    bounds: tuple[float, float], vectors: Vectors, examples: Examples, *, kind: str, folds: int
) -> tuple[float, float]:
    """Return the bounds of the accuracy of a kind of classifier also for coarser and for finer scenes than
    those that these bounds come from.

    The lower one is 0 where the coarser scenes leave too few kinds to test, and where the test flatters: it
    says nothing then of photos of another visit. Where no scene was guessed, the bounds stay as they are.
    """
    low, high = bounds
    if examples.grouping.is_flattering:
        low = 0.0
    for scenes in _other_scenes(examples):
        try:
            tested = evaluate(vectors, examples.labels, scenes, kind=kind, folds=folds)
        except TooFewTested:
            low = 0.0
        else:
            others = interval(tested.is_right, scenes[tested.photos])
            low, high = min(low, others[0]), max(high, others[1])
    return low, high


def _other_scenes(examples: Examples) -> Iterator[Indices]:
    """Yield the coarser and the finer scenes of a training, where they differ from its own."""
    grouping = examples.grouping
    for scenes in (grouping.coarser, grouping.finer):
        if not np.array_equal(scenes, grouping.numbers):
            yield scenes
