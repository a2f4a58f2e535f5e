"""The command `emr` and its subcommands."""

from __future__ import annotations

import re

from cli.command import Command, Words
from cli.parameters import PATH, Flag, Option
from conf.errors import BadInput
from lake.enums import LAYERS

PHOTOS, PHOTO_BYTES, HOURS, FOLDER = "1000000", "100000", "1", "policies"
"""The defaults of --photos, --photo-bytes, --hours and --out."""


def _check_plan(words: Words) -> None:
    for flag, text in (("--photos", words.photos), ("--photo-bytes", words.photo_bytes)):
        if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
            raise BadInput(f"{flag} {text} is no whole number above 0; write it as 1000000.")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", words.hours) or not float(words.hours):
        raise BadInput(f"--hours {words.hours} is no number of hours above 0; write it as 1.5.")


SUBCOMMANDS = (
    Command(
        name="plan",
        help="nodes, memory, hours and cost for so many photos",
        example=(
            "emr plan --photos 10000000 --hours 2",
            "what a run over so many photos takes and costs",
        ),
        parameters=(
            Option("--photos", "N", "how many photos a run takes", default=PHOTOS),
            Option("--photo-bytes", "BYTES", "the average size of a photo", default=PHOTO_BYTES),
            Option("--hours", "H", "the hours that a run may take", default=HOURS),
        ),
        check=_check_plan,
    ),
    Command(
        name="policies",
        help="IAM roles, bucket policies, lifecycle rules and alarms as JSON",
        example=(
            "emr policies --out policies",
            "write roles, bucket policies and alarms to read them",
        ),
        parameters=(
            Option("--out", "FOLDER", "where the files go", default=FOLDER, type=PATH),
            Flag("--apply", "also create them in the account"),
        ),
    ),
    Command(
        name="package",
        help="upload code, wheels, settings and the model to S3",
        example=("emr package", "upload what the cluster runs to the bucket for artifacts"),
    ),
    Command(
        name="launch",
        help="launch the cluster where it doesn't exist",
        example=("emr launch", "launch the cluster where it doesn't exist"),
    ),
    Command(
        name="submit",
        help="run layers on the cluster",
        example=("emr submit --layer all", "run all layers on the cluster, and wait for the end"),
        parameters=(
            Option(
                "--layer",
                "LAYER",
                "bronze, silver, gold or all",
                stored_as="step_layer",
                default="all",
                choices=(*LAYERS, "all"),
            ),
            Option("--package", "SHA256", "an earlier package (default: the newest one)"),
        ),
    ),
    Command(
        name="status",
        help="show the cluster, its nodes and its steps",
        example=("emr status", "show the cluster, its nodes and its steps"),
    ),
    Command(
        name="logs",
        help="show the end of the driver's log of a step",
        example=("emr logs", "show the end of the last step's log"),
        parameters=(Option("--step", "ID", "a step of the cluster (default: the last one)"),),
    ),
    Command(
        name="terminate",
        help="end the cluster; S3 keeps everything",
        example=("emr terminate", "end the cluster; S3 keeps everything"),
    ),
)

COMMANDS = (
    Command(
        name="emr",
        help="the pipeline on a cluster of AWS EMR",
        example=(
            "emr plan --photos 10000000",
            "nodes, hours and cost of a run over so many photos",
        ),
        settings_name="emr",
        makes_buckets=True,
        subcommands=SUBCOMMANDS,
    ),
)
