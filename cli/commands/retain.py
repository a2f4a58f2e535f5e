"""The command `retain`: it removes what is past its longest age, and completes erasures that are due."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from cli.command import Words
from cli.commands.erase import finish_due_erasures
from cli.lake_access import existing_lake, reading, writing
from cli.output import retention_table
from cli.step_runner import recorded
from conf.settings import Settings
from lake.context import Context
from lake.enums import RETAIN
from privacy import retention


def run(words: Words, settings: Settings, console: Console) -> None:
    """Remove what is past its longest age and complete erasures that are due, or only show what would go.

    Raises LeftBehind where something could not be deleted.
    """
    if words.dry_run:
        with reading(settings, console) as lake:
            now = datetime.now(UTC)
            past = retention.past_age(lake, settings, now=now)
            past += retention.old_files(lake, settings, now=now)
        retention_table.show(console, past, "would go")
        return
    existing_lake(settings)
    with writing(settings, console) as context, recorded(context, RETAIN) as step:
        retain(step)


def retain(context: Context) -> None:
    """Remove rows and records past their age, complete erasures that are due, and remove old files.

    Raises Blocked, LeftBehind.
    """
    removed = retention.expire(context)
    finish_due_erasures(context)
    removed += retention.free(context)
    for each in removed:
        name = each.place if each.unit == "rows" else f"{each.place}: {each.unit}"
        context.did.add({name: each.held})
    retention_table.show(context.console, removed, "went")
