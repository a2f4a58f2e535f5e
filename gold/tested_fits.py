"""The fits of a training: each algorithm on each input is tested, and then learns all photos."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from conf.errors import BadInput
from gold import accuracy_figures, scene_uncertainty, untested_labels
from gold.acceptance import NEVER_SURE, Acceptance
from gold.classifiers import KINDS, Vectors, fit
from gold.cross_validation import Evaluation, TooFewTested, evaluate, nearest_neighbours
from gold.model_versions import EMBEDDINGS, PcaVersion
from gold.training_examples import Examples
from gold.training_progress import TrainingProgress
from lake.context import Context
from lake.run_journal import LayerRun


def fitted(
    context: Context, examples: Examples, inputs: Mapping[str, Vectors]
) -> Iterator[tuple[dict[str, Any], Evaluation]]:
    """Yield the fields of a version of each algorithm on each of some inputs, with its evaluation.

    Raises BadInput where there are too few photos or kinds for a test.
    """
    training, did = context.settings.training, context.did
    weights = [float(vectors.shape[1]) for vectors in inputs.values() for _ in KINDS]
    progress = TrainingProgress(context.console, weights)
    for name, vectors in inputs.items():
        labelled = (vectors, examples.labels, examples.scenes)
        try:
            neighbours = nearest_neighbours(*labelled, folds=training.folds)
        except TooFewTested as error:
            raise BadInput(untested_labels.refusal(examples, error)) from None
        for algorithm in KINDS:
            with progress.step(f"{algorithm} on {name}"), convergence_noted(did, algorithm):
                tested = evaluate(*labelled, kind=algorithm, folds=training.folds)
                sure = accuracy_figures.totals(tested, examples, wanted=training.wanted_precision)
                sure |= scene_uncertainty.widened(
                    sure, vectors, examples, kind=algorithm, folds=training.folds
                )
                classifier = replace(
                    fit(vectors, examples.labels, kind=algorithm, temperature=tested.temperature),
                    acceptance=_acceptance(tested, examples, sure),
                )
            facts = {
                "algorithm": algorithm,
                "input": name,
                "classifier": classifier,
                "labels": tested.labels,
                "confusion": tested.confusion,
                "metrics": {
                    "accuracy": tested.accuracy,
                    "macro_f1": tested.macro_f1,
                    "baseline": tested.baseline,
                    "nearest_neighbours": neighbours,
                    "calibration_error": tested.calibration_error,
                    "tested": tested.tested,
                    "untested_labels": len(tested.untested),
                    **sure,
                },
            }
            yield facts, tested


def _acceptance(
    tested: Evaluation, examples: Examples, sure: accuracy_figures.Metrics
) -> Acceptance:
    """Return the bounds of answers to rely on, as a test and its metric `sure_from` give them."""
    bound = sure.get("sure_from", NEVER_SURE)
    folds = (tested.photos[tested.fold == number] for number in np.unique(tested.fold))
    return Acceptance.of(bound, examples.embeddings, examples.labels, folds=folds)


def inputs(examples: Examples, pca: PcaVersion) -> Mapping[str, Vectors]:
    """Return the inputs of classifiers by their names: the embeddings, and their features of a PCA
    version."""
    if not len(examples.labels):
        return {EMBEDDINGS: examples.embeddings}
    return {
        EMBEDDINGS: examples.embeddings,
        pca.version: pca.pca.project(examples.embeddings),
    }


@contextmanager
def convergence_noted(did: LayerRun, algorithm: str) -> Iterator[None]:
    """Turn scikit-learn's warnings in this context that a fit stopped early into one note of the run."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield
    for other in (w for w in caught if not issubclass(w.category, ConvergenceWarning)):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        did.notes.append(
            f"the fit of {algorithm} stopped at its limit of steps: its results may be a little worse than "
            f"they could be."
        )
