"""Runs layers as a step of the cluster: submits the step, waits for its end, and shows its log."""

from __future__ import annotations

from rich.console import Console

from conf.errors import BadInput, FruitLakeError, hint
from conf.identifiers import named
from conf.settings import EmrSettings, Settings
from emr import cluster_state, driver_logs, package
from emr.cluster_state import Cluster, Step
from emr.driver_logs import DriverLog
from lake import aws
from lake.enums import LAYERS

LOG_ATTEMPTS = 28
"""How often a log is looked for, `cluster_state.POLL_SECONDS` apart. That makes seven minutes; EMR copies
logs to S3 every five."""


def submit(
    settings: Settings,
    emr_settings: EmrSettings,
    console: Console,
    *,
    layer: str,
    sha256: str | None,
) -> None:
    """Run a layer, or `all`, on the cluster, and wait for the end.

    The run takes the package with that SHA-256, or the newest one for None. Where the same run is already on
    the cluster and has not ended, it is waited for and not submitted again. Raises BadInput (there is no such
    layer, no cluster or no package), FruitLakeError (the step failed, or its cluster ended).
    """
    if layer not in (*LAYERS, "all"):
        otherwise = f"name one of {', '.join(LAYERS)} or all."
        raise BadInput(f"There is no layer {layer}; {hint(layer, LAYERS, otherwise=otherwise)}")
    cluster = cluster_state.newest(emr_settings, cluster_state.ACTIVE)
    if cluster is None:
        raise BadInput(f"There is no cluster {emr_settings.name}; run.py emr launch makes it.")
    step_id = _find_or_submit(settings, emr_settings, console, cluster, layer, sha256)
    try:
        _follow(emr_settings, console, cluster, step_id)
    except KeyboardInterrupt:
        console.print(
            f"step {step_id} goes on without this command; run.py emr status shows it, run.py emr logs "
            f"--step {step_id} the end of its log.",
            soft_wrap=True,
        )
        raise


def _find_or_submit(
    settings: Settings,
    emr_settings: EmrSettings,
    console: Console,
    cluster: Cluster,
    layer: str,
    sha256: str | None,
) -> str:
    """Return the id of the step that runs the layer with the package, which is submitted where there is none.

    A step's name says which layer and package it runs.
    """
    used = package.by_sha256(emr_settings, sha256) if sha256 else package.latest(emr_settings)
    name = f"{layer} {used.sha256[:12]}"
    steps = cluster_state.steps(emr_settings, cluster.id)
    running = [step for step in steps if step.name == name and not step.is_over]
    if running:
        first = running[-1]
        console.print(f"step {first.id} is already there: {first.state}.", soft_wrap=True)
        return first.id
    command = package.spark_submit(used, emr_settings, settings, layer)
    step_id = _add_step(emr_settings, cluster, name, command)
    console.print(f"step {step_id} on {cluster.id}: {layer}, package {used.sha256}", soft_wrap=True)
    return step_id


def _add_step(emr_settings: EmrSettings, cluster: Cluster, name: str, command: list[str]) -> str:
    """Submit a step and return its id. If the step fails, the cluster goes on and takes the next one."""
    jar = {"Jar": "command-runner.jar", "Args": command}
    step = {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
    with aws.asking("to submit the step"):
        client = aws.client("emr", emr_settings.region)
        answer = client.add_job_flow_steps(JobFlowId=cluster.id, Steps=[step])
    return str(answer["StepIds"][0])


def _follow(emr_settings: EmrSettings, console: Console, cluster: Cluster, step_id: str) -> None:
    """Wait until the step is over. Raises FruitLakeError where it didn't complete."""
    step = cluster_state.watch(
        console,
        f"step {step_id}",
        lambda: cluster_state.step(emr_settings, cluster.id, step_id),
        lambda each: each.is_over,
    )
    if step.state == "COMPLETED":
        return
    now = cluster_state.cluster(emr_settings, cluster.id)
    if now.state not in cluster_state.ACTIVE:
        raise FruitLakeError(
            f"The cluster {now.id} ended while the step {step_id} ran ({now.reason}); launch it again and "
            f"submit the same layer: it goes on where it stopped."
        )
    if step.state == "CANCELLED":
        raise FruitLakeError(
            f"The step {step_id} was cancelled; submit the layer again: it goes on where it stopped."
        )
    _show_failure(emr_settings, console, cluster, step)


def _show_failure(
    emr_settings: EmrSettings, console: Console, cluster: Cluster, step: Step
) -> None:
    """Show the end of a failed step's log.

    Raises FruitLakeError, with the error that run.py printed where the log has one.
    """
    log = _wait_for_log(emr_settings, console, cluster, step)
    if log is None:
        driver_logs.show(console, driver_logs.step_log(emr_settings, cluster.id, step.id))
        raise FruitLakeError(
            f"The step {step.id} failed ({step.reason}) and there is no log of its driver in S3 yet; see "
            f"run.py emr logs --step {step.id} in some minutes."
        )
    driver_logs.show(console, log.ends)
    raise FruitLakeError(
        f"The step {step.id} failed: {log.error or f'{step.reason}; the end of its log is above.'}"
    )


def _wait_for_log(
    emr_settings: EmrSettings, console: Console, cluster: Cluster, step: Step
) -> DriverLog | None:
    """Return the log of the step's driver, or None where it isn't in S3 after LOG_ATTEMPTS."""
    with console.status("waiting for the log"):
        for attempt in range(LOG_ATTEMPTS):
            if attempt:
                cluster_state.pause()
            if log := driver_logs.driver_log(emr_settings, cluster.id, step.id):
                return log
    return None


def logs(emr_settings: EmrSettings, console: Console, *, step_id: str | None) -> None:
    """Show the end of the driver's log of a step, or of the last step for None.

    The cluster may have ended. Raises BadInput where there is no cluster, no such step, or no log yet.
    """
    cluster = cluster_state.newest(emr_settings, cluster_state.ANY)
    if cluster is None:
        raise BadInput(
            f"There is no cluster {emr_settings.name} in {emr_settings.region}, so there is no log; run.py "
            f"emr launch makes the cluster."
        )
    step_ids = [step.id for step in cluster_state.steps(emr_settings, cluster.id)]
    if not step_ids:
        raise BadInput(f"The cluster {cluster.id} has no steps; run.py emr submit makes one.")
    last = f"the last ones of {cluster.id} are {', '.join(step_ids[:5])}."
    shown = named(step_id, step_ids, what="step", otherwise=last) if step_id else step_ids[0]
    log = driver_logs.driver_log(emr_settings, cluster.id, shown)
    ends = log.ends if log else driver_logs.step_log(emr_settings, cluster.id, shown)
    if not ends:
        raise BadInput(
            f"There is no log of {shown} in S3 yet; it comes within five minutes of the step's end."
        )
    driver_logs.show(console, ends)
