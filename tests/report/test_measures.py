"""Every number of `status` that has a bound says whether it is good, and what to do where it isn't."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cli.output import status_lines
from conf.settings import Settings
from gold.accuracy_since import AccuracySince, LastWeeks, Week
from lake.storage.local_folder import LocalFolder
from report import accuracy_plot
from report.measures import measures, of_model
from report.reconciliation import ChunkDrift, ModelSums, Sums

SETTINGS = Settings.load("local", environment={})
GOOD = ModelSums(
    extractor="mobilenet_v2",
    weights_id="ab" * 32,
    precision="float32",
    pixels="hamming",
    judged=None,
    embedded=54,
    quarantined=3,
    reasons={"blank": 3},
    waiting=0,
    champion="pca-1",
    explained=0.833,
    features=54,
    projectable=54,
    drift=ChunkDrift(6, 12, 0.35, 0.0, 0.1, 0.25, 0.2),
)
OF_DRIFT = "if photos stay like these, run.py models --refit fits a new version"


def drift(**changes):
    return replace(GOOD.drift, **changes)


def sums(model):
    seen = model.embedded + model.quarantined + model.waiting
    return Sums(seen, {"stored": seen}, {}, seen, [model], [], 0, [], None)


def shown(monkeypatch, model, *, settings=SETTINGS, as_json=False):
    monkeypatch.setattr(status_lines, "sums", lambda *_: sums(model))
    printed = io.StringIO()
    console = Console(file=printed, width=80)
    status_lines.show(console, LocalFolder("/nowhere"), settings, as_json=as_json)
    return printed.getvalue()


def test_good_numbers_stand_beside_their_bounds(monkeypatch):
    lines = [line.strip() for line in shown(monkeypatch, GOOD).splitlines()]
    assert "quarantined 5.3% of at most 20.0%: good" in lines
    assert "waiting 0: good" in lines
    assert "embeddings not in gold 0: good" in lines
    assert "explained variance 83.3% of at least 10.0%: good" in lines
    assert "mean shift 0.35 of at most 0.50: good" in lines
    assert "loss of reconstruction 0.00 of at most 0.10: good" in lines
    assert "change of brightness 0.25 of at most 0.25: good" in lines
    assert "The sums agree: good, no photo was lost on the way." in lines
    assert lines[-1] == "Every number with a bound is good."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quarantined": 20}, "quarantined 27.0% of at most 20.0%: bad; the reasons say"),
        ({"waiting": 1200}, "waiting 1,200: bad; run.py --layer silver takes them"),
        ({"features": 50, "projectable": 50}, "embeddings not in gold 4: bad; run.py --layer gold"),
        ({"explained": 0.05}, "explained variance 5.0% of at least 10.0%: bad; set pca.components"),
        ({"drift": drift(mean_shift=0.51)}, f"mean shift 0.51 of at most 0.50: bad; {OF_DRIFT}"),
        ({"drift": drift(reconstruction=0.2)}, "loss of reconstruction 0.20 of at most 0.10: bad"),
        ({"drift": drift(label_mix=0.3)}, "change of labels 0.30 of at most 0.25: bad"),
        ({"drift": drift(component=9.0)}, "component 9.00 of at most 0.25: bad"),
    ],
)  # fmt: skip
def test_a_number_past_its_bound_is_bad_and_says_what_to_do(monkeypatch, changes, said):
    model = replace(GOOD, **changes)
    screen = shown(monkeypatch, model)
    assert said in screen
    [bad] = [each for each in measures(sums(model), SETTINGS) if not each.is_good]
    assert f"Not good: {bad.name}; the lines above say what to do." in screen
    assert "Every number" not in screen


def test_the_bounds_are_those_of_the_settings(monkeypatch):
    strict = ["refit.mean_shift=0.3", "monitoring.refused_share=0.01"]
    settings = Settings.load("local", environment={}, overrides=strict)
    screen = shown(monkeypatch, GOOD, settings=settings)
    assert "mean shift 0.35 of at most 0.30: bad" in screen
    assert "quarantined 5.3% of at most 1.0%: bad" in screen


def test_json_has_each_number_its_bound_and_the_verdict(monkeypatch):
    told = json.loads(shown(monkeypatch, replace(GOOD, waiting=2), as_json=True))["measures"]
    by_name = {each["name"]: each for each in told}
    assert len(by_name) == len(of_model(GOOD, 57, SETTINGS)) == 9
    shift = {"value": 0.35, "bound": 0.5, "at_most": True, "is_good": True}
    assert by_name["mean shift"] == {"of": GOOD.name, "name": "mean shift", **shift}
    assert [name for name, each in by_name.items() if not each["is_good"]] == ["waiting"]


def test_before_a_first_version_nothing_is_said_of_it(monkeypatch):
    empty = replace(GOOD, champion=None, explained=None, drift=None)
    screen = shown(monkeypatch, empty)
    assert "variance" not in screen
    assert "drift" not in screen


def test_what_is_no_number_is_told_and_is_null_in_json(monkeypatch):
    nan = float("nan")
    model = replace(GOOD, drift=drift(mean_shift=nan, component=nan))
    told = "mean shift is no number: bad; run.py check names the rule that its values break"
    assert told in " ".join(shown(monkeypatch, model).split())
    found = json.loads(shown(monkeypatch, model, as_json=True), parse_constant=pytest.fail)
    assert found["models"][0]["drift"]["mean_shift"] is None


def test_a_champion_stands_beside_what_its_test_promised(monkeypatch):
    weeks = [Week("2026-W47", 30, 9, 29, 0.9, 0), Week("2026-W48", 30, 10, 10, 0.9, 2)]
    last = LastWeeks("2026-W48", 30, 10, 10, 0.5)
    found = AccuracySince("classifier-1", 0.8, weeks, last)
    lines = [
        line.strip()
        for line in shown(monkeypatch, replace(GOOD, since_training=found)).splitlines()
    ]
    text = " ".join(lines)
    assert "classifier-1 is right about 39 of 60 photos (65.0%) that got their label" in text
    assert "it is judged by 30 photos of 10 scenes since 2026-W48, 33.3% right; 2 more" in text
    assert "by week: 2026-W48 33.3% of 30, 2026-W47 96.7% of 30" in text
    assert "accuracy in the last weeks, at best 50.0% of at least 80.0%: bad; run.py train" in text
    assert "Not good: accuracy in the last weeks, at best" in text
    facts = json.loads(shown(monkeypatch, replace(GOOD, since_training=found), as_json=True))[
        "models"
    ][0]["since_training"]
    assert (facts["photos"], facts["right"], facts["unlearned"]) == (60, 39, 2)
    assert facts["weeks"][1]["accuracy"] == pytest.approx(1 / 3)
    assert facts["last"] == {
        "since": "2026-W48",
        "photos": 30,
        "scenes": 10,
        "right": 10,
        "upper": 0.5,
        "accuracy": pytest.approx(1 / 3),
    }
    assert facts["shortfall"] == pytest.approx(0.3)


def test_its_plot_has_each_week():
    weeks = [Week("2026-W47", 30, 9, 29, 0.9, 0), Week("2026-W48", 30, 10, 10, 0.9, 2)]
    drawn = accuracy_plot.by_week(AccuracySince("classifier-1", 0.8, weeks, None))
    assert "2026-W48: 10 of 30 right" in drawn
