"""Rates from seconds at two sizes, and why there is none where noise may have made it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.workloads import EXECUTORS, TITLES, Measured, precision_of
from lake.enums import Precision

OTHERS_MATTER, OTHERS_SPOIL = 0.1, 0.25
"""Shares of the machine from which on other programs are mentioned, and no rate is given."""

ROOF_IS_SURE_TO = 1.05

GATES = ("silver: bronze's gate", "silver: silver's gate")
ALL_GATES = (*GATES, "gold: gold's gate")
STAGING = "silver: staging"


@dataclass(frozen=True)
class Rate:
    """A peer over all rounds: median seconds at each size; no rate where there is a `doubt`."""

    title: str
    seconds: tuple[float, float]
    per_second: float | None
    fixed: float | None
    doubt: str | None


def marginal(title: str, sizes: Sequence[int], rounds: Sequence[Sequence[float]]) -> Rate:
    """The rate between two sizes, from the seconds at each, round by round."""
    small, large = map(statistics.median, rounds)
    more = large - small
    doubt = _doubt(small, large, spread=max(max(each) - min(each) for each in rounds))
    rate = None if more <= 0 else (sizes[1] - sizes[0]) / more
    fixed = None if rate is None else small - sizes[0] / rate
    if fixed is not None and fixed < -large / 10:
        doubt = f"a photo more cost more than a photo did before (fixed part {fixed:.1f} s)"
    return Rate(title, (small, large), None if doubt else rate, None if doubt else fixed, doubt)


def _doubt(small: float, large: float, *, spread: float) -> str | None:
    more = large - small
    if more <= 0:
        return f"more photos took no longer ({small:.1f} s, {large:.1f} s)"
    if spread > more / 2:
        return f"rounds differ by {spread:.1f} s, the two sizes by {more:.1f} s"
    if more < small / 5:
        return f"the sizes differ by {more:.1f} s only, beside {small:.1f} s; take larger ones"
    return None


Results = Mapping[str, Sequence[Sequence[Measured]]]
"""By peer, by size, by round."""


def rates(results: Results, sizes: Mapping[str, Sequence[int]]) -> dict[str, Rate]:
    """The rate of every peer; of those that run silver alone also without its gates, and of its staging
    alone."""
    found = {}
    for peer, by_size in results.items():
        seconds = [[each.seconds for each in rounds] for rounds in by_size]
        found[peer] = marginal(TITLES[peer], sizes[peer], seconds)
        if precision_of(peer)[0] == "silver" or peer in EXECUTORS:
            bare = [
                [each.seconds - sum(each.parts.get(name, 0.0) for name in GATES) for each in rounds]
                for rounds in by_size
            ]
            found[f"{peer} without gates"] = marginal("  without its gates", sizes[peer], bare)
            staging = [[each.parts.get(STAGING, 0.0) for each in rounds] for rounds in by_size]
            found[f"{peer} staging"] = marginal("  its staging alone", sizes[peer], staging)
    busy = {name: most_others(results[name.split()[0]]) for name in found}
    return {
        name: _believed(rate, roof=_roof(found, name), others=busy[name])
        for name, rate in found.items()
    }


def roofline_of(name: str) -> str:
    """The name of the roofline that a rate is compared with: the one of its precision."""
    precision = precision_of(name.split()[0])[1]
    return "roofline" if precision is Precision.FLOAT32 else f"roofline_{precision}"


def _roof(found: Mapping[str, Rate], name: str) -> float | None:
    roof = found.get(roofline_of(name))
    return roof.per_second if roof and name != roofline_of(name) else None


def _believed(rate: Rate, *, roof: float | None, others: float) -> Rate:
    """The same without its numbers where something else than the peer has made them."""
    doubt = rate.doubt
    if others > OTHERS_SPOIL:
        doubt = f"other programs took {others:.0%} of the machine meanwhile"
    elif (
        roof
        and rate.per_second
        and rate.title != TITLES["listing"]
        and rate.per_second > ROOF_IS_SURE_TO * roof
    ):
        doubt = "it came out above the roofline, which noise alone can do"
    return replace(rate, per_second=None, fixed=None, doubt=doubt) if doubt else rate


def most_others(by_size: Sequence[Sequence[Measured]]) -> float:
    """The highest share of the machine that other programs took while a peer ran; 0 where nobody knows."""
    return max((each.others or 0.0 for rounds in by_size for each in rounds), default=0.0)


def medians(by_size: Sequence[Sequence[Measured]], *parts: str) -> list[float]:
    """Seconds at each size, of the whole or of the parts together: the median of all rounds."""
    return [
        statistics.median(
            sum(each.parts.get(name, 0.0) for name in parts) if parts else each.seconds
            for each in rounds
        )
        for rounds in by_size
    ]
