"""What runs take and cost: hours of ops/runs at the list prices of conf/prices.toml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from conf.errors import BadSettings
from conf.prices import Instance, Prices
from conf.settings import Settings
from report.run_history import RecordedRun

COMPARED = "m5.xlarge"
"""What hours on any other machine are compared with."""


@dataclass(frozen=True)
class Rate:
    """Dollars an hour of `nodes`, all on demand, with EMR's part. `is_own`: they are those of the settings;
    else the hours were of another machine, and cost what they would on that one if it were as fast."""

    nodes: str
    dollars_an_hour: float
    is_own: bool

    @classmethod
    def of(cls, settings: Settings, prices: Prices) -> Self:
        """Raises BadSettings where conf/prices.toml has no price of the nodes."""
        own = settings.emr
        if own is None:
            node = _priced([COMPARED], prices)
            return cls(f"one {COMPARED}", _dollars(prices.instances[node]), is_own=False)
        primary, core = _priced(own.primary, prices), _priced(own.core, prices)
        dollars = _dollars(prices.instances[primary])
        dollars += own.core_nodes * _dollars(prices.instances[core])
        return cls(f"one {primary} and {own.core_nodes:,} {core}", dollars, is_own=True)


@dataclass(frozen=True)
class Spent:
    """What runs took: `photos` that came into a layer for the first time, hours and dollars."""

    photos: int
    hours: float
    dollars: float

    @classmethod
    def on(cls, runs: Sequence[RecordedRun], rate: Rate) -> Self:
        """On those runs."""
        hours = sum(run.seconds for run in runs) / 3600
        photos = sum(run.taken_in("bronze") or 0 for run in runs)
        return cls(photos, hours, hours * rate.dollars_an_hour)

    @property
    def dollars_a_million(self) -> float | None:
        """For a million photos at the same rate; None where none came."""
        return self.dollars / self.photos * 1e6 if self.photos else None


def _dollars(instance: Instance) -> float:
    return instance.on_demand + instance.emr


def _priced(names: Sequence[str], prices: Prices) -> str:
    for name in names:
        if name in prices.instances:
            return name
    raise BadSettings(f"conf/prices.toml has no price of {', '.join(names)}; add one of them.")
