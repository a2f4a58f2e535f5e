"""The numbers of a lake beside their bounds: whether each is good, and what to do where it isn't.

The bounds of drift are those at which a run fits a new PCA version (`[refit]`), or at which the suite of
gold/features warns; that of the quarantined share is `monitoring.refused_share`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf.settings import Settings
from expectations import suites
from lake import catalog
from report.reconciliation import ModelSums, Sums

VARIANCE_COLUMN = "explained_variance"
FIT = "if photos stay like these, run.py models --refit fits a new version"

DRIFTS = (
    ("mean_shift", "mean shift", "mean_shift"),
    ("reconstruction", "loss of reconstruction", "reconstruction_loss"),
    ("label_mix", "change of labels", "label_mix_index"),
    ("brightness", "change of brightness", "brightness_index"),
    ("component", "largest change of a component", "component_index"),
)
"""The measures of drift: their names in `ChunkDrift`, in words, and the columns that the suite bounds."""


@dataclass(frozen=True)
class Measure:
    """A number of a lake with the bound that it must keep: `at_most` or at least `bound`.

    `of` names the model that it is of, or is empty. `remedy` is what to do where it is not good.
    """

    of: str
    name: str
    value: float
    bound: float
    at_most: bool
    remedy: str
    is_share: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the value keeps its bound."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        word = "at most" if self.at_most else "at least"
        verdict = "good" if self.is_good else f"bad; {self.remedy}"
        if not math.isfinite(self.value):
            return (
                f"{self.name} is no number: bad; run.py check names the rule that its values break"
            )
        value, bound = (self._text(each) for each in (self.value, self.bound))
        if self.at_most and not self.bound:
            return f"{self.name} {value}: {verdict}"
        return f"{self.name} {value} of {word} {bound}: {verdict}"

    def _text(self, number: float) -> str:
        if self.is_share:
            return f"{number:.1%}"
        return f"{number:,.0f}" if isinstance(number, int) else f"{number:.2f}"

    def facts(self) -> dict[str, Any]:
        """Return the measure in types that JSON has."""
        kept = ("of", "name", "value", "bound", "at_most")
        return {name: getattr(self, name) for name in kept} | {"is_good": self.is_good}


def measures(sums: Sums, settings: Settings) -> list[Measure]:
    """Return every number of a lake that has a bound, those of a model together."""
    return [each for model in sums.models for each in of_model(model, sums.photos, settings)]


def of_model(model: ModelSums, photos: int, settings: Settings) -> list[Measure]:
    """Return the numbers of one extractor model in a lake of so many photos, those of its drift last."""
    return [
        *of_tables(model, photos, settings),
        *of_classifier(model),
        *of_drift(model, settings),
    ]


def of_tables(model: ModelSums, photos: int, settings: Settings) -> list[Measure]:
    """Return the numbers of one extractor model that its tables have, in a lake of so many photos."""
    most = settings.monitoring.refused_share
    share = model.quarantined / photos if photos else 0.0
    silver, gold = "run.py --layer silver takes them", "run.py --layer gold fits a new version"
    found = [
        Measure(
            model.name,
            "quarantined",
            share,
            most,
            True,
            "the reasons say what was sent; run.py replay takes them again when that is mended",
            is_share=True,
        ),
        Measure(model.name, "waiting", model.waiting, 0, True, silver),
        Measure(
            model.name, "embeddings not in gold", model.embedded - model.projectable, 0, True, gold
        ),
    ]
    if model.explained is not None:
        least = bounds(catalog.MODELS.name, "min_value")[VARIANCE_COLUMN]
        remedy = "set pca.components higher, and run.py models --refit"
        found.append(
            Measure(
                model.name,
                "explained variance",
                model.explained,
                least,
                False,
                remedy,
                is_share=True,
            )
        )
    return found


def of_classifier(model: ModelSums) -> list[Measure]:
    """Return the accuracy of the champion classifier on photos that got their label in the last weeks, as
    far as chance allows, against what its test promised; none where one of them isn't known."""
    found = model.since_training
    if found is None or found.promised is None or found.last is None:
        return []
    name, upper = "accuracy in the last weeks, at best", found.last.upper
    remedy = "run.py train learns from these photos"
    return [Measure(model.name, name, upper, found.promised, False, remedy, is_share=True)]


def of_drift(model: ModelSums, settings: Settings) -> list[Measure]:
    """Return the measures of drift of the last chunk, none before there is one."""
    if model.drift is None:
        return []
    of_suite = bounds(catalog.FEATURES.name, "max_value")
    of_refit = {
        "mean_shift": settings.refit.mean_shift,
        "reconstruction": settings.refit.reconstruction,
    }
    return [
        Measure(
            model.name,
            words,
            getattr(model.drift, name),
            of_refit.get(name, of_suite.get(column, float("inf"))),
            True,
            FIT,
        )
        for name, words, column in DRIFTS
    ]


def bounds(table: str, side: str) -> Mapping[str, float]:
    """Return the bound `min_value` or `max_value` of each column by the warnings of a table's suite.

    The suite's file is read as it stands: `status` answers without loading Great Expectations.
    """
    rules: Sequence[Mapping[str, Any]] = suites.unchecked(table.replace("/", "_"))
    return {
        rule["kwargs"]["column"]: rule["kwargs"][side]
        for rule in rules
        if rule["severity"] == "warning" and rule["kwargs"].get(side) is not None
    }
