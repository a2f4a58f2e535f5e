"""The command `emr`: the pipeline on a cluster of AWS EMR, with a subcommand for each step of its life."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.console import Console

from cli.command import Command, Parser, Words
from cli.output import emr_cluster, emr_plan
from conf.errors import BadInput, BadSettings
from conf.settings import EmrSettings, Settings
from emr import cluster, package, plan, policies, step_submission

PHOTO_BYTES, HOURS, FOLDER = "100000", "1", "policies"
"""The defaults of --photo-bytes, --hours and --out."""


def run(words: Words, settings: Settings, console: Console) -> None:
    """Run the subcommand. Raises BadSettings where the settings have no section [emr]."""
    emr_settings = section(settings)
    # Without a region of its own or of a profile, boto3 asks S3 in a region that the roles are denied.
    os.environ.setdefault("AWS_DEFAULT_REGION", emr_settings.region)
    BY_NAME[words.doing].run(words, settings, console)


def section(settings: Settings) -> EmrSettings:
    """Return the settings of the cluster. Raises BadSettings where there are none."""
    if settings.emr is None:
        raise BadSettings(
            'The settings have no section [emr]; use --conf emr, or begin your file with base = "emr".'
        )
    return settings.emr


def run_plan(words: Words, settings: Settings, console: Console) -> None:
    """Show nodes, memory, hours and cost of a run over so many photos.

    Raises BadInput where an argument is no number above 0, or where no cluster ends in time.
    """
    cluster_plan = plan.planned(
        settings,
        section(settings),
        photos=_whole("--photos", words.photos),
        photo_bytes=_whole("--photo-bytes", words.photo_bytes or PHOTO_BYTES),
        hours=_hours(words.hours or HOURS),
    )
    emr_plan.show(console, cluster_plan, settings)


def _whole(flag: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
        raise BadInput(f"{flag} {text} is no whole number above 0; write it as 1000000.")
    return int(text)


def _hours(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) or not float(text):
        raise BadInput(f"--hours {text} is no number of hours above 0; write it as 1.5.")
    return float(text)


def run_policies(words: Words, settings: Settings, console: Console) -> None:
    """Write roles, bucket policies and alarms as files, and with `--apply` also create them."""
    folder = Path(words.out or FOLDER)
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


def _add_plan(parser: Parser) -> None:
    parser.add_argument("--photos", metavar="N", required=True)
    parser.add_argument(
        "--photo-bytes", metavar="BYTES", help="the average size of a photo (default: 100000)"
    )
    parser.add_argument("--hours", metavar="H", help="the hours that a run may take (default: 1)")


def _add_policies(parser: Parser) -> None:
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (default: policies)")
    parser.add_argument("--apply", action="store_true", help="also create them in the account")


def _add_submit(parser: Parser) -> None:
    parser.add_argument("--layer", metavar="LAYER", dest="step_layer", default="all")
    parser.add_argument(
        "--package", metavar="SHA256", help="an earlier package (default: the newest one)"
    )


def _add_logs(parser: Parser) -> None:
    parser.add_argument(
        "--step", metavar="ID", help="a step of the cluster (default: the last one)"
    )


SUBCOMMANDS = (
    Command(
        name="plan",
        help="nodes, memory, hours and cost for so many photos",
        example=(
            "emr plan --photos 10000000 --hours 2",
            "what a run over so many photos takes and costs",
        ),
        run=run_plan,
        add_arguments=_add_plan,
    ),
    Command(
        name="policies",
        help="IAM roles, bucket policies, lifecycle rules and alarms as JSON",
        example=(
            "emr policies --out policies",
            "write roles, bucket policies and alarms to read them",
        ),
        run=run_policies,
        add_arguments=_add_policies,
    ),
    Command(
        name="package",
        help="upload code, wheels, settings and the model to S3",
        example=("emr package", "upload what the cluster runs to the bucket for artifacts"),
        run=run_package,
    ),
    Command(
        name="launch",
        help="launch the cluster where it doesn't exist",
        example=("emr launch", "launch the cluster where it doesn't exist"),
        run=run_launch,
    ),
    Command(
        name="submit",
        help="run layers on the cluster",
        example=("emr submit --layer all", "run all layers on the cluster, and wait for the end"),
        run=run_submit,
        add_arguments=_add_submit,
    ),
    Command(
        name="status",
        help="show the cluster, its nodes and its steps",
        example=("emr status", "show the cluster, its nodes and its steps"),
        run=run_status,
    ),
    Command(
        name="logs",
        help="show the end of the driver's log of a step",
        example=("emr logs", "show the end of the last step's log"),
        run=run_logs,
        add_arguments=_add_logs,
    ),
    Command(
        name="terminate",
        help="end the cluster; S3 keeps everything",
        example=("emr terminate", "end the cluster; S3 keeps everything"),
        run=run_terminate,
    ),
)

BY_NAME = {command.name: command for command in SUBCOMMANDS}

COMMAND = Command(
    name="emr",
    help="the pipeline on a cluster of AWS EMR",
    example=("emr plan --photos 10000000", "nodes, hours and cost of a run over so many photos"),
    run=run,
    settings_name="emr",
    makes_buckets=True,
    subcommands=SUBCOMMANDS,
)
