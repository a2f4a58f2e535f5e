"""Values that are no numbers choose no champion and call for no fit: without Spark."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from conf.errors import BadInput
from conf.settings import Settings
from gold import pca_refit, promote
from gold.training import best_of
from lake import catalog
from tests.support.small_lake import small_lake
from tests.support.suite_cases import PCA, SHA

NAN = float("nan")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("scores", [(NAN, 0.2, 0.4), (0.2, NAN, 0.4), (0.2, 0.4, NAN)])
def test_a_classifier_whose_score_is_no_number_is_not_the_best(scores):
    versions = [SimpleNamespace(metrics={"macro_f1": score}) for score in scores]
    assert best_of(versions).metrics["macro_f1"] == 0.4


@pytest.mark.parametrize(
    "columns", [{"basis": np.array([NAN] * 8).tobytes()}, {"reference": '{"residual": NaN}'}]
)
def test_a_version_with_numbers_that_are_none_is_not_promoted(tmp_path, monkeypatch, columns):
    row = PCA | {"version": "pca-1", "status": "candidate"} | columns
    monkeypatch.setattr(
        promote.model_versions, "version", lambda *_: SimpleNamespace(version="pca-1")
    )
    with small_lake(tmp_path, {catalog.MODELS: [row]}) as lake:
        with pytest.raises(BadInput, match="pca-1 holds numbers that are NaN or infinite"):
            promote.promote(SimpleNamespace(lake=lake), "pca-1")
        assert lake.records(catalog.MODELS)[0]["status"] == "candidate"


@pytest.mark.parametrize(("last", "reason"), [(NAN, "drift"), (0.0, None), (float("inf"), "drift")])
def test_the_last_drift_that_is_a_number_calls_for_a_fit(tmp_path, last, reason):
    refit = Settings.load("local", environment={}).refit
    rows = [
        {
            "model_version": "pca-1",
            "mean_shift": value,
            "reconstruction": 0.0,
            "measured_at": NOW + timedelta(days=day),
        }
        for day, value in enumerate([9.0, last])
    ]
    model = PCA | {"version": "pca-1"}
    champion = SimpleNamespace(version="pca-1", weights_id=SHA, through_chunk=2, photos=54)
    published = [SimpleNamespace(number=2, photos=54)]
    with small_lake(tmp_path, {catalog.DRIFT: rows, catalog.MODELS: [model]}) as lake:
        due = pca_refit.due(lake, champion, refit, published=published)
    assert (due and due.reason) == reason
