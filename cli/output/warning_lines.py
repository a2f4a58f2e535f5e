"""What rules warn of, in plain words: which rows, how many, what is good, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console

from cli.output.sentences import say
from lake.catalog import LAYER_OF, MODELS
from lake.run_journal import RuleWarning

ROWS = {table.name: "photos" for table in LAYER_OF} | {MODELS.name: "model versions"}
"""What the rows of a table that has a gate are called."""


def show(console: Console, warnings: Sequence[RuleWarning]) -> None:
    """Print a line for each rule that warns, and the number of these rules before them."""
    if not warnings:
        return
    lines = told(warnings)
    rules = "1 rule warns" if len(lines) == 1 else f"{len(lines):,} rules warn"
    say(console, f"{rules}; nothing was held back for it:")
    for line in lines:
        say(console, f"warning: {line}")


def told(warnings: Iterable[RuleWarning]) -> list[str]:
    """Return a line for each rule that warns, over all its chunks, in the order of the first ones."""
    by_rule: dict[tuple[str, str], list[RuleWarning]] = {}
    for each in warnings:
        by_rule.setdefault((each.table, each.rule), []).append(each)
    return [_line(of_rule) for of_rule in by_rule.values()]


def _line(warnings: Sequence[RuleWarning]) -> str:
    """Return one line about the warnings of one rule."""
    first = warnings[0]
    photos = sum(each.photos for each in warnings)
    rows = ROWS.get(first.table, "rows")
    if first.failing is not None:
        failing = sum(each.failing or 0 for each in warnings)
        who, found = f"{failing:,} of {photos:,} {rows}", ""
    else:
        who, found = f"{photos:,} {rows}", _found(warnings)
    return (
        f"{first.table}: {who}{_chunks(warnings)} {first.says}{found}. {first.remedy} "
        f"(rule {first.rule})"
    )


def _found(warnings: Sequence[RuleWarning]) -> str:
    """Return what was found beside what is good, the worst of several chunks."""
    values = [each.observed for each in warnings if each.observed is not None]
    if not values:
        return ""
    bound = warnings[0].bound
    worst = min(values) if bound.startswith("at least") else max(values)
    return f": {worst:.2f}, where {bound} is good"


def _chunks(warnings: Sequence[RuleWarning]) -> str:
    """Return which chunks the warnings are of, where they are of chunks."""
    numbers = sorted({each.chunk for each in warnings if each.chunk is not None})
    if not numbers:
        return ""
    of = "chunk" if len(numbers) == 1 else "chunks"
    return f" of {of} {', '.join(map(str, numbers))}"
