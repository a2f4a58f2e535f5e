"""The command `lift`: it lets a subject or a photo that was erased be sent again."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from cli.command import Words
from cli.erasable import photo_of
from cli.json_console import subject_on
from cli.lake_access import existing_lake, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import ErasureState
from privacy import tombstones
from privacy.erasure import request_journal


def run(words: Words, settings: Settings, console: Console) -> None:
    """Lift the tombstone of a subject or of a photo.

    Raises BadInput where no tombstone keeps it out, or a request for it is not certified yet.
    """
    photo = photo_of(words, existing_lake(settings))
    with writing(settings, console) as context, recorded(context, "lift"):
        what = "photo" if photo else "subject"
        who = subject_on(console, photo or words.subject)
        say(console, f"lifting what keeps the {what} {who} out.")
        keys = context.pseudonyms
        tombstone = keys.tombstone(photo or keys.subject(words.subject))
        requests = request_journal.last(context.lake, keys.certificates).values()
        uncertified = [
            each.request
            for each in requests
            if each.subject == tombstone and not each.has_reached(ErasureState.CERTIFIED)
        ]
        if uncertified:
            raise BadInput(
                f"The request {uncertified[0]} is not certified yet, and its verification would find the "
                f"photos that come again: finish it first with the same erase command."
            )
        now = datetime.now(UTC)
        if photo:
            ids = map(keys.tombstone, keys.ids_since(photo))
            is_lifted = any(tombstones.lift_photo(context.lake, each, now=now) for each in ids)
        else:
            keeping = sorted(keys.subject_tombstones([words.subject]))
            is_lifted = sum(tombstones.lift(context.lake, each, now=now) for each in keeping) > 0
        if not is_lifted:
            raise BadInput(f"No tombstone keeps that {what} out: there is nothing to lift.")
        sent = "this photo, when it is sent from now on, is"
        if not photo:
            sent = "photos that this person sends from now on are"
        console.print(f"lifted: {sent} taken in again.")
