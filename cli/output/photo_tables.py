"""Predictions and similar photos on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gold.model_versions import ClassifierVersion
from page.predictions import Prediction
from page.similar_photos import Neighbour

OTHERS = 2
"""The largest number of kinds that are shown beside the most likely one."""


def predictions(console: Console, found: Sequence[Prediction], *, by: ClassifierVersion) -> None:
    """Print the most likely kind of each photo with its confidence, and the next likely kinds.

    `by` is the classifier that made the predictions.
    """
    title = f"by {by.version} ({by.algorithm} on {by.input}, {by.metrics['accuracy']:.1%} right)"
    table = Table(title=title, title_justify="left")
    for name in ("photo", "kind", "confidence", "or"):
        table.add_column(name, justify="right" if name == "confidence" else "left")
    for each in found:
        if each.refused is not None:
            table.add_row(escape(each.photo), "–", "–", escape(each.refused))
            continue
        (kind, confidence), *others = each.kinds
        rest = ", ".join(f"{other} {share:.1%}" for other, share in others[:OTHERS])
        table.add_row(escape(each.photo), escape(kind), f"{confidence:.1%}", escape(rest))
    console.print(table)


def similar(console: Console, found: Sequence[Neighbour], *, to: str) -> None:
    """Print the photos of the lake that are most similar to the photo `to`, with their similarity."""
    table = Table(title=escape(f"most similar to {to}"), title_justify="left")
    table.add_column("similarity", justify="right")
    table.add_column("kind")
    table.add_column("photo_id", overflow="fold")
    for each in found:
        table.add_row(f"{each.similarity:.4f}", escape(each.label or "–"), each.photo_id)
    console.print(table)
