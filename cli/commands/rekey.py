"""The command `rekey`: a new key for a lake."""

from __future__ import annotations

import json
from dataclasses import replace

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.settings import Settings
from lake import lake_format, secret_places
from privacy import rekey
from privacy.erasure import certificate

OPTION = "--new-key"


def run(words: Words, settings: Settings, console: Console) -> None:
    """Move the lake to a new key, or go on where that was begun. Raises as `privacy.rekey.rekey`, and as
    `lake.secret_places.load` for the new key."""
    files = existing_lake(settings)
    lake_format.pseudonyms_of(files, settings.subjects, is_moving=True)
    is_new = lake_format.rekey_of(files) is None
    new = secret_places.load(words.new_key, lake=files.root, make=is_new, setting=OPTION)
    with writing(settings, console, is_moving=True) as context:
        context = replace(context, pseudonyms=rekey.under(context.pseudonyms, new))
        with recorded(context, "rekey") as step:
            say(
                console, f"moving the lake from the key {settings.subjects.key} to {words.new_key}."
            )
            done = rekey.rekey(step)
            step.did.add({"rows": sum(done.rows.values())})
    moved = ", ".join(f"{count:,} of {name}" for name, count in done.rows.items() if count)
    name = certificate.file_name(done.request, is_whole=True)
    place = files.uri(f"{certificate.FOLDER}/{name}")
    say(console, f"moved: {moved or 'no rows'}.")
    say(console, f"certificate {done.request.certificate}: {place}")
    number, head = done.request.certificates, done.request.head
    say(console, f"It is number {number:,}, and its SHA-256 is {head}.")
    earlier = json.dumps([settings.subjects.key, *settings.subjects.tombstone_keys])
    say(
        console,
        f"Before the next command, set subjects.key to {words.new_key} and subjects.tombstone_keys to "
        f"{earlier}: the lake needs both keys from now on. Reports and exports of before have earlier ids of "
        f"photos: make them again.",
    )
