"""The command `restore`: it gives a table back the rows of an earlier version that may return."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake, writing
from cli.output import restore_lines
from cli.step_runner import recorded
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
