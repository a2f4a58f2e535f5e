"""Runs as a report sees them, and the periods that its plots are drawn by."""

from datetime import UTC, datetime, timedelta

import pytest

from report.run_history import PERIODS, Periods, RecordedLayer, RecordedRun

BEGUN = datetime(2026, 3, 5, 6, 7, 8, tzinfo=UTC)


def run_ids(count, *, apart):
    return [
        f"{BEGUN + apart * number:%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{number:08x}"
        for number in range(count)
    ]


def layer(name, status="done", **counts):
    row = {
        "layer": name,
        "status": status,
        "started_at": BEGUN,
        "finished_at": BEGUN + timedelta(seconds=10),
        "counts": list(counts.items()),
        "error": None if status == "done" else status.title(),
    }
    return RecordedLayer.of(row)


@pytest.mark.parametrize(
    ("count", "apart", "unit"),
    [
        (1, timedelta(days=1), "run"),
        (PERIODS, timedelta(hours=1), "run"),
        (PERIODS + 1, timedelta(hours=1), "day"),
        (100, timedelta(days=1), "week"),
        (1_000, timedelta(days=1), "month"),
        (4_000, timedelta(days=1), "year"),
    ],
)
def test_the_finest_unit_that_can_be_read_is_taken(count, apart, unit):
    known = run_ids(count, apart=apart)
    periods = Periods.over(reversed(known))
    assert periods.unit == unit
    assert len(periods.names) <= PERIODS
    assert list(periods.names) == sorted(periods.names)
    assert set(periods.of) == set(known)


def test_a_week_is_named_by_its_monday():
    known = run_ids(100, apart=timedelta(days=1))
    assert BEGUN.weekday() == 3
    assert Periods.over(known).of[known[0]] == "2026-03-02"


def test_without_runs_there_are_no_periods():
    assert list(Periods.over([]).names) == []


def test_a_run_is_told_by_the_layer_that_went_worst():
    layers = [
        layer("bronze", **{"in": 60, "kept": 57, "refused:empty": 1, "refused:not_a_photo": 1})
    ]
    layers += [layer("silver", "blocked", **{"in": 57, "kept": 0, "refused:blank": 3})]
    run = RecordedRun(run_ids(1, apart=timedelta())[0], "abc", layers)
    assert (run.status, run.error) == ("blocked", "Blocked")
    assert (run.begun, run.seconds, run.refusals) == (BEGUN, 20, 5)
    assert (run.taken_in("bronze"), run.kept("silver"), run.kept("gold")) == (60, 0, None)
    assert (run.photos_per_second, run.rate) == (3, None)
    assert run.others == []


def test_a_run_of_another_command_has_no_rate():
    run = RecordedRun(run_ids(1, apart=timedelta())[0], "abc", [layer("train", **{"in": 60})])
    assert (run.photos_per_second, run.others, run.status) == (None, ["train"], "done")
