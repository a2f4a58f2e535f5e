"""What the benchmark of small runs makes of seconds: medians, ratios to the floors, parts, and doubts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.daily_run import (
    MEASURED,
    doubts,
    in_turns,
    median,
    parse,
    part_names,
    ratio,
    wanted,
)
from benchmarks.journal_intervals import intervals
from benchmarks.whole_processes import (
    BARE,
    FIRST,
    NOTHING,
    OURS,
    TAKEN,
    TEN,
    Whole,
    documented_settings,
    our_settings,
    whole_parts,
)

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = {
    BARE: (10.0, 30.0, 11.0),
    OURS: (8.0, 8.0, 8.0),
    TEN: (12.0, 12.0, 99.0),
    NOTHING: (3.0, 2.0, 2.0),
    FIRST: (20.0, 21.0, 22.0),
}


def results(*, others=0.0, **taken):
    """Three rounds of everything; the named runs took other photos than they should."""
    due = TAKEN | {name.replace("_", " "): number for name, number in taken.items()}
    return {
        name: [Whole(each, due.get(name, 0), others=others) for each in rounds]
        for name, rounds in SECONDS.items()
    }


def at(seconds):
    """A moment of the run, so many seconds after the start of its process."""
    return BEGAN + timedelta(seconds=seconds)


def layer(name, start, end):
    """A row of ops/runs."""
    return {"layer": name, "started_at": at(start), "finished_at": at(end)}


def test_of_rounds_the_median_counts():
    assert median(results(), BARE) == 11.0
    assert ratio(results(), TEN, OURS) == 1.5


def test_each_target_is_told_beside_what_was_seen():
    assert wanted(results()) == [
        "ten new photos took 1.09 times bare Spark, where at most 1.2 is wanted, and 1.50 times bare "
        "Spark, our settings.",
        "nothing new took 0.18 times bare Spark, where at most 0.4 is wanted, and 0.25 times bare Spark, "
        "our settings.",
        "new lake took 21.0 s; at most 25 s are wanted.",
    ]


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        ({}, []),
        (
            {"others": 0.3},
            [
                "Other programs took up to 30% of the machine: no ratio is sure; "
                "repeat it on a quiet machine."
            ],
        ),
        ({"others": None}, []),
        (
            {"nothing_new": 2},
            ["nothing new: bronze took 2, 2, 2 photos, not 0. That is not the same work."],
        ),
    ],
)
def test_what_spoils_the_numbers_is_told(seen, doubt):
    assert doubts(results(**seen)) == doubt


def test_the_seconds_of_a_layer_lie_between_its_events():
    events = [(at(1), "gold staged"), (at(6), "bronze planned"), (at(8), "bronze staged")]
    assert intervals([layer("bronze", 5, 10)], events) == {
        "bronze: listing": 1.0,
        "bronze: staging": 2.0,
        "bronze: ending": 2.0,
    }


def test_the_parts_of_a_process_add_up():
    layers = [layer("bronze", 5, 10), layer("silver", 11, 13)]
    events = [(at(6), "bronze planned"), (at(12), "extractor")]
    parts = whole_parts(layers, events, began=BEGAN, seconds=15.0)
    assert parts == {
        "before the first layer": 5.0,
        "bronze: listing": 1.0,
        "bronze: ending": 4.0,
        "silver: model": 1.0,
        "silver: ending": 1.0,
        "between layers": 1.0,
        "after the last layer": 2.0,
    }
    assert sum(parts.values()) == 15.0


def test_parts_stand_in_the_order_of_a_run():
    short = whole_parts([layer("bronze", 5, 10)], [], began=BEGAN, seconds=11.0)
    long = whole_parts(
        [layer("bronze", 5, 10)], [(at(6), "bronze planned")], began=BEGAN, seconds=11.0
    )
    seen = {
        TEN: [Whole(11.0, parts=long)],
        NOTHING: [Whole(11.0, parts=short)],
        FIRST: [Whole(11.0)],
    }
    assert part_names(seen) == [
        "before the first layer",
        "bronze: listing",
        "bronze: ending",
        "between layers",
        "after the last layer",
    ]


def test_the_documented_floor_has_no_tuning_of_ours():
    documented = documented_settings(2)
    tuned = our_settings()
    assert documented["spark.master"] == "local[2]"
    assert "spark.driver.extraJavaOptions" in tuned.keys() - documented.keys()
    assert {name.rpartition(".")[2] for name in documented} == {
        *("master", "packages", "extensions", "spark_catalog", "host", "bindAddress"),
    }


def test_each_round_measures_everything_and_begins_with_another():
    rounds = [in_turns(number) for number in range(len(MEASURED))]
    assert rounds[0] == MEASURED
    assert [first for first, *_ in rounds] == list(MEASURED)
    assert {tuple(sorted(each)) for each in rounds} == {tuple(sorted(MEASURED))}


@pytest.mark.parametrize("words", [["--photos-held", "49"], ["--rounds", "0"]])
def test_a_benchmark_that_would_say_nothing_is_refused(words):
    with pytest.raises(SystemExit):
        parse(words)
