"""What the benchmark makes of seconds: marginal rates, and none where noise may have made them."""

from __future__ import annotations

import pytest

from benchmarks.calibration_file import calibration, write
from benchmarks.marginal_rates import STAGING, marginal, medians, rates
from benchmarks.throughput import wanted
from benchmarks.workloads import CHUNKS, Measured
from conf import prices
from conf.errors import BadInput

SIZES = (1000, 4000)


def measured(*seconds, others=0.0, **parts):
    """By size, one round each."""
    return [
        [Measured(each, 0.0, size, {n: values[i] for n, values in parts.items()}, others=others)]
        for i, (each, size) in enumerate(zip(seconds, SIZES, strict=True))
    ]


def test_a_rate_is_what_one_more_photo_costs():
    rate = marginal("peer", SIZES, [[20.0], [35.0]])
    assert (rate.per_second, rate.fixed, rate.doubt) == (200.0, 15.0, None)


def test_of_rounds_the_median_counts():
    rate = marginal("peer", SIZES, [[20.0, 21.0, 19.0], [35.0, 34.0, 36.0]])
    assert (rate.seconds, rate.per_second) == ((20.0, 35.0), 200.0)


@pytest.mark.parametrize(
    ("rounds", "doubt"),
    [
        ([[20.0], [20.0]], "took no longer"),
        ([[20.0], [23.0]], "take larger ones"),
        ([[20.0, 29.0], [35.0, 35.0]], "rounds differ"),
        ([[2.0], [35.0]], "a photo more cost more"),
    ],
)
def test_no_rate_is_made_of_noise(rounds, doubt):
    rate = marginal("peer", SIZES, rounds)
    assert rate.per_second is None
    assert rate.fixed is None
    assert doubt in rate.doubt


@pytest.mark.parametrize(
    ("silver", "others", "doubt"),
    [((5.0, 15.0), 0.0, "above the roofline"), ((20.0, 40.0), 0.3, "other programs took 30%")],
)
def test_a_rate_that_something_else_made_is_not_believed(silver, others, doubt):
    results = {"roofline": measured(5.0, 20.0), "silver": measured(*silver, others=others)}
    found = rates(results, dict.fromkeys(results, SIZES))
    assert found["roofline"].per_second == 200.0
    assert found["silver"].per_second is None
    assert doubt in found["silver"].doubt


def test_what_is_in_bfloat16_is_compared_with_its_own_roofline():
    results = {
        "roofline": measured(5.0, 20.0),
        "roofline_bfloat16": measured(5.0, 15.0),
        "all_bfloat16": measured(20.0, 34.0, **{"gold: gold's gate": (5.0, 8.0)}),
    }
    sizes = dict.fromkeys(results, SIZES)
    found = rates(results, sizes)
    assert (
        found["roofline_bfloat16"].doubt is None
    )  # it is faster than the other one, as it should be
    assert wanted(found, results, sizes) == [
        "landing to gold, bfloat16 reaches 71% of its roofline; 65% is wanted.",
        "roofline, bfloat16 has 1.50 times the rate of roofline; 1.8 is wanted.",
    ]


def test_the_gates_are_taken_out_of_silver():
    gates = {"silver: bronze's gate": (4.0, 7.0), "silver: silver's gate": (1.0, 1.0)}
    results = {"silver": measured(20.0, 38.0, **gates)}
    found = rates(results, {"silver": SIZES})
    assert found["silver without gates"].seconds == (15.0, 30.0)
    assert found["silver without gates"].per_second == 200.0
    assert medians(results["silver"], *gates) == [5.0, 8.0]


def test_each_target_is_told_beside_what_was_seen():
    results = {
        "roofline": measured(5.0, 20.0),
        "all": measured(60.0, 80.0, **{"gold: gold's gate": (5.0, 8.0)}),
        "notebook": measured(50.0, 110.0),
    }
    sizes = dict.fromkeys(results, SIZES)
    lines = wanted(rates(results, sizes), results, sizes)
    assert lines == [
        "landing to gold reaches 75% of its roofline; 75% is wanted.",
        "landing to gold has 3.00 times the rate of notebook form; 3.5 is wanted.",
        "The gates take 1.00 of 6.67 ms that a photo more costs from landing to gold, 15%; under 15% is "
        "wanted. However few photos there are, they take 4.0 s.",
    ]


FACTS = {
    "date": "2026-01-01",
    "cpu": "a processor",
    "machine": "x86_64",
    "cores": 2,
    "threads_per_core": 1,
    "code_revision": "0123456789ab",
    "weights": "random:1",
    "sizes": list(SIZES),
    "rounds": 1,
    "dimensions": 1280,
    "listed": [1000, 4000],
    "photo_bytes": {"all": 20_000.0, "roofline": 20_000.0, "large": 2_020_000.0},
}


def calibrated(**more):
    """Of a machine of two cores: 5 ms a photo by the roofline, 8 from landing to gold, 25 a large one."""
    memory = {"JVM": 2, "driver": 100_000, "workers": 900, "a worker": 300}
    results = {
        "roofline": measured(5.0, 20.0),
        "large": measured(25.0, 100.0),
        "all": measured(48.0, 72.0, others=0.04),
        "chunked": measured(78.0, 102.0),
        "listing": measured(0.15, 0.45),
        "one_executor": measured(25.0, 55.0, **{STAGING: (20.0, 50.0)}),
        "two_executors": measured(20.0, 38.0, **{STAGING: (15.0, 33.0)}),
    } | more
    for rounds in results["all"]:
        rounds[0].memory = memory
    if "listing" in results:
        for rounds, driver in zip(results["listing"], (3_000_000, 5_100_000), strict=True):
            rounds[0].memory = memory | {"driver": driver}
    found = rates(results, dict.fromkeys(results, SIZES))
    return calibration(results, found, FACTS)


def test_a_calibration_is_in_seconds_of_one_core(tmp_path):
    entry = calibrated()
    assert entry["roofline_seconds"] == pytest.approx(2 * 0.005)
    assert entry["driver_seconds"] == pytest.approx(0.0001)
    assert entry["core_seconds"] == pytest.approx(2 * (0.008 - 0.0001))
    assert entry["byte_seconds"] == pytest.approx(2 * 0.020 / 2_000_000)
    assert entry["chunk_seconds"] == pytest.approx(30 / (CHUNKS - 1))
    assert entry["fixed_seconds"] == pytest.approx(48 - 1000 * 0.008 - 10)
    assert entry["efficiency"] == pytest.approx(30 / 18 / 2, rel=1e-3)
    assert entry["driver_bytes"] == 700
    assert entry["memory_bytes"] == {"JVM": 2, "driver": 2_300_000, "workers": 900, "a worker": 300}
    assert entry["others"] == 0.04
    file = tmp_path / "calibration.json"
    write(entry, extractor="resnet50", file=file)
    write(entry, extractor="mobilenet_v2", file=file)
    assert prices.calibration("resnet50", file) == prices.calibration("mobilenet_v2", file)


@pytest.mark.parametrize(
    ("all_layers", "why"),
    [(measured(48.0, 48.0), "took no longer"), (measured(48.0, 72.0, others=0.3), "30%")],
)
def test_no_calibration_is_made_of_noise(all_layers, why):
    with pytest.raises(BadInput, match=f"all gave no rate, .*{why}"):
        calibrated(all=all_layers)


def test_a_second_executor_is_told_beside_the_first():
    gates = {"silver: bronze's gate": (4.0, 4.0), "silver: silver's gate": (1.0, 1.0)}
    results = {
        "one_executor": measured(20.0, 50.0, **gates),
        "two_executors": measured(15.0, 33.0, **gates),
    }
    sizes = dict.fromkeys(results, SIZES)
    assert wanted(rates(results, sizes), results, sizes)[0] == (
        "Two executors have 1.67 times the rate of one, silver in all."
    )
