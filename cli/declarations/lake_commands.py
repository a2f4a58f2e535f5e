"""The commands on what a lake holds: samples, status, check, replay, report."""

from __future__ import annotations

from cli.command import Command, Words, photo_count, whole_number
from cli.completion import judged_tables, reasons
from cli.parameters import Argument, Option, flag
from conf.errors import BadInput


def _check_samples(words: Words) -> None:
    photo_count(words.count)


SAMPLES = Command(
    name="samples",
    help="fill the landing folder with generated photos",
    example=("samples 60", "at least so many photos in the landing folder"),
    parameters=(
        Argument("count", "N", "the number of photos to have (default: 60)", default="60"),
    ),
    check=_check_samples,
    takes_landing=True,
)

STATUS = Command(
    name="status",
    help="counts, coverage by model, and whether the sums agree",
    example=("status --lake data/lake", "what the lake holds, and whether it adds up"),
    parameters=(flag("--json", "as JSON, for programs"),),
)


def _check_check(words: Words) -> None:
    whole_number(words, "version")
    if words.version is not None and words.table is None:
        raise BadInput("--version says at which version of a table; name it with --table.")


CHECK = Command(
    name="check",
    help="every expectation suite on what the lake holds",
    example=("check --junit checks.xml", "every suite on what the lake holds"),
    parameters=(
        Option(
            "--table", "TABLE", "one table only, such as silver/embeddings", offered=judged_tables
        ),
        Option("--version", "N", "as the table was at that version"),
        Option("--junit", "FILE", "write JUnit XML, a test case an expectation", takes_path=True),
    ),
    check=_check_check,
)


def _check_replay(words: Words) -> None:
    whole_number(words, "chunk")
    if (words.chunk is not None) != words.quarantine:
        raise BadInput(
            "--chunk N and --quarantine go together: they release a blocked chunk into quarantine."
        )
    if words.chunk is not None and words.reason is not None:
        raise BadInput("--chunk and --reason don't go together; call one after the other.")


REPLAY = Command(
    name="replay",
    help="take quarantined photos through the gates again",
    example=("replay --reason too_small", "what was refused for that, through the gates again"),
    parameters=(
        Option("--reason", "REASON", "those refused for it (default: all)", offered=reasons),
        Option("--chunk", "N", "release this blocked chunk …"),
        flag("--quarantine", "… into quarantine"),
    ),
    check=_check_replay,
)

REPORT = Command(
    name="report",
    help="what the lake holds and how it came, as one HTML file",
    example=("report --out report.html", "runs, sums, gates, models and costs as one page"),
    parameters=(
        Option("--out", "FILE", "(default: report.html)", default="report.html", takes_path=True),
        flag("--pictures", "with small pictures of refused photos, no person's"),
    ),
)
