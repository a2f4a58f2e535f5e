"""`emr`: the pipeline on a cluster of AWS EMR, a subcommand for each step of its life."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.console import Console

from cli.command import Command, Parser, Words
from cli.tables import emr_cluster, emr_plan
from conf.errors import BadInput, BadSettings
from conf.settings import EmrSettings, Settings
from emr import cluster, package, plan, policies, steps

PHOTO_BYTES, HOURS, FOLDER = "100000", "1", "policies"


def run(words: Words, settings: Settings, console: Console) -> None:
    """Does what the subcommand says. Raises BadSettings where the settings have no section [emr]."""
    own = section(settings)
    # Where neither this nor a profile names one, boto3 asks S3 in a region that the roles are denied.
    os.environ.setdefault("AWS_DEFAULT_REGION", own.region)
    BY_NAME[words.doing].run(words, settings, console)


def section(settings: Settings) -> EmrSettings:
    """The settings of the cluster. Raises BadSettings where there are none."""
    if settings.emr is None:
        raise BadSettings(
            "The settings lack the section [emr]; add it, or take those of --conf emr."
        )
    return settings.emr


def run_plan(words: Words, settings: Settings, console: Console) -> None:
    """Shows nodes, hours and cost. Raises BadInput for a number that is none, and where no cluster ends in
    time."""
    made = plan.planned(
        settings,
        section(settings),
        photos=_whole("--photos", words.photos),
        photo_bytes=_whole("--photo-bytes", words.photo_bytes or PHOTO_BYTES),
        hours=_hours(words.hours or HOURS),
    )
    emr_plan.show(console, made, settings)


def _whole(flag: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
        raise BadInput(f"{flag} {text} is no whole number above 0; write it as 1000000.")
    return int(text)


def _hours(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) or not float(text):
        raise BadInput(f"--hours {text} is no number of hours above 0; write it as 1.5.")
    return float(text)


def run_policies(words: Words, settings: Settings, console: Console) -> None:
    """Writes roles, bucket policies and alarms as files, and with `--apply` creates them."""
    folder = Path(words.out or FOLDER)
    own = section(settings)
    policies.write_policies(settings, own, console, folder=folder, applies=words.apply)


def run_package(words: Words, settings: Settings, console: Console) -> None:
    """Makes the package that the cluster runs, and puts it into S3."""
    package.make_package(settings, section(settings), console)


def run_launch(words: Words, settings: Settings, console: Console) -> None:
    """Launches the cluster where it isn't there yet, and waits until it takes steps."""
    cluster.launch(settings, section(settings), console)


def run_submit(words: Words, settings: Settings, console: Console) -> None:
    """Runs layers on the cluster, and waits for their end."""
    own = section(settings)
    cluster.check_places(settings, own)
    steps.submit(settings, own, console, layer=words.step_layer, sha256=words.package)


def run_status(words: Words, settings: Settings, console: Console) -> None:
    """Shows the newest cluster, its nodes and its last steps."""
    own = section(settings)
    found = cluster.report(own)
    if found is None:
        console.print(
            f"There is no cluster {own.name} in {own.region}; run.py emr launch makes it."
        )
        return
    emr_cluster.show(console, found)


def run_logs(words: Words, settings: Settings, console: Console) -> None:
    """Shows the end of the driver's log of a step."""
    steps.logs(section(settings), console, step_id=words.step)


def run_terminate(words: Words, settings: Settings, console: Console) -> None:
    """Ends the cluster, and waits until it has ended."""
    cluster.terminate(section(settings), console)


def _add_plan(parser: Parser) -> None:
    parser.add_argument("--photos", metavar="N", required=True)
    parser.add_argument(
        "--photo-bytes", metavar="BYTES", help="of a photo, on average (default: 100000)"
    )
    parser.add_argument("--hours", metavar="H", help="the time that it may take (default: 1)")


def _add_policies(parser: Parser) -> None:
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (default: policies)")
    parser.add_argument("--apply", action="store_true", help="… and create them in the account")


def _add_submit(parser: Parser) -> None:
    parser.add_argument("--layer", metavar="LAYER", dest="step_layer", default="all")
    parser.add_argument(
        "--package", metavar="SHA256", help="an earlier one (default: of this code)"
    )


def _add_logs(parser: Parser) -> None:
    parser.add_argument("--step", metavar="ID", help="(default: the last one)")


SUBCOMMANDS = (
    Command(
        name="plan",
        help="nodes, memory, hours and cost for so many photos",
        example=(
            "emr plan --photos 10000000 --hours 2",
            "what a run over so many takes and costs",
        ),
        run=run_plan,
        add_arguments=_add_plan,
    ),
    Command(
        name="policies",
        help="IAM roles, bucket policies and lifecycle rules as JSON",
        example=("emr policies --out policies", "roles, bucket policies and alarms, to read"),
        run=run_policies,
        add_arguments=_add_policies,
    ),
    Command(
        name="package",
        help="code, wheels, settings and the model, to S3",
        example=("emr package", "what the cluster runs, to the bucket for artifacts"),
        run=run_package,
    ),
    Command(
        name="launch",
        help="the cluster, where it isn't there yet",
        example=("emr launch", "the cluster, where it isn't there yet"),
        run=run_launch,
    ),
    Command(
        name="submit",
        help="a run of layers on the cluster",
        example=("emr submit --layer all", "a run on the cluster, waited for"),
        run=run_submit,
        add_arguments=_add_submit,
    ),
    Command(
        name="status",
        help="the cluster, its nodes and its steps",
        example=("emr status", "the cluster, its nodes and its steps"),
        run=run_status,
    ),
    Command(
        name="logs",
        help="the end of the driver's log of a step",
        example=("emr logs", "the end of the last step's log"),
        run=run_logs,
        add_arguments=_add_logs,
    ),
    Command(
        name="terminate",
        help="end the cluster; S3 keeps everything",
        example=("emr terminate", "the cluster's end; S3 keeps everything"),
        run=run_terminate,
    ),
)

BY_NAME = {command.name: command for command in SUBCOMMANDS}

COMMAND = Command(
    name="emr",
    help="the pipeline on a cluster of AWS EMR",
    example=("emr plan --photos 10000000", "nodes, hours and cost of a run over so many"),
    run=run,
    settings_name="emr",
    makes_buckets=True,
    subcommands=SUBCOMMANDS,
)
