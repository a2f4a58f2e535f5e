"""Clusters and steps as EMR tells of them, and waiting until they are as they should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

from rich.console import Console

from conf.settings import EmrSettings
from emr import account
from lake import aws

STARTING = ("STARTING", "BOOTSTRAPPING")
ACTIVE = (*STARTING, "RUNNING", "WAITING")
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
ANY = (*ACTIVE, "TERMINATING", *ENDED)

POLL = 15.0
"""Seconds between two looks: EMR allows few of them a second for a whole account."""


@dataclass(frozen=True)
class Cluster:
    """A cluster; `why`: what EMR says of its last change of state."""

    id: str
    name: str
    state: str
    why: str
    created: datetime

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """From what DescribeCluster tells."""
        status = told["Status"]
        created = status["Timeline"]["CreationDateTime"]
        return cls(told["Id"], told["Name"], status["State"], _why(status), created)


@dataclass(frozen=True)
class Step:
    """A step; `why`: what EMR says of its failure, if it says anything."""

    id: str
    name: str
    state: str
    why: str
    created: datetime
    ended: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """From what DescribeStep tells, or one of what ListSteps does."""
        status, times = told["Status"], told["Status"]["Timeline"]
        failure = status.get("FailureDetails", {})
        why = failure.get("Message") or failure.get("Reason") or _why(status)
        ended = times.get("EndDateTime")
        return cls(told["Id"], told["Name"], status["State"], why, times["CreationDateTime"], ended)


def _why(status: dict[str, Any]) -> str:
    reason = status.get("StateChangeReason", {})
    return str(reason.get("Message") or reason.get("Code") or "no reason given").rstrip(".")


def clusters(own: EmrSettings, states: Sequence[str]) -> Iterator[Cluster]:
    """Those of the settings' name and tags, the newest first: another project's may have the same name."""
    emr = aws.client("emr", own.region)
    with aws.asking("the clusters"):
        pages = emr.get_paginator("list_clusters").paginate(ClusterStates=list(states))
        found = [each for page in pages for each in page["Clusters"] if each["Name"] == own.name]
    found.sort(key=lambda each: each["Status"]["Timeline"]["CreationDateTime"], reverse=True)
    wanted = account.tags(own).items()
    for each in found:
        told = _described(own, each["Id"])
        if wanted <= {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}.items():
            yield Cluster.of(told)


def newest(own: EmrSettings, states: Sequence[str]) -> Cluster | None:
    """The newest cluster of ours in one of these states."""
    return next(clusters(own, states), None)


def cluster(own: EmrSettings, cluster_id: str) -> Cluster:
    """As it is now."""
    return Cluster.of(_described(own, cluster_id))


def _described(own: EmrSettings, cluster_id: str) -> dict[str, Any]:
    with aws.asking(f"the cluster {cluster_id}"):
        described = aws.client("emr", own.region).describe_cluster(ClusterId=cluster_id)
    told: dict[str, Any] = described["Cluster"]
    return told


def step(own: EmrSettings, cluster_id: str, step_id: str) -> Step:
    """As it is now."""
    with aws.asking(f"the step {step_id}"):
        described = aws.client("emr", own.region).describe_step(
            ClusterId=cluster_id, StepId=step_id
        )
    return Step.of(described["Step"])


def steps(own: EmrSettings, cluster_id: str) -> list[Step]:
    """The last steps of a cluster, the newest first; EMR tells of 50 at once."""
    with aws.asking(f"the steps of {cluster_id}"):
        told = aws.client("emr", own.region).list_steps(ClusterId=cluster_id)["Steps"]
    return sorted(map(Step.of, told), key=lambda each: each.created, reverse=True)


class _HasState(Protocol):
    @property
    def state(self) -> str: ...


Seen = TypeVar("Seen", bound=_HasState)


def watched(
    console: Console, what: str, look: Callable[[], Seen], done: Callable[[Seen], bool]
) -> Seen:
    """Looks until it is done, and says each change of state; what was seen last."""
    told = None
    with console.status(what) as status:
        while True:
            seen = look()
            if seen.state != told:
                console.print(f"{what}: {seen.state}", soft_wrap=True)
                status.update(f"{what}: {seen.state}")
                told = seen.state
            if done(seen):
                return seen
            time.sleep(POLL)
