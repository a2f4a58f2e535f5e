"""The command `emr` and its subcommands."""

from __future__ import annotations

from cli.command import Command
from cli.parameters import Option, flag
from lake.enums import LAYERS

PHOTO_BYTES, HOURS, FOLDER = "100000", "1", "policies"
"""The defaults of --photo-bytes, --hours and --out."""

SUBCOMMANDS = (
    Command(
        name="plan",
        help="nodes, memory, hours and cost for so many photos",
        example=(
            "emr plan --photos 10000000 --hours 2",
            "what a run over so many photos takes and costs",
        ),
        parameters=(
            Option("--photos", "N", "how many photos a run takes", required=True),
            Option(
                "--photo-bytes",
                "BYTES",
                f"the average size of a photo (default: {PHOTO_BYTES})",
                default=PHOTO_BYTES,
            ),
            Option(
                "--hours", "H", f"the hours that a run may take (default: {HOURS})", default=HOURS
            ),
        ),
    ),
    Command(
        name="policies",
        help="IAM roles, bucket policies, lifecycle rules and alarms as JSON",
        example=(
            "emr policies --out policies",
            "write roles, bucket policies and alarms to read them",
        ),
        parameters=(
            Option(
                "--out",
                "FOLDER",
                f"where the files go (default: {FOLDER})",
                default=FOLDER,
                takes_path=True,
            ),
            flag("--apply", "also create them in the account"),
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

EMR = Command(
    name="emr",
    help="the pipeline on a cluster of AWS EMR",
    example=("emr plan --photos 10000000", "nodes, hours and cost of a run over so many photos"),
    settings_name="emr",
    makes_buckets=True,
    subcommands=SUBCOMMANDS,
)
