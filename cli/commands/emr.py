"""The command `emr`: the pipeline on a cluster of AWS EMR, with a subcommand for each step of its life."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.output import emr_cluster, emr_plan
from conf.errors import BadSettings
from conf.settings import EmrSettings, Settings
from emr import cluster, package, plan, policies, step_submission


def run(words: Words, settings: Settings, console: Console) -> None:
    """Run the subcommand. Raises BadSettings where the settings have no section [emr]."""
    emr_settings = section(settings)
    # Without a region of its own or of a profile, boto3 asks S3 in a region that the roles are denied.
    os.environ.setdefault("AWS_DEFAULT_REGION", emr_settings.region)
    SUBCOMMANDS[words.doing](words, settings, console)


def section(settings: Settings) -> EmrSettings:
    """Return the settings of the cluster. Raises BadSettings where there are none."""
    if settings.emr is None:
        raise BadSettings(
            'The settings have no section [emr]; use --conf emr, or begin your file with base = "emr".'
        )
    return settings.emr


def run_plan(words: Words, settings: Settings, console: Console) -> None:
    """Show nodes, memory, hours and cost of a run over so many photos.

    Raises BadInput where no cluster ends in time.
    """
    cluster_plan = plan.planned(
        settings,
        section(settings),
        photos=int(words.photos),
        photo_bytes=int(words.photo_bytes),
        hours=float(words.hours),
    )
    emr_plan.show(console, cluster_plan, settings)


def run_policies(words: Words, settings: Settings, console: Console) -> None:
    """Write roles, bucket policies and alarms as files, and with `--apply` also create them."""
    folder = Path(words.out)
    emr_settings = section(settings)
    policies.write_policies(settings, emr_settings, console, folder=folder, applies=words.apply)


def run_package(words: Words, settings: Settings, console: Console) -> None:
    """Build the package that the cluster runs, and upload it to S3."""
    package.make_package(settings, section(settings), console)


def run_launch(words: Words, settings: Settings, console: Console) -> None:
    """Launch the cluster where it doesn't exist, and wait until it takes steps."""
    cluster.launch(settings, section(settings), console)


def run_submit(words: Words, settings: Settings, console: Console) -> None:
    """Run layers on the cluster, and wait for the end."""
    emr_settings = section(settings)
    cluster.check_places(settings, emr_settings)
    step_submission.submit(
        settings, emr_settings, console, layer=words.step_layer, sha256=words.package
    )


def run_status(words: Words, settings: Settings, console: Console) -> None:
    """Show the newest cluster, its nodes and its last steps."""
    emr_settings = section(settings)
    report = cluster.report(emr_settings)
    if report is None:
        console.print(
            f"There is no cluster {emr_settings.name} in {emr_settings.region}; run.py emr launch makes it."
        )
        return
    emr_cluster.show(console, report)


def run_logs(words: Words, settings: Settings, console: Console) -> None:
    """Show the end of the driver's log of a step, or of the last step."""
    step_submission.logs(section(settings), console, step_id=words.step)


def run_terminate(words: Words, settings: Settings, console: Console) -> None:
    """End the cluster, and wait until it has ended."""
    cluster.terminate(section(settings), console)


SUBCOMMANDS = {
    "plan": run_plan,
    "policies": run_policies,
    "package": run_package,
    "launch": run_launch,
    "submit": run_submit,
    "status": run_status,
    "logs": run_logs,
    "terminate": run_terminate,
}
