"""A run of layers as a step of the cluster, from its submission to the end of its log."""

from __future__ import annotations

import time

from rich.console import Console

from conf.errors import BadInput, FruitLakeError, hint
from conf.settings import EmrSettings, Settings
from emr import cluster_state, driver_logs, package
from emr.cluster_state import Cluster, Step
from emr.driver_logs import DriverLog
from lake import aws
from lake.column_values import LAYERS

LOOKS = 28
"""How often a log is looked for, `state.POLL` seconds apart: seven minutes, as EMR brings logs each five."""


def submit(
    settings: Settings, own: EmrSettings, console: Console, *, layer: str, sha256: str | None
) -> None:
    """Runs layers on the cluster with a package, the newest one or that of `sha256`, and waits for the end.

    The same run that is there already, and has not ended, is waited for and not run twice. Raises BadInput
    (no such layer, no cluster, no package), FruitLakeError (the step failed, or its cluster ended).
    """
    if layer not in (*LAYERS, "all"):
        otherwise = f"name one of {', '.join(LAYERS)} or all."
        raise BadInput(f"There is no layer {layer}; {hint(layer, LAYERS, otherwise=otherwise)}")
    cluster = cluster_state.newest(own, cluster_state.ACTIVE)
    if cluster is None:
        raise BadInput(f"There is no cluster {own.name}; run.py emr launch makes it.")
    used = package.named(own, sha256) if sha256 else package.latest(own)
    name = f"{layer} {used.sha256[:12]}"
    running = [
        each
        for each in cluster_state.steps(own, cluster.id)
        if each.name == name and not each.is_over
    ]
    if running:
        step_id = running[-1].id
        console.print(f"step {step_id} is already there: {running[-1].state}.", soft_wrap=True)
    else:
        command = package.spark_submit(used, own, settings, layer)
        step_id = _added(own, cluster, name, command)
        console.print(
            f"step {step_id} on {cluster.id}: {layer}, package {used.sha256}", soft_wrap=True
        )
    try:
        _followed(own, console, cluster, step_id)
    except KeyboardInterrupt:
        console.print(
            f"step {step_id} goes on without this command; run.py emr status shows it, run.py emr logs "
            f"--step {step_id} the end of its log.",
            soft_wrap=True,
        )
        raise


def _added(own: EmrSettings, cluster: Cluster, name: str, command: list[str]) -> str:
    """A step that fails leaves the cluster as it is, for the next one."""
    jar = {"Jar": "command-runner.jar", "Args": command}
    step = {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
    with aws.asking("to submit the step"):
        added = aws.client("emr", own.region).add_job_flow_steps(JobFlowId=cluster.id, Steps=[step])
    return str(added["StepIds"][0])


def _followed(own: EmrSettings, console: Console, cluster: Cluster, step_id: str) -> None:
    seen = cluster_state.watched(
        console,
        f"step {step_id}",
        lambda: cluster_state.step(own, cluster.id, step_id),
        lambda step: step.is_over,
    )
    if seen.state == "COMPLETED":
        return
    now = cluster_state.cluster(own, cluster.id)
    if now.state not in cluster_state.ACTIVE:
        raise FruitLakeError(
            f"The cluster {now.id} ended while the step {step_id} ran ({now.why}); launch it again and "
            f"submit the same layer: it goes on where it stopped."
        )
    if seen.state == "CANCELLED":
        raise FruitLakeError(
            f"The step {step_id} was cancelled; submit the layer again: it goes on where it stopped."
        )
    _failed(own, console, cluster, seen)


def _failed(own: EmrSettings, console: Console, cluster: Cluster, step: Step) -> None:
    """Shows the end of its log. Raises FruitLakeError, with what run.py said if that is known."""
    found = _awaited(own, console, cluster, step)
    if found is None:
        driver_logs.show(console, driver_logs.step_log(own, cluster.id, step.id))
        raise FruitLakeError(
            f"The step {step.id} failed ({step.why}) and there is no log of its driver in S3 yet; see run.py "
            f"emr logs --step {step.id} in some minutes."
        )
    driver_logs.show(console, found.ends)
    raise FruitLakeError(
        f"The step {step.id} failed: {found.error or f'{step.why}; the end of its log is above.'}"
    )


def _awaited(own: EmrSettings, console: Console, cluster: Cluster, step: Step) -> DriverLog | None:
    with console.status("waiting for the log"):
        for look in range(LOOKS):
            if look:
                time.sleep(cluster_state.POLL)
            if found := driver_logs.driver_log(own, cluster.id, step.id):
                return found
    return None


def logs(own: EmrSettings, console: Console, *, step_id: str | None) -> None:
    """The end of the driver's log of the last step, or of one that is named, also of an ended cluster.

    Raises BadInput: no cluster, no such step, or no log yet.
    """
    cluster = cluster_state.newest(own, cluster_state.ANY)
    if cluster is None:
        raise BadInput(f"There is no cluster {own.name} in {own.region}, and so no log of one.")
    known = [step.id for step in cluster_state.steps(own, cluster.id)]
    if not known:
        raise BadInput(f"The cluster {cluster.id} has no steps; run.py emr submit makes one.")
    wanted = step_id or known[0]
    if wanted not in known:
        raise BadInput(
            f"The cluster {cluster.id} has no step {wanted}; its last ones are {', '.join(known[:5])}."
        )
    found = driver_logs.driver_log(own, cluster.id, wanted)
    ends = found.ends if found else driver_logs.step_log(own, cluster.id, wanted)
    if not ends:
        raise BadInput(
            f"There is no log of {wanted} in S3 yet; it comes within five minutes of the step's end."
        )
    driver_logs.show(console, ends)
