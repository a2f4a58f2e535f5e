"""When a training would only repeat the last one: the same rows, settings and code; and when not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from conf.settings import Settings
from gold.classifiers import KINDS
from gold.unchanged_training import champion_of_same_training, lineage_settings
from lake import catalog

MODEL, PCA = "e" * 64, "pca-1"
SETTINGS = Settings.load("local", environment={}).training


def classifier(number, algorithm, source, **changes):
    """The row of a classifier; the first of a training is its champion."""
    return {
        "version": f"classifier-{number}",
        "kind": "classifier",
        "weights_id": MODEL,
        "status": "candidate" if number else "champion",
        "algorithm": algorithm,
        "input": source,
        "through_chunk": 7,
        "embeddings_version": 3,
        "settings": json.dumps(lineage_settings(SETTINGS)),
        "run_id": "trained",
    } | changes


def models(**changes):
    """The rows of gold/models after a training; `changes` are those of each classifier."""
    fitted = [(kind, source) for source in ("embeddings", PCA) for kind in KINDS]
    rows = [classifier(n, *each, **changes) for n, each in enumerate(fitted)]
    return [{"version": PCA, "kind": "pca", "weights_id": MODEL, "status": "champion"}, *rows]


@dataclass(frozen=True)
class FakeLake:
    """What is asked of a lake: silver's last chunk, rows, whether rows left, and the revision of the code."""

    models: list = field(default_factory=models)
    last_chunk: int = 7
    has_lost_rows: bool = False
    is_unfinished: bool = False
    revision: str = "0123456789ab"
    trained_by: str = "0123456789ab"

    @property
    def run(self):
        return SimpleNamespace(code_revision=self.revision)

    @property
    def ledger(self):
        silver = [
            SimpleNamespace(number=n, layer="silver", weights_id=MODEL, is_published=True)
            for n in range(5, self.last_chunk + 1)
        ]
        left = [SimpleNamespace(layer="training")] if self.is_unfinished else []
        return SimpleNamespace(chunks=lambda: dict(enumerate(silver)), unfinished=lambda: left)

    def records(self, table, **_):
        if table is catalog.MODELS:
            return self.models
        return [{"run_id": "trained"}] if self.revision == self.trained_by else []

    def only_added_to(self, table, *, since):
        assert (table, since) == (catalog.EMBEDDINGS, 3)
        return not self.has_lost_rows


def found(lake, settings=SETTINGS):
    return champion_of_same_training(lake, MODEL, settings)


def test_the_same_rows_settings_and_code_would_give_the_same_classifiers():
    assert found(FakeLake()) == "classifier-0"


@pytest.mark.parametrize(
    "change",
    [
        {"last_chunk": 8},
        {"has_lost_rows": True},
        {"is_unfinished": True},
        {"trained_by": "another"},
        {"revision": "unknown", "trained_by": "unknown"},
        {"revision": "0123456789ab+", "trained_by": "0123456789ab+"},
        {"models": []},
        {"models": models()[:-1]},
        {"models": models(status="candidate")},
        {"models": models(status="retired")},
        {"models": models(through_chunk=6)},
        {"models": [models()[0] | {"version": "pca-2"}, *models()[1:]]},
    ],
    ids=", ".join,
)
def test_anything_else_is_trained(change):
    assert found(replace(FakeLake(), **change)) is None


@pytest.mark.parametrize("name", ["folds", "max_photos", "wanted_precision"])
def test_other_settings_are_trained(name):
    other = SETTINGS.model_copy(update={name: getattr(SETTINGS, name) + 1})
    assert found(FakeLake(), other) is None
