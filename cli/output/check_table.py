"""The results of the command `check` on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from expectations.check_tables import Checked
from lake.enums import GateAction


def show(console: Console, results: Sequence[Checked]) -> None:
    """Print a table of how many expectations hold, warn and fail, and a line for each that warns or fails."""
    table = Table(title="expectations", title_justify="left")
    for name in ("table", "version", "hold", "warn", "fail", "skipped"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for result in results:
        actions = Counter(finding.action for finding in result.findings)
        failed = str(actions[GateAction.BLOCKED]) if not result.error else "all"
        numbers = (
            result.version,
            actions[GateAction.PASSED],
            actions[GateAction.WARNED],
            failed,
            actions[GateAction.SKIPPED],
        )
        table.add_row(result.table, *map(str, numbers))
    console.print(table)
    for result in results:
        for finding in result.findings:
            if finding.action == GateAction.WARNED:
                console.print(
                    f"warning: {result.suite}: {finding.line}", markup=False, soft_wrap=True
                )
        for failure in result.failures:
            console.print(f"fails: {failure}", markup=False, soft_wrap=True)
