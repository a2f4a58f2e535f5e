"""The command `tombstones`: what keeps erased persons out, from one lake into another one as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from cli.command import CALL, Words
from cli.lake_access import existing_lake, reading, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format
from lake.storage.locate import folder
from privacy import tombstone_files


def run(words: Words, settings: Settings, console: Console) -> None:
    """Export the tombstones of a lake to a file, or import those of a file. Raises as the subcommands."""
    SUBCOMMANDS[words.doing](words.file, settings, console)


def export(name: str, settings: Settings, console: Console) -> None:
    """Write the tombstones that hold to a file, without Spark and a lease.

    Raises BadInput where there is no lake or the file can't be written, and Refused for another key.
    """
    files = existing_lake(settings)
    keys = lake_format.pseudonyms_of(files, settings.subjects)
    with reading(settings, console) as lake:
        content, count = tombstone_files.exported(lake, keys, now=datetime.now(UTC))
    lake_format.check_key(files, keys)
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise BadInput(f"{name} can't be written ({error.strerror}); name another file.") from None
    say(console, f"{count:,} tombstones were exported to {name}. It names nobody.")
    say(
        console,
        f"A lake with another key takes them by {CALL} tombstones import {name}, with this lake's key "
        f"({settings.subjects.key}), and those among its subjects.tombstone_keys, among its own "
        f"subjects.tombstone_keys: keep them as long as that lake.",
    )


def take_in(name: str, settings: Settings, console: Console) -> None:
    """Import the tombstones of a file into the lake, which is made where there is none.

    Raises BadInput where the file is none of tombstones, Refused where no setting names the exporting lake's
    key, Inconsistent where the file was changed, and Busy.
    """
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} can't be read ({error.strerror}); name another file.") from None
    files = folder(settings.paths.lake)
    file = tombstone_files.opened(content, name=name, files=files, subjects=settings.subjects)
    with writing(settings, console) as context, recorded(context, "tombstones") as step:
        done = tombstone_files.take_in(step.lake, step.pseudonyms, file, now=step.now)
        step.did.add({"tombstones": done.added})
        say(
            console,
            f"{done.added:,} tombstones were imported from {name}, and {done.known:,} were known: what they "
            f"keep out is not taken in from now on.",
        )
        say(console, "What the lake holds already stays: erase persons here, too.")


SUBCOMMANDS = {"export": export, "import": take_in}
