"""Clusters and steps in the states that EMR reports, and waiting for a state."""

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

POLL_SECONDS = 15.0
"""The seconds between two requests for a state. EMR allows few requests a second for a whole account."""


@dataclass(frozen=True)
class Cluster:
    """A cluster. `reason` is what EMR says about its last change of state."""

    id: str
    name: str
    state: str
    reason: str
    created: datetime

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """Build a cluster from the answer of DescribeCluster."""
        status = description["Status"]
        created = status["Timeline"]["CreationDateTime"]
        return cls(
            description["Id"], description["Name"], status["State"], _reason(status), created
        )


@dataclass(frozen=True)
class Step:
    """A step. `reason` is what EMR says about its failure, or that it gives no reason."""

    id: str
    name: str
    state: str
    reason: str
    created: datetime
    ended: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """Build a step from the answer of DescribeStep, or from one step in the answer of ListSteps."""
        status, times = description["Status"], description["Status"]["Timeline"]
        failure = status.get("FailureDetails", {})
        return cls(
            id=description["Id"],
            name=description["Name"],
            state=status["State"],
            reason=failure.get("Message") or failure.get("Reason") or _reason(status),
            created=times["CreationDateTime"],
            ended=times.get("EndDateTime"),
        )


def _reason(status: dict[str, Any]) -> str:
    reason = status.get("StateChangeReason", {})
    return str(reason.get("Message") or reason.get("Code") or "no reason given").rstrip(".")


def clusters(emr_settings: EmrSettings, states: Sequence[str]) -> Iterator[Cluster]:
    """Yield the clusters in these states that have the settings' name and tags, the newest first.

    The tags count because a cluster of another project may have the same name.
    """
    client = aws.client("emr", emr_settings.region)
    with aws.asking("the clusters"):
        pages = client.get_paginator("list_clusters").paginate(ClusterStates=list(states))
        listed = [each for page in pages for each in page["Clusters"]]
    named = [each for each in listed if each["Name"] == emr_settings.name]
    named.sort(key=lambda each: each["Status"]["Timeline"]["CreationDateTime"], reverse=True)
    our_tags = account.tags(emr_settings).items()
    for each in named:
        description = _describe(emr_settings, each["Id"])
        tags = {tag["Key"]: tag["Value"] for tag in description.get("Tags", [])}
        if our_tags <= tags.items():
            yield Cluster.from_description(description)


def newest(emr_settings: EmrSettings, states: Sequence[str]) -> Cluster | None:
    """Return the newest cluster with the settings' name and tags in one of these states, or None."""
    return next(clusters(emr_settings, states), None)


def cluster(emr_settings: EmrSettings, cluster_id: str) -> Cluster:
    """Return a cluster in its current state."""
    return Cluster.from_description(_describe(emr_settings, cluster_id))


def _describe(emr_settings: EmrSettings, cluster_id: str) -> dict[str, Any]:
    with aws.asking(f"the cluster {cluster_id}"):
        answer = aws.client("emr", emr_settings.region).describe_cluster(ClusterId=cluster_id)
    description: dict[str, Any] = answer["Cluster"]
    return description


def step(emr_settings: EmrSettings, cluster_id: str, step_id: str) -> Step:
    """Return a step in its current state."""
    with aws.asking(f"the step {step_id}"):
        answer = aws.client("emr", emr_settings.region).describe_step(
            ClusterId=cluster_id, StepId=step_id
        )
    return Step.from_description(answer["Step"])


def steps(emr_settings: EmrSettings, cluster_id: str) -> list[Step]:
    """Return the last steps of a cluster, the newest first. EMR returns at most 50 in one answer."""
    with aws.asking(f"the steps of {cluster_id}"):
        answer = aws.client("emr", emr_settings.region).list_steps(ClusterId=cluster_id)
    found = map(Step.from_description, answer["Steps"])
    return sorted(found, key=lambda each: each.created, reverse=True)


class _HasState(Protocol):
    @property
    def state(self) -> str: ...


Seen = TypeVar("Seen", bound=_HasState)


def pause() -> None:
    """Wait POLL_SECONDS, between two requests for a state."""
    time.sleep(POLL_SECONDS)


def watch(
    console: Console, name: str, look: Callable[[], Seen], is_done: Callable[[Seen], bool]
) -> Seen:
    """Call `look` every POLL_SECONDS until `is_done` holds for its result, and return that result.

    Each change of state is printed after `name`.
    """
    printed = None
    with console.status(name) as status:
        while True:
            seen = look()
            if seen.state != printed:
                console.print(f"{name}: {seen.state}", soft_wrap=True)
                status.update(f"{name}: {seen.state}")
                printed = seen.state
            if is_done(seen):
                return seen
            pause()
