"""When a lake that was opened for a command starts Spark."""

from contextlib import nullcontext

import pytest
from rich.console import Console

from cli.lake_access import reading, writing
from lake import spark_session
from silver import model_artifact
from tests.support.place import Place


@pytest.fixture
def starts(place, spark, monkeypatch):
    """A list that grows with each session that is asked for."""
    asked = []

    def running(*_, **__):
        asked.append(1)
        return nullcontext(spark)

    monkeypatch.setattr(spark_session, "running", running)
    return asked


@pytest.mark.parametrize("opened", [reading, writing])
def test_spark_starts_when_something_first_needs_it(place, starts, opened):
    with opened(place.settings, Console(quiet=True)) as given:
        lake = getattr(given, "lake", given)
        assert starts == []
        assert lake.spark is lake.spark
    assert starts == [1]


@pytest.mark.parametrize("opened", [reading, writing])
def test_a_process_of_spark_submit_starts_it_at_once(place, starts, monkeypatch, opened):
    """YARN waits 100 s for the session of a driver that it runs, and calls a run without one failed."""
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    with opened(place.settings, Console(quiet=True)) as given:
        assert starts == [1]
        assert getattr(given, "lake", given).spark is not None
    assert starts == [1]


def test_the_model_of_a_new_lake_is_converted_while_spark_makes_the_tables(
    tmp_path, spark, starts, monkeypatch
):
    begun = []
    monkeypatch.setattr(model_artifact, "begin", lambda model: begun.append((model, list(starts))))
    new = Place.of(tmp_path / "new", spark)
    with writing(new.settings, Console(quiet=True), needs_model=True):
        assert begun == [(new.settings.model, [])]
    with writing(new.settings, Console(quiet=True), needs_model=True):
        assert len(begun) == 1  # gold/models may have it
    other = new.set(f"paths.lake={tmp_path / 'other'}")
    with writing(other.settings, Console(quiet=True)):
        assert len(begun) == 1
