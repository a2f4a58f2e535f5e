"""Shows what is past its longest age on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from rich.console import Console

from cli.output import tables
from cli.output.tables import NAME, NUMBER, WholeTable
from privacy.retention import PastAge


def show(console: Console, past: Iterable[PastAge], verb: str) -> None:
    """Show what is past its longest age, with a line for each place.

    `verb` is the name of the last column: `went`, or `would go` in a dry run.
    """
    columns = {"place": NAME, "longest age": NAME, "from before (UTC)": NAME, verb: NUMBER}
    table = WholeTable(columns)
    for each in past:
        before = f"{each.before.astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add(each.place, each.age, before, f"{each.held:,} {each.unit}")
    tables.show(console, table)
