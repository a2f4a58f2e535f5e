"""`lift`: a subject that was erased may send photos again."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from cli.command import Command, Parser, Words
from cli.commands.erase import check_subject
from cli.lake_access import existing_lake, writing
from cli.steps import recorded
from conf.errors import BadInput
from conf.settings import Settings
from lake.column_values import ErasureState
from privacy import tombstones
from privacy.erasure import request_journal


def run(words: Words, settings: Settings, console: Console) -> None:
    """Lifts the tombstone of a subject. Raises BadInput where none keeps the subject out, or a request of the
    subject is not certified yet."""
    existing_lake(settings)
    with writing(settings, console) as context, recorded(context, "lift"):
        subject = context.pseudonyms.tombstone(context.pseudonyms.subject(words.subject))
        requests = request_journal.last(context.lake).values()
        waiting = [
            each.request
            for each in requests
            if each.subject == subject and not each.has_reached(ErasureState.CERTIFIED)
        ]
        if waiting:
            raise BadInput(
                f"The request {waiting[0]} is not certified yet: its search would find what comes again. "
                f"Finish it with the same erase command first."
            )
        if not tombstones.lift(context.lake, subject, now=datetime.now(UTC)):
            raise BadInput("No tombstone keeps that subject out: there is nothing to lift.")
        console.print("lifted: what that subject sends from now on is taken in again.")


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("--subject", metavar="S", help="as in the name of the folder subject=S")


def _check(words: Words) -> None:
    if not words.subject:
        raise BadInput("lift takes --subject S.")
    check_subject(words.subject)


COMMAND = Command(
    name="lift",
    help="let a subject that was erased send photos again",
    example=("lift --subject anna", "anna may send photos again"),
    run=run,
    add_arguments=_add_arguments,
    check=_check,
)
