"""What a restore did, on the terminal."""

from __future__ import annotations

from rich.console import Console

from lake import catalog
from privacy.restore import Restored


def show(console: Console, table: catalog.Table, version: int, done: Restored) -> None:
    """What a restore did, in two lines."""
    console.print(
        f"{table.name} is as it was at version {version}: {done.left:,} rows left, {done.returned:,} came "
        f"back, {done.kept_out:,} may not (erased, expired, or of what was withdrawn or retired).",
        soft_wrap=True,
    )
    if done.withdrawn:
        console.print(
            f"chunks that were published since, and are withdrawn: {done.withdrawn:,}. run.py --layer all "
            f"makes them again.",
            soft_wrap=True,
        )
