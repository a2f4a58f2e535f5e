"""`run.py emr launch|submit|status|logs|terminate`: one cluster of the settings' name and tags, at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from conf.errors import BadInput, FruitLakeError
from conf.settings import EmrSettings, Settings
from emr import account, cluster_state, launch_request, security_configuration
from emr.cluster_state import Cluster, Step
from lake import aws
from lake.storage import s3_requests

STEPS_SHOWN = 10


def launch(settings: Settings, own: EmrSettings, console: Console) -> None:
    """Makes the cluster where there is none, and waits until it takes steps.

    Raises BadInput (no subnets, certificates, key or bucket; what AWS refuses), Refused (the cluster or a
    bucket lies where it may not), FruitLakeError (a quota; it ended before it was ready).
    """
    check_places(settings, own)
    found = cluster_state.newest(own, cluster_state.ACTIVE)
    if found is None:
        found = _only(own, console, _made(own))
    else:
        console.print(f"cluster {found.id} is already there: {found.state}.", soft_wrap=True)
    try:
        _ready(own, console, found)
    except KeyboardInterrupt:
        console.print(
            f"cluster {found.id} goes on without this command; run.py emr status shows it, run.py emr "
            f"terminate ends it.",
            soft_wrap=True,
        )
        raise


def check_places(settings: Settings, own: EmrSettings) -> None:
    """Raises BadInput (a bucket is not there, or no address), Refused (one lies in another region than the
    cluster, or the cluster where it may not)."""
    account.check_region(settings, own)
    for name in account.places(settings, own).buckets:
        account.check_bucket(name, s3_requests.bucket_region(name), own)


def _made(own: EmrSettings) -> Cluster:
    security_configuration.check_certificates(own)
    if not own.subnets:
        raise BadInput(
            "emr.subnets is empty; name subnets of one VPC, as --set 'emr.subnets=[\"subnet-…\"]'."
        )
    key = account.key_of(own)
    if key is None:
        raise BadInput(
            f"There is no key {own.kms_key} in {own.region}; run.py emr policies --apply makes it, or name "
            f"another (emr.kms_key)."
        )
    name = security_configuration.configured(own, key)
    asked = launch_request.run_job_flow(own, security=name, key=key)
    with aws.asking("to launch the cluster"):
        made = aws.client("emr", own.region).run_job_flow(**asked)["JobFlowId"]
    return cluster_state.cluster(own, made)


def _only(own: EmrSettings, console: Console, made: Cluster) -> Cluster:
    """The cluster that was made, or an older one: of two that were launched at once the later one ends."""
    first = min(
        [made, *cluster_state.clusters(own, cluster_state.ACTIVE)],
        key=lambda each: (each.created, each.id),
    )
    if first.id == made.id:
        console.print(f"cluster {made.id}: made.", soft_wrap=True)
        return made
    _end(own, made.id)
    console.print(
        f"cluster {first.id} was launched by somebody else just before: {made.id} is ended again.",
        soft_wrap=True,
    )
    return first


def _ready(own: EmrSettings, console: Console, found: Cluster) -> None:
    seen = cluster_state.watched(
        console,
        f"cluster {found.id}",
        lambda: cluster_state.cluster(own, found.id),
        lambda cluster: cluster.state not in cluster_state.STARTING,
    )
    if seen.state in cluster_state.ACTIVE:
        console.print("run.py emr submit runs layers on it.")
        return
    raise FruitLakeError(
        f"The cluster {seen.id} ended before it was ready ({seen.why}); set that right (a quota or a vCPU "
        f"limit: ask for more under Service Quotas; no capacity: name more instance types or subnets), and "
        f"launch again."
    )


@dataclass(frozen=True)
class ClusterReport:
    """A cluster with its instance fleets, as EMR describes them, and its last steps, the newest first."""

    cluster: Cluster
    fleets: Sequence[Mapping[str, Any]]
    steps: Sequence[Step]


def report(own: EmrSettings) -> ClusterReport | None:
    """The newest cluster, also one that has ended; None where there never was one."""
    found = cluster_state.newest(own, cluster_state.ANY)
    if found is None:
        return None
    with aws.asking(f"the nodes of {found.id}"):
        fleets = aws.client("emr", own.region).list_instance_fleets(ClusterId=found.id)
    steps = cluster_state.steps(own, found.id)[:STEPS_SHOWN]
    return ClusterReport(found, fleets["InstanceFleets"], steps)


def terminate(own: EmrSettings, console: Console) -> None:
    """Ends every cluster of ours, and waits until it has ended."""
    found = list(cluster_state.clusters(own, (*cluster_state.ACTIVE, "TERMINATING")))
    if not found:
        console.print(f"There is no cluster {own.name} in {own.region} to end.")
        return
    for each in found:
        if each.state != "TERMINATING":
            _end(own, each.id)
    for each in found:
        _gone(own, console, each.id)
    console.print(
        "ended; photos, tables, packages and logs are in S3, as they were. A run that was cut off is "
        "finished by the next one.",
        soft_wrap=True,
    )


def _gone(own: EmrSettings, console: Console, cluster_id: str) -> None:
    cluster_state.watched(
        console,
        f"cluster {cluster_id}",
        lambda: cluster_state.cluster(own, cluster_id),
        lambda cluster: cluster.state in cluster_state.ENDED,
    )


def _end(own: EmrSettings, cluster_id: str) -> None:
    with aws.asking(f"to end the cluster {cluster_id}"):
        aws.client("emr", own.region).terminate_job_flows(JobFlowIds=[cluster_id])
