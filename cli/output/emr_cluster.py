"""Prints the report of a cluster: its state, its nodes and its last steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from emr.cluster import ClusterReport
from emr.cluster_state import ENDED, Step

REASONLESS = ("COMPLETED", "PENDING", "RUNNING")
"""States of steps that need no reason."""


def show(console: Console, report: ClusterReport) -> None:
    """Print a line about the cluster, and tables of its nodes and of its last steps. Times are in UTC."""
    cluster = report.cluster
    reason = f" ({cluster.reason})" if cluster.state in ENDED else ""
    say(
        console,
        f"cluster {cluster.id}, {cluster.name}: {cluster.state}{reason}, made at "
        f"{_minute(cluster.created)}",
    )
    tables.show(console, _nodes_table(report.fleets))
    tables.show(console, _steps_table(report.steps))


def _nodes_table(fleets: Sequence[Mapping[str, Any]]) -> WholeTable:
    columns = {"nodes": NAME, "state": NAME, "types": WORDS, "on demand": NUMBER, "Spot": NUMBER}
    table = WholeTable(columns)
    for fleet in fleets:
        types = ", ".join(each["InstanceType"] for each in fleet["InstanceTypeSpecifications"])
        state = fleet["Status"]["State"]
        on_demand, spot = _capacity(fleet, "OnDemand"), _capacity(fleet, "Spot")
        table.add(fleet["Name"], state, types, on_demand, spot)
    return table


def _steps_table(steps: Sequence[Step]) -> WholeTable:
    names = ("step", "what", "state", "made", "ended")
    table = WholeTable({**dict.fromkeys(names, NAME), "why": WORDS})
    for step in steps:
        reason = "" if step.state in REASONLESS else step.reason
        ended = _minute(step.ended) if step.ended else "–"
        table.add(step.id, step.name, step.state, _minute(step.created), ended, reason)
    return table


def _minute(time: datetime) -> str:
    """Return a time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _capacity(fleet: Mapping[str, Any], kind: str) -> str:
    """Return how many nodes of a fleet are running and how many it should have. `kind`: OnDemand or Spot."""
    provisioned = fleet.get(f"Provisioned{kind}Capacity", 0)
    return f"{provisioned} of {fleet.get(f'Target{kind}Capacity', 0)}"
