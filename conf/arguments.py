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

EXAMPLES = {
    "samples": ("samples 60", "at least so many photos in the landing folder"),
    "status": ("status --lake data/lake", "what the lake holds, and whether it adds up"),
    "check": ("check --junit checks.xml", "every suite on what the lake holds"),
    "replay": ("replay --reason too_small", "what was refused for that, through the gates again"),
    "models": ("models --rollback", "the PCA version before the champion, for readers"),
    "train": ("train", "classifiers of kinds, tested on photos held out"),
    "predict": ("predict a.jpg b.jpg", "which kinds of fruit these photos show"),
    "similar": ("similar a.jpg --count 5", "the photos of the lake that are most like this one"),
    "report": ("report --out report.html", "runs, sums, gates, models and costs as one page"),
    "serve": ("serve --port 8000", "a page that says which fruit a photo shows"),
    "retire": ("retire mobilenet_v2", "that model's rows leave silver and gold"),
    "audit": ("audit --subject anna --history", "what was held on anna, since when and until when"),
    "erase": ("erase --subject anna --request R-17", "that person leaves every place, certified"),
    "lift": ("lift --subject anna", "anna may send photos again"),
    "retain": ("retain --dry-run", "what is past its longest age, and would go"),
    "restore": (
        "restore --table silver/embeddings --version 7",
        "as it was, but for who was erased",
    ),
    "emr": ("emr plan --photos 10000000", "nodes, hours and cost of a run over so many"),
    "emr plan": ("emr plan --photos 10000000 --hours 2", "what a run over so many takes and costs"),
    "emr policies": ("emr policies --out policies", "roles, bucket policies and alarms, to read"),
    "emr package": ("emr package", "what the cluster runs, to the bucket for artifacts"),
    "emr launch": ("emr launch", "the cluster, where it isn't there yet"),
    "emr submit": ("emr submit --layer all", "a run on the cluster, waited for"),
    "emr status": ("emr status", "the cluster, its nodes and its steps"),
    "emr logs": ("emr logs", "the end of the last step's log"),
    "emr terminate": ("emr terminate", "the cluster's end; S3 keeps everything"),
}
"""Of each command, what to type and what it gives."""

RUNS = (
    ("--layer all --samples 60", "generate photos, then run all layers"),
    ("--layer all --landing photos", "your own folder of photos"),
    ("--layer all --log json", "an object a line, for whoever gathers logs"),
    ("--layer silver --extractor mobilenet_v2 --weights mobilenet.weights.h5", ""),
    ("replay --chunk 7 --quarantine", "a blocked chunk into quarantine"),
)
"""More of them, for the whole."""


def _shown(*examples: tuple[str, str]) -> str:
    """Below a command's options."""
    width = max(len(words) for words, _ in examples if len(words) < 50) + 2
    lines = (f"  python run.py {words.ljust(width)}{gives}".rstrip() for words, gives in examples)
    return "\n".join(["examples:" if len(examples) > 1 else "example:", *lines])


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
        epilog=_shown(*RUNS, *(pair for name, pair in EXAMPLES.items() if " " not in name)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    parser.add_argument("--layer", metavar="LAYER", help="bronze, silver, gold or all")
    parser.add_argument(
        "--samples", metavar="N", help="first make sure that landing holds N generated photos"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, *, help: str) -> _Parser:
        return _added(commands, shared, name, help=help)

    samples = add("samples", help="fill the landing folder with generated photos")
    samples.add_argument("count", metavar="N")
    status = add("status", help="counts, coverage by model, and whether the sums agree")
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    check = add("check", help="every expectation suite on what the lake holds")
    check.add_argument("--table", metavar="TABLE", help="one table only, such as silver/embeddings")
    check.add_argument("--version", metavar="N", help="as the table was at that version")
    check.add_argument(
        "--junit", metavar="FILE", help="write JUnit XML, a test case an expectation"
    )
    replay = add("replay", help="take quarantined photos through the gates again")
    replay.add_argument("--reason", metavar="REASON", help="those refused for it (default: all)")
    replay.add_argument("--chunk", metavar="N", help="release this blocked chunk …")
    replay.add_argument("--quarantine", action="store_true", help="… into quarantine")
    models = add("models", help="every model version; fit, promote or roll back one")
    doing = models.add_mutually_exclusive_group()
    doing.add_argument("--refit", action="store_true", help="fit a new PCA version now")
    doing.add_argument("--promote", metavar="VERSION", help="make this version the champion")
    doing.add_argument(
        "--rollback", action="store_true", help="make the version before the champion the champion"
    )
    doing.add_argument(
        "--recompute", action="store_true", help="take gold/moments anew from silver/embeddings"
    )
    add("train", help="fit and test classifiers of the kinds of fruit")
    predict = add("predict", help="which kinds of fruit photo files show, and how surely")
    predict.add_argument("photos", metavar="PHOTO", nargs="+")
    predict.add_argument(
        "--classifier", metavar="VERSION", help="as models lists them (default: the champion)"
    )
    similar = add("similar", help="the photos of the lake that are most similar to one")
    similar.add_argument("photo", metavar="PHOTO")
    similar.add_argument("--count", metavar="N", default="10", help="how many (default: 10)")
    serve = add("serve", help="a web page that says what a photo shows, and its JSON API")
    serve.add_argument("--port", metavar="N", default="8000", help="(default: 8000)")
    serve.add_argument(
        "--host", metavar="HOST", default="127.0.0.1", help="(default: this machine alone)"
    )
    report = add("report", help="what the lake holds and how it came, as one HTML file")
    report.add_argument(
        "--out", metavar="FILE", default="report.html", help="(default: report.html)"
    )
    report.add_argument(
        "--pictures", action="store_true", help="with small pictures of refused photos, no person's"
    )
    retire = add("retire", help="remove a model's rows from silver and gold")
    retire.add_argument("model", metavar="MODEL", help="its number as status shows it, or its name")
    audit = add("audit", help="what the lake held on a subject or of a photo, and when")
    who = audit.add_mutually_exclusive_group()
    who.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    who.add_argument("--photo", metavar="ID", help="a photo_id")
    when = audit.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", help="ISO 8601, in UTC; a date alone is its end")
    when.add_argument("--version", metavar="TABLE=N", help="one table at one version")
    when.add_argument("--history", action="store_true", help="when rows came, and when they left")
    audit.add_argument("--json", metavar="FILE", help="write the whole answer there")
    erase = add("erase", help="remove a subject from every place, and certify it")
    erase.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    erase.add_argument("--request", metavar="ID", help="a name for the request, with none in it")
    erase.add_argument(
        "--mode",
        metavar="MODE",
        help="deferred: old files go when the retention ends (default); immediate: at once",
    )
    erase.add_argument("--verify", metavar="ID", help="look again for what a request was of")
    erase.add_argument("--deep", action="store_true", help="… and decode every column")
    lift = add("lift", help="let a subject that was erased send photos again")
    lift.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")
    retain = add("retain", help="remove what is past its longest age, and old files")
    retain.add_argument(
        "--dry-run", action="store_true", help="say what would go, and change nothing"
    )
    restore = add("restore", help="a table as it was, but for what was erased")
    restore.add_argument("--table", metavar="TABLE", help="such as silver/embeddings")
    restore.add_argument("--version", metavar="N", help="the version to go back to")
    _add_emr(add("emr", help="the pipeline on a cluster of AWS EMR"), shared)
    return _checked(parser.parse_args(_with_known_command(words)))


def _added(
    commands: argparse._SubParsersAction[_Parser],
    shared: _Parser,
    name: str,
    *,
    help: str,
    of: str = "",
) -> _Parser:
    """A command, whose own help ends with an example; `of`: the command that it belongs to."""
    return commands.add_parser(
        name,
        parents=[shared],
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=_shown(EXAMPLES[f"{of} {name}".strip()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_emr(emr: _Parser, shared: _Parser) -> None:
    """The words after `emr`."""
    doing = emr.add_subparsers(dest="doing", metavar="|".join(EMR), required=True)

    def add(name: str, *, help: str) -> _Parser:
        return _added(doing, shared, name, help=help, of="emr")

    plan = add("plan", help="nodes, memory, hours and cost for so many photos")
    plan.add_argument("--photos", metavar="N", required=True)
    plan.add_argument(
        "--photo-bytes", metavar="BYTES", help="of a photo, on average (default: 100000)"
    )
    plan.add_argument("--hours", metavar="H", help="the time that it may take (default: 1)")
    policies = add("policies", help="IAM roles, bucket policies and lifecycle rules as JSON")
    policies.add_argument("--out", metavar="FOLDER", help="where the files go (default: policies)")
    policies.add_argument("--apply", action="store_true", help="… and create them in the account")
    add("package", help="code, wheels, settings and the model, to S3")
    add("launch", help="the cluster, where it isn't there yet")
    submit = add("submit", help="a run of layers on the cluster")
    submit.add_argument("--layer", metavar="LAYER", dest="step_layer", default="all")
    submit.add_argument(
        "--package", metavar="SHA256", help="an earlier one (default: of this code)"
    )
    add("status", help="the cluster, its nodes and its steps")
    logs = add("logs", help="the end of the driver's log of a step")
    logs.add_argument("--step", metavar="ID", help="(default: the last one)")
    add("terminate", help="end the cluster; S3 keeps everything")


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
