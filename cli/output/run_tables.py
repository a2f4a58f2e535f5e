"""The summary of a run: what each layer took in, kept and refused, where its time went, and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from cli import json_console
from cli.json_console import JsonConsole
from cli.output import tables, warning_lines
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from lake.enums import Outcome
from lake.run_clock import END, START, RunClock
from lake.run_journal import RATED_FROM, LayerRun, Run

SHOWN_FROM = 0.05
"""The fewest seconds of a part that is named."""


def summary(console: Console, layers: Sequence[LayerRun], *, run: Run, clock: RunClock) -> None:
    """Print what each layer took in, kept and refused with the reasons, and its seconds; the seconds of the
    start and the end, whose sum with these is the time of the whole run; then warnings and notes.

    A run's end is over when this is called.
    """
    seconds = stages(layers, clock=clock)
    # A JSON console has printed each layer's numbers already, as an event.
    if isinstance(console, JsonConsole):
        facts = {"seconds": {**seconds, "total": sum(seconds.values())}, "parts": clock.parts}
        json_console.event(console, "run", facts)
    else:
        tables.show(console, _table(layers, seconds, title=f"run {run.run_id}"))
        for line in _explained(layers, clock):
            say(console, line)
    warning_lines.show(console, [each for did in layers for each in did.warnings])
    for did in layers:
        for note in did.notes:
            say(console, f"{did.layer}: {note}")
    if not any(any(did.counts.values()) for did in layers):
        console.print("Nothing new: only the journal ops/runs was written.")


def stages(layers: Sequence[LayerRun], *, clock: RunClock) -> dict[str, float]:
    """Return the seconds of the start, of each layer, and of the rest, which is the end.

    The start is over when the first layer begins. Commits between two layers count to the end.
    """
    total = clock.seconds
    start = (layers[0].started_at - clock.begun).total_seconds()
    found = {START: max(start, 0.0)}
    for did in layers:
        found[did.layer] = found.get(did.layer, 0.0) + did.seconds
    return found | {END: max(total - sum(found.values()), 0.0)}


def _table(layers: Sequence[LayerRun], seconds: Mapping[str, float], *, title: str) -> WholeTable:
    has_rates = any(_rate(did) for did in layers)
    columns = {"layer": NAME, "in": NUMBER, "kept": NUMBER, "refused, and why": WORDS}
    columns |= {"seconds": NUMBER} | ({"photos/s": NUMBER} if has_rates else {})
    table = WholeTable(columns, title=title)

    def add(name: str, cells: Sequence[str], took: float, rate: str = "") -> None:
        table.add(name, *cells, f"{took:,.1f}", *([rate] if has_rates else []))

    none = ("", "", "")
    add(START, none, seconds[START])
    for did in layers:
        counts = (f"{did.counts.get(name, 0):,}" for name in ("in", "kept"))
        add(did.layer, (*counts, _reasons(did) or "–"), did.seconds, _rate(did) or "–")
    add(END, none, seconds[END])
    add("total", none, sum(seconds.values()))
    return table


def _rate(did: LayerRun) -> str | None:
    """Return the photos a second of a layer; None where they are too few for a rate that means something."""
    rate = did.photos_per_second
    if rate is None or did.counts["in"] < RATED_FROM:
        return None
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:,.1f}"


def _explained(layers: Sequence[LayerRun], clock: RunClock) -> list[str]:
    """Return what the start and the end consist of, and what the rate is of."""
    lines = []
    for stage in (START, *dict.fromkeys(did.layer for did in layers), END):
        parts = {k: s for k, s in clock.parts.get(stage, {}).items() if s >= SHOWN_FROM}
        if parts:
            of = ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in parts.items())
            lines.append(f"{stage}: {of}")
    if any(_rate(did) for did in layers):
        lines.append("photos/s: over all seconds of a layer, with its gates and commits")
    return lines


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
