"""Prints the report of a cluster: its state, its nodes and its last steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emr.cluster import ClusterReport
from emr.cluster_state import ENDED, Step

REASONLESS = ("COMPLETED", "PENDING", "RUNNING")
"""States of steps that need no reason."""


def show(console: Console, report: ClusterReport) -> None:
    """Print a line about the cluster, and tables of its nodes and of its last steps. Times are in UTC."""
    cluster = report.cluster
    reason = f" ({cluster.reason})" if cluster.state in ENDED else ""
    console.print(
        f"cluster {cluster.id}, {cluster.name}: {cluster.state}{reason}, made at "
        f"{_minute(cluster.created)}",
        markup=False,
        soft_wrap=True,
    )
    console.print(_nodes_table(report.fleets))
    console.print(_steps_table(report.steps))


def _nodes_table(fleets: Sequence[Mapping[str, Any]]) -> Table:
    table = Table()
    for name in ("nodes", "state", "types", "on demand", "Spot"):
        table.add_column(name, justify="right" if name in ("on demand", "Spot") else "left")
    for fleet in fleets:
        types = ", ".join(each["InstanceType"] for each in fleet["InstanceTypeSpecifications"])
        state = fleet["Status"]["State"]
        on_demand, spot = _capacity(fleet, "OnDemand"), _capacity(fleet, "Spot")
        table.add_row(fleet["Name"], state, types, on_demand, spot)
    return table


def _steps_table(steps: Sequence[Step]) -> Table:
    table = Table()
    for name in ("step", "what", "state", "made", "ended", "why"):
        table.add_column(name)
    for step in steps:
        reason = "" if step.state in REASONLESS else escape(step.reason)
        ended = _minute(step.ended) if step.ended else "–"
        table.add_row(step.id, step.name, step.state, _minute(step.created), ended, reason)
    return table


def _minute(time: datetime) -> str:
    """Return a time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _capacity(fleet: Mapping[str, Any], kind: str) -> str:
    """Return how many nodes of a fleet are running and how many it should have. `kind`: OnDemand or Spot."""
    provisioned = fleet.get(f"Provisioned{kind}Capacity", 0)
    return f"{provisioned} of {fleet.get(f'Target{kind}Capacity', 0)}"
