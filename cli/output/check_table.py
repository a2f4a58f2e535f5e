"""The results of the command `check` on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from cli.output import tables, warning_lines
from cli.output.sentences import say
from expectations.check_tables import Checked
from lake.enums import GateAction


def show(console: Console, results: Sequence[Checked]) -> None:
    """Print a table of how many expectations hold, warn and fail, and a line for each that warns or fails."""
    numbers = ("version", "hold", "warn", "fail", "skipped")
    columns = {"table": tables.NAME, **dict.fromkeys(numbers, tables.NUMBER)}
    table = tables.WholeTable(columns, title="expectations")
    for result in results:
        actions = Counter(finding.action for finding in result.findings)
        failed = str(actions[GateAction.BLOCKED]) if not result.error else "all"
        cells = (
            result.version,
            actions[GateAction.PASSED],
            actions[GateAction.WARNED],
            failed,
            actions[GateAction.SKIPPED],
        )
        table.add(result.table, *map(str, cells))
    tables.show(console, table)
    warning_lines.show(console, [each for result in results for each in result.warnings])
    for result in results:
        for failure in result.failures:
            say(console, f"fails: {failure}")
    actions = Counter(finding.action for result in results for finding in result.findings)
    if actions[GateAction.BLOCKED] or any(result.error for result in results):
        return
    warned = actions[GateAction.WARNED]
    say(
        console,
        f"No critical rule fails; {warned:,} of the others warn."
        if warned
        else f"All {actions[GateAction.PASSED]:,} rules hold.",
    )
