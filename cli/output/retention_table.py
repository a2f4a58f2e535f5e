"""Shows what is past its longest age on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from rich.console import Console
from rich.table import Table

from privacy.retention import PastAge


def show(console: Console, past: Iterable[PastAge], verb: str) -> None:
    """Show what is past its longest age, with a line for each place.

    `verb` is the name of the last column: `went`, or `would go` in a dry run.
    """
    table = Table()
    for name in ("place", "longest age", "from before (UTC)", verb):
        table.add_column(name, justify="right" if name == verb else "left")
    for each in past:
        before = f"{each.before.astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(each.place, each.age, before, f"{each.held:,} {each.unit}")
    console.print(table)
