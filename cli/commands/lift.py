"""The command `lift`: it lets a subject that was erased send photos again."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from cli.command import Words
from cli.json_console import subject_on
from cli.lake_access import existing_lake, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format
from lake.enums import ErasureState
from lake.subject_paths import check_subject
from privacy import tombstones
from privacy.erasure import request_journal


def run(words: Words, settings: Settings, console: Console) -> None:
    """Lift the tombstone of a subject.

    Raises BadInput where no tombstone keeps the subject out, or a request of the subject is not certified
    yet.
    """
    check_subject(words.subject, lake_format.name_rule(existing_lake(settings)))
    with writing(settings, console) as context, recorded(context, "lift"):
        who = subject_on(console, words.subject)
        say(console, f"lifting what keeps the subject {who} out.")
        subject = context.pseudonyms.tombstone(context.pseudonyms.subject(words.subject))
        key = context.pseudonyms.certificates
        requests = request_journal.last(context.lake, key).values()
        uncertified = [
            each.request
            for each in requests
            if each.subject == subject and not each.has_reached(ErasureState.CERTIFIED)
        ]
        if uncertified:
            raise BadInput(
                f"The request {uncertified[0]} is not certified yet, and its verification would find the "
                f"photos that come again: finish it first with the same erase command."
            )
        keeping = sorted(context.pseudonyms.subject_tombstones([words.subject]))
        now = datetime.now(UTC)
        if not sum(tombstones.lift(context.lake, each, now=now) for each in keeping):
            raise BadInput("No tombstone keeps that subject out: there is nothing to lift.")
        console.print("lifted: photos that this person sends from now on are taken in again.")
