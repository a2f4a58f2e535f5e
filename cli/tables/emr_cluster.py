"""A cluster, its nodes and its steps as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from emr.cluster import ClusterReport
from emr.cluster_state import ENDED


def show(console: Console, report: ClusterReport) -> None:
    """A line about the cluster, a table of its nodes, and a table of its last steps. Times are in UTC."""
    cluster, fleets, steps = report.cluster, report.fleets, report.steps
    since = told(cluster.created)
    why = f" ({cluster.why})" if cluster.state in ENDED else ""
    console.print(
        f"cluster {cluster.id}, {cluster.name}: {cluster.state}{why}, made at {since}",
        markup=False,
        soft_wrap=True,
    )
    nodes = Table()
    for name in ("nodes", "state", "types", "on demand", "Spot"):
        nodes.add_column(name, justify="right" if name in ("on demand", "Spot") else "left")
    for fleet in fleets:
        types = ", ".join(each["InstanceType"] for each in fleet["InstanceTypeSpecifications"])
        nodes.add_row(
            fleet["Name"],
            fleet["Status"]["State"],
            types,
            _of(fleet, "OnDemand"),
            _of(fleet, "Spot"),
        )
    console.print(nodes)
    table = Table()
    for name in ("step", "what", "state", "made", "ended", "why"):
        table.add_column(name)
    for step in steps:
        why = escape(step.why) if step.state not in ("COMPLETED", "PENDING", "RUNNING") else ""
        ended = told(step.ended) if step.ended else "–"
        table.add_row(step.id, step.name, step.state, told(step.created), ended, why)
    console.print(table)


def told(time: datetime) -> str:
    """A time to the minute, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _of(fleet: Mapping[str, Any], kind: str) -> str:
    """How many are there of how many."""
    return (
        f"{fleet.get(f'Provisioned{kind}Capacity', 0)} of {fleet.get(f'Target{kind}Capacity', 0)}"
    )
