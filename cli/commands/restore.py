"""The command `restore`: it gives a table back the rows of an earlier version that may return."""

from __future__ import annotations

from rich.console import Console

from cli.command import Command, Parser, Words, whole_number
from cli.lake_access import existing_lake, writing
from cli.output import restore_lines
from cli.step_runner import recorded
from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import RESTORE
from privacy.restore import named, restore


def run(words: Words, settings: Settings, console: Console) -> None:
    """Give a table back the rows of an earlier version. Raises as `privacy.restore.restore`."""
    existing_lake(settings)
    table = named(words.table)
    version = int(words.version)
    with writing(settings, console) as context, recorded(context, RESTORE) as step:
        restored = restore(step, table, version)
        step.did.add({name: count for name, count in vars(restored).items() if count})
        restore_lines.show(console, table, version, restored)


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("--table", metavar="TABLE", help="such as silver/embeddings")
    parser.add_argument("--version", metavar="N", help="the version to go back to")


def _check(words: Words) -> None:
    whole_number(words, "version")
    if words.table is None or words.version is None:
        raise BadInput("restore takes --table TABLE and --version N.")


COMMAND = Command(
    name="restore",
    help="a table as it was at a version, without what was erased",
    example=("restore --table silver/embeddings --version 7", "as it was, without erased persons"),
    run=run,
    add_arguments=_add_arguments,
    check=_check,
)
