"""Shows what a restore did on the terminal."""

from __future__ import annotations

from rich.console import Console

from cli.output.sentences import say
from lake import catalog
from privacy.restore import Restored


def show(console: Console, table: catalog.Table, version: int, restored: Restored) -> None:
    """Show what a restore to a version of a table did, in one or two sentences."""
    say(
        console,
        f"{table.name} is as it was at version {version}: {restored.left:,} rows left, "
        f"{restored.returned:,} came back, {restored.kept_out:,} may not (erased, expired, of a withdrawn "
        f"chunk or of a retired model).",
    )
    if restored.withdrawn:
        say(
            console,
            f"{restored.withdrawn:,} chunks that were published after that version are withdrawn: "
            f"run.py --layer all makes them again.",
        )
