"""The summary of a run on the terminal: what each layer took in, kept and refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from cli.json_console import JsonConsole
from lake.enums import Outcome
from lake.run_journal import LayerRun, Run


def summary(console: Console, layers: Sequence[LayerRun], *, run: Run) -> None:
    """Print what each layer took in, kept and refused with the reasons, its time and its rate, and its
    notes."""
    table = Table(title=f"run {run.run_id}", title_justify="left")
    for name in ("layer", "in", "kept", "refused, and why", "seconds", "photos/s"):
        table.add_column(name, justify="left" if name[0] in "lr" else "right")
    for did in layers:
        table.add_row(
            did.layer,
            f"{did.counts.get('in', 0):,}",
            f"{did.counts.get('kept', 0):,}",
            _reasons(did) or "–",
            f"{did.seconds:,.1f}",
            f"{did.photos_per_second:,.0f}" if did.photos_per_second else "–",
        )
    # A JSON console has printed each layer's numbers already, as an event.
    if not isinstance(console, JsonConsole):
        console.print(table)
    for did in layers:
        for note in did.notes:
            console.print(f"{did.layer}: {note}", markup=False, soft_wrap=True)
    if not any(did.counts.get("in") for did in layers):
        console.print("Nothing new: no table was written but ops/runs.")


def _reasons(did: LayerRun) -> str:
    """Return the refused photos by reason, with the duplicates and the photos that tombstones keep out."""
    reasons = dict(did.reasons)
    for outcome in (Outcome.DUPLICATE, Outcome.TOMBSTONED):
        if did.counts.get(outcome):
            reasons[outcome] = did.counts[outcome]
    return listed(reasons)


def listed(counts: Mapping[str, int]) -> str:
    """Return counts by name as one line, in the order of the names."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
