"""What runs cost: their hours from `ops/runs` at the list prices of conf/prices.toml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from conf.errors import BadSettings
from conf.prices import Instance, Prices
from conf.settings import Settings
from lake.enums import BRONZE
from report.run_history import RecordedRun

COMPARED = "m5.xlarge"
"""The instance type whose price stands for a machine that is not rented from AWS."""


@dataclass(frozen=True)
class Rate:
    """The price of an hour of some nodes, on demand, with EMR's part of it.

    `nodes` names them, such as `one m5.xlarge and 2 r5.xlarge`. `is_own` says whether they are the nodes of
    the settings. Where they are not, the runs were on another machine, and the price is that of a COMPARED
    instance, as if that were as fast.
    """

    nodes: str
    dollars_an_hour: float
    is_own: bool

    @classmethod
    def of(cls, settings: Settings, prices: Prices) -> Self:
        """Return the rate of the nodes in the settings, or of one COMPARED instance where they name none.

        Raises BadSettings where conf/prices.toml has no price for them.
        """
        emr = settings.emr
        if emr is None:
            node = _first_priced([COMPARED], prices)
            return cls(f"one {COMPARED}", _dollars(prices.instances[node]), is_own=False)
        primary, core = _first_priced(emr.primary, prices), _first_priced(emr.core, prices)
        dollars = _dollars(prices.instances[primary])
        dollars += emr.core_nodes * _dollars(prices.instances[core])
        return cls(f"one {primary} and {emr.core_nodes:,} {core}", dollars, is_own=True)


@dataclass(frozen=True)
class Spent:
    """The hours and dollars that some runs took; `photos` counts the objects that bronze took in."""

    photos: int
    hours: float
    dollars: float

    @classmethod
    def on(cls, runs: Sequence[RecordedRun], rate: Rate) -> Self:
        """Add up what `runs` took at a rate."""
        hours = sum(run.seconds for run in runs) / 3600
        photos = sum(run.taken_in(BRONZE) or 0 for run in runs)
        return cls(photos, hours, hours * rate.dollars_an_hour)

    @property
    def dollars_a_million(self) -> float | None:
        """The dollars for a million photos at the same rate, or None where no photo came in."""
        return self.dollars / self.photos * 1e6 if self.photos else None


def _dollars(instance: Instance) -> float:
    """The dollars an hour of one instance: EC2 on demand, and EMR's part."""
    return instance.on_demand + instance.emr


def _first_priced(names: Sequence[str], prices: Prices) -> str:
    """Return the first of some instance types that has a price. Raises BadSettings where none has."""
    for name in names:
        if name in prices.instances:
            return name
    raise BadSettings(f"conf/prices.toml has no price of {', '.join(names)}; add one of them.")
