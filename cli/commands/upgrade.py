"""The command `upgrade`: a lake of an earlier format gets today's."""

from __future__ import annotations

from rich.console import Console

from cli.command import CALL, Words
from cli.lake_access import existing_lake, reading, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.settings import Settings
from lake import lake_format
from lake.enums import UPGRADE
from lake.lake_format import FORMAT
from lake.readable_lake import Lake
from privacy.upgrade import chain


def run(words: Words, settings: Settings, console: Console) -> None:
    """Take the lake to today's format, or only show what that would change. Raises BadInput for a format that
    is not known, and as `privacy.upgrade.chain.upgrade`."""
    files = existing_lake(settings)
    before = lake_format.format_of(files)
    if before == FORMAT:
        say(
            console,
            f"The lake {files.root} is of today's format, {FORMAT}: there is nothing to upgrade.",
        )
        return
    if words.dry_run:
        with reading(settings, console) as lake:
            _show_plan(console, lake)
        return
    with writing(settings, console) as context, recorded(context, UPGRADE) as step:
        for taken, change in chain.upgrade(step):
            step.did.add({"changes" if change else "formats": 1})
            say(console, change.says if change else f"format {taken.to}: {taken.records}")
    say(
        console,
        f"The lake {files.root} is of format {FORMAT} now; it was of format {before}. Earlier code refuses "
        f"it from now on, readers and notebooks too.",
    )


def _show_plan(console: Console, lake: Lake) -> None:
    """Print each step that is outstanding, what it would change, and how much that reads and writes."""
    for each in chain.by_opening(lake):
        say(console, each)
    commits = size = 0
    for step, changes in chain.outstanding(lake):
        say(console, f"format {step.of} to {step.to}:")
        for change in changes:
            say(console, f"  {change.says}")
        say(console, f"  {step.records}")
        commits += len(changes)
        size += sum(change.bytes for change in changes)
    say(
        console,
        f"About {commits:,} commits; {size / 1e6:,.3f} MB of rows are read and written. No photo is, no row "
        f"leaves, and every earlier version stays. Nothing was changed: {CALL} upgrade does it.",
    )
