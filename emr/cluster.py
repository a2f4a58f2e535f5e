"""Launches, reports on and terminates the cluster. There is at most one with the settings' name and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from conf.errors import BadInput, FruitLakeError
from conf.settings import EmrSettings, Settings
from emr import (
    account,
    cluster_state,
    launch_request,
    node_processors,
    security_configuration,
)
from emr.cluster_state import Cluster, Step
from lake import aws
from lake.storage import s3_requests

STEPS_SHOWN = 10


def launch(settings: Settings, emr_settings: EmrSettings, console: Console) -> None:
    """Launch the cluster where it doesn't exist, and wait until it takes steps.

    Raises BadInput (its nodes can't run the extractor, there are no subnets, certificates, key or bucket, or
    AWS refuses the request), Refused
    (the cluster or a bucket lies in a region that is not allowed), FruitLakeError (a quota is used up, or the
    cluster ended before it was ready).
    """
    node_processors.check(settings.model, emr_settings)
    check_places(settings, emr_settings)
    cluster = cluster_state.newest(emr_settings, cluster_state.ACTIVE)
    if cluster is None:
        cluster = _keep_oldest(emr_settings, console, _launch_new(emr_settings))
    else:
        console.print(f"cluster {cluster.id} is already there: {cluster.state}.", soft_wrap=True)
    try:
        _wait_until_ready(emr_settings, console, cluster)
    except KeyboardInterrupt:
        console.print(
            f"cluster {cluster.id} goes on without this command; run.py emr status shows it, run.py emr "
            f"terminate ends it.",
            soft_wrap=True,
        )
        raise


def check_places(settings: Settings, emr_settings: EmrSettings) -> None:
    """Check the regions of the cluster and of all buckets.

    Raises BadInput where a bucket doesn't exist or an address is none, and Refused where the cluster's region
    is not allowed or a bucket lies in another one.
    """
    account.check_region(settings, emr_settings)
    for name in account.places(settings, emr_settings).buckets:
        account.check_bucket_region(name, s3_requests.bucket_region(name), emr_settings)


def _launch_new(emr_settings: EmrSettings) -> Cluster:
    """Launch a new cluster. Raises BadInput where subnets, certificates or the key are missing."""
    security_configuration.check_certificates(emr_settings)
    if not emr_settings.subnets:
        raise BadInput(
            "emr.subnets is empty; name subnets of one VPC, as --set 'emr.subnets=[\"subnet-…\"]'."
        )
    key = account.find_key_arn(emr_settings)
    if key is None:
        raise BadInput(
            f"There is no key {emr_settings.kms_key} in {emr_settings.region}; run.py emr policies --apply "
            f"makes it, or name another (emr.kms_key)."
        )
    security = security_configuration.ensure_configuration(emr_settings, key)
    request = launch_request.run_job_flow(emr_settings, security=security, key=key)
    with aws.asking("to launch the cluster"):
        cluster_id = aws.client("emr", emr_settings.region).run_job_flow(**request)["JobFlowId"]
    return cluster_state.cluster(emr_settings, cluster_id)


def _keep_oldest(emr_settings: EmrSettings, console: Console, launched: Cluster) -> Cluster:
    """Return the oldest active cluster, and end the one that was just launched where that is another.

    So one cluster is left where two people launch at the same time.
    """
    oldest = min(
        [launched, *cluster_state.clusters(emr_settings, cluster_state.ACTIVE)],
        key=lambda each: (each.created, each.id),
    )
    if oldest.id == launched.id:
        console.print(f"cluster {launched.id}: made.", soft_wrap=True)
        return launched
    _end(emr_settings, launched.id)
    console.print(
        f"cluster {oldest.id} was launched by somebody else just before, so {launched.id} is ended again.",
        soft_wrap=True,
    )
    return oldest


def _wait_until_ready(emr_settings: EmrSettings, console: Console, cluster: Cluster) -> None:
    """Wait until the cluster takes steps. Raises FruitLakeError where it ends before that."""
    seen = cluster_state.watch(
        console,
        f"cluster {cluster.id}",
        lambda: cluster_state.cluster(emr_settings, cluster.id),
        lambda each: each.state not in cluster_state.STARTING,
    )
    if seen.state in cluster_state.ACTIVE:
        console.print("run.py emr submit runs layers on it.")
        return
    raise FruitLakeError(
        f"The cluster {seen.id} ended before it was ready ({seen.reason}); correct that (a quota or a vCPU "
        f"limit: ask for more under Service Quotas; no capacity: name more instance types or subnets), and "
        f"launch again."
    )


@dataclass(frozen=True)
class ClusterReport:
    """A cluster, its instance fleets as EMR describes them, and its last steps, the newest first."""

    cluster: Cluster
    fleets: Sequence[Mapping[str, Any]]
    steps: Sequence[Step]


def report(emr_settings: EmrSettings) -> ClusterReport | None:
    """Return the report of the newest cluster, which may have ended, or None where there never was one."""
    cluster = cluster_state.newest(emr_settings, cluster_state.ANY)
    if cluster is None:
        return None
    with aws.asking(f"the nodes of {cluster.id}"):
        client = aws.client("emr", emr_settings.region)
        fleets = client.list_instance_fleets(ClusterId=cluster.id)["InstanceFleets"]
    steps = cluster_state.steps(emr_settings, cluster.id)[:STEPS_SHOWN]
    return ClusterReport(cluster, fleets, steps)


def terminate(emr_settings: EmrSettings, console: Console) -> None:
    """End every cluster with the settings' name and tags, and wait until they have ended."""
    states = (*cluster_state.ACTIVE, "TERMINATING")
    clusters = list(cluster_state.clusters(emr_settings, states))
    if not clusters:
        console.print(f"There is no cluster {emr_settings.name} in {emr_settings.region} to end.")
        return
    for cluster in clusters:
        if cluster.state != "TERMINATING":
            _end(emr_settings, cluster.id)
    for cluster in clusters:
        _wait_until_ended(emr_settings, console, cluster.id)
    console.print(
        "The cluster has ended; photos, tables, packages and logs are in S3, as they were. The next run "
        "completes a run that was cut off.",
        soft_wrap=True,
    )


def _wait_until_ended(emr_settings: EmrSettings, console: Console, cluster_id: str) -> None:
    cluster_state.watch(
        console,
        f"cluster {cluster_id}",
        lambda: cluster_state.cluster(emr_settings, cluster_id),
        lambda cluster: cluster.state in cluster_state.ENDED,
    )


def _end(emr_settings: EmrSettings, cluster_id: str) -> None:
    with aws.asking(f"to end the cluster {cluster_id}"):
        aws.client("emr", emr_settings.region).terminate_job_flows(JobFlowIds=[cluster_id])
