"""The commands on what a lake holds: samples, status, check, replay, report, upgrade."""

from __future__ import annotations

from cli.command import Command, Words, photo_count, whole_number
from cli.completion import sections
from cli.known_names import JUDGED_TABLES, REFUSALS, REJECTIONS
from cli.parameters import PATH, Argument, Flag, Option
from conf.errors import BadInput


def _check_samples(words: Words) -> None:
    photo_count(words.count)


def _check_check(words: Words) -> None:
    whole_number(words, "version")
    if words.version is not None and words.table is None:
        raise BadInput("--version says at which version of a table; name it with --table.")


def _check_replay(words: Words) -> None:
    whole_number(words, "chunk")
    if (words.chunk is not None) != (words.quarantine or words.drop):
        raise BadInput(
            "--chunk N and --quarantine go together: they release a blocked chunk into quarantine; or "
            "--chunk N and --drop: they withdraw a chunk whose staged files are lost."
        )
    if words.quarantine and words.drop:
        raise BadInput(
            "--quarantine and --drop don't go together: the first is for a blocked chunk, the second for one "
            "whose staged files are lost."
        )
    if words.chunk is not None and words.reason is not None:
        raise BadInput("--chunk and --reason don't go together; call one after the other.")
    if words.labels and words.reason is not None:
        raise BadInput("--labels and --reason don't go together; call one after the other.")


COMMANDS = (
    Command(
        name="samples",
        help="fill the landing folder with generated photos",
        example=("samples 60", "at least so many photos in the landing folder"),
        parameters=(Argument("count", "N", "the number of photos to have", default="60"),),
        check=_check_samples,
        takes_landing=True,
    ),
    Command(
        name="settings",
        help="each setting in force, where it comes from and what it means, as a settings file",
        example=(
            "settings",
            "each setting; with > my.toml behind it, a settings file to start from",
        ),
        parameters=(
            Argument(
                "sections",
                "SECTION",
                "these sections alone, such as pca",
                nargs=-1,
                offered=sections,
            ),
            Flag("--changed", "only what differs from the base: local or emr"),
        ),
        makes_buckets=True,
    ),
    Command(
        name="status",
        help="counts, coverage by model, and whether the sums agree",
        example=("status --lake data/lake", "what the lake holds, and whether it adds up"),
        parameters=(
            Flag(
                "--conflicts", "the photos that lie in the landing folder with more than one label"
            ),
            Flag("--json", "as JSON, for programs"),
        ),
    ),
    Command(
        name="check",
        help="every expectation suite on what the lake holds",
        example=("check --junit checks.xml", "every suite on what the lake holds"),
        parameters=(
            Option(
                "--table",
                "TABLE",
                "one table only, such as silver/embeddings",
                choices=JUDGED_TABLES,
                what="suite for a table",
            ),
            Option("--version", "N", "as the table was at that version"),
            Option("--junit", "FILE", "write JUnit XML, a test case an expectation", type=PATH),
        ),
        check=_check_check,
    ),
    Command(
        name="replay",
        help="take quarantined photos, or rejected objects, through the lake again",
        example=("replay --reason too_small", "what was refused for that, through the gates again"),
        parameters=(
            Flag("--rejected", "objects that bronze rejected, as they lie in the landing folder"),
            Flag(
                "--labels", "give photos the labels that the settings of now tell of their objects"
            ),
            Option(
                "--reason",
                "REASON",
                "those refused for it (default: all)",
                offered=(*REFUSALS, *REJECTIONS),
            ),
            Option("--chunk", "N", "this chunk:"),
            Flag("--quarantine", "release it, which is blocked, into quarantine"),
            Flag("--drop", "withdraw what is published of it, where its staged files are lost"),
        ),
        exclusive=(("rejected", "labels", "chunk"),),
        check=_check_replay,
        takes_landing=True,
    ),
    Command(
        name="report",
        help="what the lake holds and how it came, as one HTML file",
        example=("report --out report.html", "runs, sums, gates, models and costs as one page"),
        parameters=(
            Option("--out", "FILE", "the file to write", default="report.html", type=PATH),
            Flag("--pictures", "with small pictures of refused photos, no person's"),
        ),
    ),
    Command(
        name="upgrade",
        help="take a lake that earlier code made to today's format",
        example=("upgrade --dry-run", "what would change in a lake that earlier code made"),
        parameters=(Flag("--dry-run", "show each step and what it changes, and change nothing"),),
    ),
)
