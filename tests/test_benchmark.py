"""What the benchmark makes of seconds: marginal rates, and none where noise may have made them."""

from __future__ import annotations

import pytest

from tests.benchmark import wanted
from tests.benchmarking.peers import Measured
from tests.benchmarking.rates import marginal, medians, rates

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
        "daily": measured(38.0, 41.0),
    }
    lines = wanted(
        rates(results, {p: SIZES for p in results if p != "daily"}),
        results,
        dict.fromkeys(results, SIZES),
    )
    assert lines == [
        "landing to gold reaches 75% of the roofline; 65% is wanted.",
        "landing to gold has 3.00 times the rate of notebook form; 3.5 is wanted.",
        "The gates take 1.00 of 6.67 ms that a photo more costs from landing to gold, 15%; under 15% is "
        "wanted. However few photos there are, they take 4.0 s.",
        "10 new photos took 38 s on the small lake and 41 s on the large one, from the start of the "
        "process; 60 s are wanted.",
    ]
