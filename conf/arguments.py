"""The command line's words. `run.py` says what each does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from conf.errors import BadInput, hint

LAYERS = ("bronze", "silver", "gold")
COMMANDS = (
    "samples",
    "status",
    "check",
    "replay",
    "models",
    "train",
    "predict",
    "similar",
    "report",
    "serve",
    "retire",
    "audit",
    "erase",
    "lift",
    "retain",
    "restore",
    "emr",
)
EMR = ("plan", "policies", "package", "launch", "submit", "status", "logs", "terminate")
MODES = ("deferred", "immediate")
LOGS = ("text", "json")

EXAMPLES = """examples:
  python run.py --layer all --samples 60            generate photos, then run all layers
  python run.py --layer all --log json              an object a line, for whoever gathers logs
  python run.py --layer all --landing photos        your own folder of photos
  python run.py --layer silver --extractor mobilenet_v2 --weights mobilenet.weights.h5
  python run.py status --lake data/lake             what the lake holds, and whether it adds up
  python run.py check --junit checks.xml            every suite on what the lake holds
  python run.py replay --reason too_small           what was refused for that, through the gates again
  python run.py replay --chunk 7 --quarantine       a blocked chunk into quarantine
  python run.py erase --subject anna --request R-17  that person leaves every place, with a certificate
  python run.py models --rollback                   the PCA version before the champion, for readers
  python run.py retain --dry-run                    what is past its longest age, and would go
  python run.py restore --table silver/embeddings --version 7
  python run.py audit --subject anna --history      what was held on anna, since when and until when
  python run.py train                               classifiers of kinds, tested on photos held out
  python run.py report --out report.html            runs, sums, gates, models and costs as one page
  python run.py predict a.jpg b.jpg                 which kinds of fruit these photos show
"""


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that every error goes the one way."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see python run.py --help.")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The words of the command line. Raises BadInput."""
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--conf", metavar="NAME", help="local, emr or a TOML file (default: local)")
    shared.add_argument("--landing", metavar="FOLDER", help="where photos arrive (paths.landing)")
    shared.add_argument("--lake", metavar="FOLDER", help="where the tables live (paths.lake)")
    shared.add_argument(
        "--set", metavar="KEY=VALUE", action="append", help="any setting, as section.key=value"
    )
    shared.add_argument("--extractor", metavar="NAME", help="a file in silver/extractors")
    shared.add_argument(
        "--weights", metavar="WEIGHTS", help="imagenet, a file or s3:// URI, or random:SEED"
    )
    shared.add_argument(
        "--log", metavar="FORM", choices=LOGS, help="text, or json: an object a line"
    )
    shared.add_argument("--debug", action="store_true", help="show a traceback with an error")
    parser = _Parser(
        prog="run.py",
        description="Photos of fruit through bronze, silver and gold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    parser.add_argument("--layer", metavar="LAYER", help="bronze, silver, gold or all")
    parser.add_argument(
        "--samples", metavar="N", help="first make sure that landing holds N generated photos"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    samples = commands.add_parser(
        "samples", parents=[shared], help="fill the landing folder with generated photos"
    )
    samples.add_argument("count", metavar="N")
    status = commands.add_parser(
        "status", parents=[shared], help="counts, coverage by model, and whether the sums agree"
    )
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    check = commands.add_parser(
        "check", parents=[shared], help="every expectation suite on what the lake holds"
    )
    check.add_argument("--table", metavar="TABLE", help="one table only, such as silver/embeddings")
    check.add_argument("--version", metavar="N", help="as the table was at that version")
    check.add_argument(
        "--junit", metavar="FILE", help="write JUnit XML, a test case an expectation"
    )
    replay = commands.add_parser(
        "replay", parents=[shared], help="take quarantined photos through the gates again"
    )
    replay.add_argument("--reason", metavar="REASON", help="those refused for it (default: all)")
    replay.add_argument("--chunk", metavar="N", help="release this blocked chunk …")
    replay.add_argument("--quarantine", action="store_true", help="… into quarantine")
    models = commands.add_parser(
        "models", parents=[shared], help="every model version; fit, promote or roll back one"
    )
    doing = models.add_mutually_exclusive_group()
    doing.add_argument("--refit", action="store_true", help="fit a new PCA version now")
    doing.add_argument("--promote", metavar="VERSION", help="make this version the champion")
    doing.add_argument(
        "--rollback", action="store_true", help="make the version before the champion the champion"
    )
    doing.add_argument(
        "--recompute", action="store_true", help="take gold/moments anew from silver/embeddings"
    )
    commands.add_parser(
        "train", parents=[shared], help="fit and test classifiers of the kinds of fruit"
    )
    predict = commands.add_parser(
        "predict", parents=[shared], help="which kinds of fruit photo files show, and how surely"
    )
    predict.add_argument("photos", metavar="PHOTO", nargs="+")
    predict.add_argument(
        "--classifier", metavar="VERSION", help="as models lists them (default: the champion)"
    )
    similar = commands.add_parser(
        "similar", parents=[shared], help="the photos of the lake that are most similar to one"
    )
    similar.add_argument("photo", metavar="PHOTO")
    similar.add_argument("--count", metavar="N", default="10", help="how many (default: 10)")
    serve = commands.add_parser(
        "serve", parents=[shared], help="a web page that says what a photo shows, and its JSON API"
    )
    serve.add_argument("--port", metavar="N", default="8000", help="(default: 8000)")
    serve.add_argument(
        "--host", metavar="HOST", default="127.0.0.1", help="(default: this machine alone)"
    )
    report = commands.add_parser(
        "report", parents=[shared], help="what the lake holds and how it came, as one HTML file"
    )
    report.add_argument(
        "--out", metavar="FILE", default="report.html", help="(default: report.html)"
    )
    report.add_argument(
        "--pictures", action="store_true", help="with small pictures of refused photos, no person's"
    )
    retire = commands.add_parser(
        "retire", parents=[shared], help="remove a model's rows from silver and gold"
    )
    retire.add_argument("model", metavar="MODEL", help="its number as status shows it, or its name")
    audit = commands.add_parser(
        "audit", parents=[shared], help="what the lake held on a subject or of a photo, and when"
    )
    who = audit.add_mutually_exclusive_group()
    who.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    who.add_argument("--photo", metavar="ID", help="a photo_id")
    when = audit.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", help="ISO 8601, in UTC; a date alone is its end")
    when.add_argument("--version", metavar="TABLE=N", help="one table at one version")
    when.add_argument("--history", action="store_true", help="when rows came, and when they left")
    audit.add_argument("--json", metavar="FILE", help="write the whole answer there")
    erase = commands.add_parser(
        "erase", parents=[shared], help="remove a subject from every place, and certify it"
    )
    erase.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    erase.add_argument("--request", metavar="ID", help="a name for the request, with none in it")
    erase.add_argument(
        "--mode",
        metavar="MODE",
        help="deferred: old files go when the retention ends (default); immediate: at once",
    )
    erase.add_argument("--verify", metavar="ID", help="look again for what a request was of")
    erase.add_argument("--deep", action="store_true", help="… and decode every column")
    lift = commands.add_parser(
        "lift", parents=[shared], help="let a subject that was erased send photos again"
    )
    lift.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    retain = commands.add_parser(
        "retain", parents=[shared], help="remove what is past its longest age, and old files"
    )
    retain.add_argument(
        "--dry-run", action="store_true", help="say what would go, and change nothing"
    )
    restore = commands.add_parser(
        "restore", parents=[shared], help="a table as it was, but for what was erased"
    )
    restore.add_argument("--table", metavar="TABLE", help="such as silver/embeddings")
    restore.add_argument("--version", metavar="N", help="the version to go back to")
    _add_emr(commands, shared)
    return _checked(parser.parse_args(_with_known_command(words)))


def _add_emr(commands: argparse._SubParsersAction[_Parser], shared: _Parser) -> None:
    """`emr` and the words after it."""
    emr = commands.add_parser("emr", parents=[shared], help="the pipeline on a cluster of AWS EMR")
    doing = emr.add_subparsers(dest="doing", metavar="|".join(EMR), required=True)
    plan = doing.add_parser(
        "plan", parents=[shared], help="nodes, memory, hours and cost for so many photos"
    )
    plan.add_argument("--photos", metavar="N", required=True)
    plan.add_argument(
        "--photo-bytes", metavar="BYTES", help="of a photo, on average (default: 100000)"
    )
    plan.add_argument("--hours", metavar="H", help="the time that it may take (default: 1)")
    policies = doing.add_parser(
        "policies", parents=[shared], help="IAM roles, bucket policies and lifecycle rules as JSON"
    )
    policies.add_argument("--out", metavar="FOLDER", help="where the files go (default: policies)")
    policies.add_argument("--apply", action="store_true", help="… and create them in the account")
    doing.add_parser(
        "package", parents=[shared], help="code, wheels, settings and the model, to S3"
    )
    doing.add_parser("launch", parents=[shared], help="the cluster, where it isn't there yet")
    submit = doing.add_parser("submit", parents=[shared], help="a run of layers on the cluster")
    submit.add_argument("--layer", metavar="LAYER", dest="step_layer", default="all")
    submit.add_argument(
        "--package", metavar="SHA256", help="an earlier one (default: of this code)"
    )
    doing.add_parser("status", parents=[shared], help="the cluster, its nodes and its steps")
    logs = doing.add_parser("logs", parents=[shared], help="the end of the driver's log of a step")
    logs.add_argument("--step", metavar="ID", help="(default: the last one)")
    doing.add_parser("terminate", parents=[shared], help="end the cluster; S3 keeps everything")


def _with_known_command(words: Sequence[str]) -> Sequence[str]:
    """Refuses a first word that is no command, naming the nearest: argparse would only list them."""
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        nearest = hint(words[0], COMMANDS, otherwise=f"the commands are {', '.join(COMMANDS)}.")
        raise BadInput(f"There is no command {words[0]}; {nearest}")
    return words


def _checked(words: argparse.Namespace) -> argparse.Namespace:
    if words.layer and words.command:
        raise BadInput(f"--layer and {words.command} don't go together; call one after the other.")
    if not words.layer and not words.command:
        raise BadInput(f"Say what to do: --layer {'|'.join(LAYERS)}|all, or {', '.join(COMMANDS)}.")
    if words.layer and words.layer not in (*LAYERS, "all"):
        otherwise = f"name one of {', '.join(LAYERS)} or all."
        nearest = hint(words.layer, (*LAYERS, "all"), otherwise=otherwise)
        raise BadInput(f"There is no layer {words.layer}; {nearest}")
    for flag in ("samples", "count"):
        text = getattr(words, flag, None)
        if text is not None and not (text.isdecimal() and int(text) > 0):
            raise BadInput(f"{text} is no number of photos; give a whole number above 0.")
    for flag in ("version", "chunk", "port"):
        text = getattr(words, flag, None)
        if words.command != "audit" and text is not None and not text.isdecimal():
            raise BadInput(f"--{flag} {text} is no number; give a whole number.")
    if words.command == "check" and words.version is not None and words.table is None:
        raise BadInput("--version says at which version of a table; name it with --table.")
    if words.command == "audit" and words.subject is None and words.photo is None:
        raise BadInput("audit takes --subject S or --photo ID.")
    if words.command == "replay":
        if (words.chunk is not None) != words.quarantine:
            raise BadInput(
                "--chunk N and --quarantine go together: they release a blocked chunk into quarantine."
            )
        if words.chunk is not None and words.reason is not None:
            raise BadInput("--chunk and --reason don't go together; call one after the other.")
    if words.command == "erase":
        _check_erase(words)
    if words.command == "lift":
        if not words.subject:
            raise BadInput("lift takes --subject S.")
        _check_subject(words.subject)
    if words.command == "restore" and (words.table is None or words.version is None):
        raise BadInput("restore takes --table TABLE and --version N.")
    return words


def _check_erase(words: argparse.Namespace) -> None:
    if words.verify is not None:
        if words.subject or words.request or words.mode:
            raise BadInput("--verify ID stands alone, or with --deep: the request knows the rest.")
        return
    if not words.subject or not words.request:
        raise BadInput("erase takes --subject S and --request ID, or --verify ID.")
    if words.deep:
        raise BadInput("--deep goes with --verify ID; call one after the other.")
    _check_subject(words.subject)
    if len(words.subject) > 2 and words.subject in words.request:
        raise BadInput("--request names the subject, and is kept for good; give it a neutral name.")
    words.mode = words.mode or MODES[0]
    if words.mode not in MODES:
        nearest = hint(words.mode, MODES, otherwise=f"the modes are {', '.join(MODES)}.")
        raise BadInput(f"There is no mode {words.mode}; {nearest}")


def _check_subject(subject: str) -> None:
    if "/" in subject or subject.startswith("subject="):
        raise BadInput("--subject takes what follows subject= in the folder's name, without it.")


def overrides(words: argparse.Namespace) -> list[str]:
    """The flags as `section.key=value`, the plain ones over those of `--set`."""
    flags = {
        "paths.landing": getattr(words, "landing", None),
        "paths.lake": getattr(words, "lake", None),
        "model.extractor": getattr(words, "extractor", None),
        "model.weights": getattr(words, "weights", None),
    }
    named = [f"{key}={value}" for key, value in flags.items() if value is not None]
    return [*getattr(words, "set", []), *named]
