"""What the tests of a classifier say about it, and how sure that is: in all, and kind by kind.

Everything that shows an accuracy takes it from here, so that none is shown without its interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from gold.acceptance import NEVER_SURE, NONE_IS_SURE, cross_fitted_sure, sure_from
from gold.confidence_intervals import interval
from gold.cross_validation import Evaluation
from gold.training_examples import Examples

DASH = (
    "A dash stands where nobody can count a kind's scenes: some of its photos have left the lake since, or "
    "earlier code tested it, or what was taken together could not be told apart."
)
"""What readers say below figures of kinds that are not all whole."""

HELD_OUT_COLUMNS = ("label", "predicted", "scene")
"""The columns of gold/held_out that `of_kinds` reads."""

Metrics = Mapping[str, float]
"""The metrics of a classifier, a map of a row of gold/models."""


def totals(tested: Evaluation, examples: Examples, *, wanted: float) -> dict[str, float]:
    """Return the metrics of a test that say how sure its accuracy is: `accuracy_low` and `accuracy_high`, the
    bounds of its interval, `groups`, the number of independent groups that were tested, and
    `guessed_scenes`, the number of tested photos whose scenes were guessed by likeness, and
    `is_flattering`, 1 where what was taken together stands on both sides of the test, else 0; and those of
    `sure_answers`, by the `wanted` precision."""
    scenes, guessed = examples.scenes[tested.photos], examples.grouping.is_guessed
    low, high = interval(tested.is_right, scenes)
    return {
        "accuracy_low": low,
        "accuracy_high": high,
        "groups": len(np.unique(scenes)),
        "guessed_scenes": int(np.sum(guessed[tested.photos])) if guessed is not None else 0,
        "is_flattering": float(examples.grouping.is_flattering),
        **sure_answers(tested, examples, wanted=wanted),
    }


def sure_answers(tested: Evaluation, examples: Examples, *, wanted: float) -> dict[str, float]:
    """Return the metrics of a test that say what a wanted precision brings: `sure_from`, the least
    confidence of a sure answer, `sure_share`, the share of tested photos that were answered surely, and
    `sure_accuracy`, how often these answers were right, with the bounds `sure_low` and `sure_high` of its
    interval.

    The share and the accuracy are by bounds from other folds. Where none was sure in the test, the last three
    are left out. Where no answer is sure, the share is 0, and there is nothing else: a test that flatters
    makes none sure.
    """
    known = tested.confidence, tested.is_right, examples.scenes[tested.photos]
    bound = sure_from(*known, wanted=wanted)
    if examples.grouping.is_flattering or bound == NEVER_SURE:
        return {"sure_share": 0.0}
    is_sure = cross_fitted_sure(*known, tested.fold, wanted=wanted)
    found = {"sure_from": bound, "sure_share": float(is_sure.mean())}
    if is_sure.any():
        right, scenes = known[1][is_sure], known[2][is_sure]
        found["sure_accuracy"] = float(right.mean())
        found["sure_low"], found["sure_high"] = interval(right, scenes)
    return found


@dataclass(frozen=True)
class KindFigures:
    """How often the photos of one kind were said rightly in the test of a classifier.

    `photos` were tested and `right` of them said rightly. `groups` is the number of independent groups among
    them, and `low` and `high` are the bounds of the share on others. These three are None where some of the
    photos left the lake since the test, for classifiers of earlier code, which took near duplicates alone for
    groups, and where the test flatters.
    """

    kind: str
    photos: int
    right: int
    groups: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def share(self) -> float:
        """The share of right answers, which is the kind's recall."""
        return self.right / max(self.photos, 1)

    @property
    def interval(self) -> str:
        """The bounds in words, a dash where they are not known."""
        return "–" if self.low is None or self.high is None else _range(self.low, self.high)


def of_its_test(classifier: Mapping[str, Any]) -> pc.Expression:
    """Return the condition for the rows of gold/held_out of a classifier's own test. `classifier` is its row
    of gold/models. Photos that got their label after the training are tested later, in other chunks."""
    is_of_version = pc.field("model_version") == classifier["version"]
    return is_of_version & (pc.field("chunk") == classifier["chunk"])


def of_kinds(
    classifier: Mapping[str, Any], held_out: Iterable[Mapping[str, Any]]
) -> Sequence[KindFigures]:
    """Return the figures of the kinds that a classifier was tested on, in the order of its labels.

    `classifier` is its row of gold/models with `metrics` as a dictionary, and `held_out` are the rows of
    gold/held_out that meet `of_its_test`, with HELD_OUT_COLUMNS. Photos and right answers are those of the
    test, whatever became of the photos.
    """
    labels = classifier["labels"]
    confusion = np.array(classifier["confusion"]).reshape(len(labels), len(labels))
    is_tested = confusion.any(axis=1)
    photos: dict[str, list[tuple[bool, int]]] = {label: [] for label in labels}
    for row in held_out:
        photos[row["label"]].append((row["predicted"] == row["label"], row["scene"]))
    metrics = classifier["metrics"]
    has_groups = "groups" in metrics and not metrics.get("is_flattering")
    found = []
    for place in np.flatnonzero(is_tested).tolist():
        label = labels[place]
        tested = KindFigures(label, int(confusion[place].sum()), int(confusion[place, place]))
        if has_groups and len(photos[label]) == tested.photos:
            correct, scenes = map(np.array, zip(*photos[label], strict=True))
            low, high = interval(correct, scenes)
            groups = len(np.unique(scenes))
            tested = KindFigures(label, tested.photos, tested.right, groups, low, high)
        found.append(tested)
    return found


def interval_of(metrics: Metrics) -> str:
    """Return the interval of the accuracy in words, a dash where earlier code didn't calculate it."""
    if "accuracy_low" not in metrics:
        return "–"
    return _range(metrics["accuracy_low"], metrics["accuracy_high"])


def right(metrics: Metrics) -> str:
    """Return the accuracy with its interval in a few words."""
    known = interval_of(metrics)
    return f"{metrics['accuracy']:.1%} right ({known if known != '–' else 'no interval'})"


def in_few_words(metrics: Metrics) -> str:
    """Return the accuracy with its interval, and what is known of the confidence, in a few words."""
    known = confidence_in_few_words(metrics)
    return right(metrics) if known == "–" else f"{right(metrics)}, {known}"


def sentence(metrics: Metrics) -> str:
    """Return what a cross-validation found, and how sure that is, without a full stop."""
    found = f"right for {metrics['accuracy']:.1%} of {metrics['tested']:,.0f} photos held out"
    if "accuracy_low" not in metrics:
        return (
            f"{found}; how sure that is was not calculated by the earlier code that trained it: "
            f"run.py train does"
        )
    guessed = metrics.get("guessed_scenes", 0)
    part = "" if guessed >= metrics["tested"] else "in part "
    how = f", {part}guessed by likeness" if guessed else ""
    said = f"{found}, of {metrics['groups']:,.0f} scenes{how} (95% interval {interval_of(metrics)})"
    if metrics.get("is_flattering"):
        said += ", which flatters, as what was taken together could not be told apart"
    if untested := metrics.get("untested_labels"):
        more = "kind was" if untested == 1 else "kinds were"
        said += f"; {untested:,.0f} more {more} learned and not tested"
    return said


def confidence_in_few_words(metrics: Metrics) -> str:
    """Return the expected calibration error, the share of photos held out that were answered surely, and how
    often these answers were right; a dash where earlier code calculated none of them."""
    if "calibration_error" not in metrics:
        return "–"
    found = f"calibration error {metrics['calibration_error']:.3f}"
    if "sure_share" in metrics:
        found += f", {metrics['sure_share']:.1%} sure"
    if "sure_accuracy" in metrics:
        found += f" and {metrics['sure_accuracy']:.1%} of these right"
    return found


def confidence_sentence(metrics: Metrics) -> str:
    """Return how far the confidence of a classifier is to be relied on, without a full stop."""
    if "calibration_error" not in metrics:
        return (
            "how far its confidence is to be relied on was not tested by the earlier code that trained it: "
            "run.py train does"
        )
    error = metrics["calibration_error"]
    said = (
        f"its confidence is off by {100 * error:.1f} points of 100 on average (expected calibration error "
        f"{error:.3f})"
    )
    if metrics.get("is_flattering"):
        said += ", which flatters as its accuracy does"
    if "sure_share" not in metrics:
        return f"{said}; which of its answers are sure was not tested: run.py train does"
    if "sure_from" not in metrics:
        return f"{said}; {NONE_IS_SURE}"
    said += f"; its answers are sure from a confidence of {metrics['sure_from']:.1%} on"
    if "sure_accuracy" not in metrics:
        return f"{said}, which none reached in the test, where the other folds set the bound"
    bounds = _range(metrics["sure_low"], metrics["sure_high"])
    return (
        f"{said}: {metrics['sure_share']:.1%} of those on photos held out, of which "
        f"{metrics['sure_accuracy']:.1%} were right (95% interval {bounds})"
    )


def timewise_sentence(metrics: Metrics) -> str:
    """Return what a test on later days found, or why there is none, without a full stop."""
    if "days" not in metrics:
        return "it was not tested on later days"
    if "timewise_accuracy" in metrics:
        bounds = _range(metrics["timewise_low"], metrics["timewise_high"])
        return (
            f"fitted on {_counted(metrics['timewise_fitted'], 'photo')} of "
            f"{_counted(metrics['timewise_days_before'], 'day')}, it was right for "
            f"{metrics['timewise_accuracy']:.1%} ({bounds}) of "
            f"{_counted(metrics['timewise_photos'], 'photo')} of the "
            f"{_counted(metrics['timewise_days'], 'day')} after, of "
            f"{_counted(metrics['timewise_groups'], 'scene')}"
        )
    if not metrics["days"]:
        why = "no photo says on which day it was taken"
    elif metrics["days"] == 1:
        why = f"the {metrics['dated']:,.0f} photos that say their day are of one day"
    else:
        why = "no two kinds have other photos both before and after some day"
    return f"there is no test on later days: {why}"


def _counted(number: float, what: str) -> str:
    """Return a number with its noun in the right number, such as `1 day` or `2 days`."""
    return f"{number:,.0f} {what}" if number == 1 else f"{number:,.0f} {what}s"


def _range(low: float, high: float) -> str:
    return f"{low:.1%} to {high:.1%}"
