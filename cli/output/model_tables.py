"""Model versions and classifiers on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from rich.console import Console

from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from gold import model_versions, outdated_labels
from lake import catalog
from lake.enums import ModelKind, ModelStatus
from lake.readable_lake import Lake

Row = Mapping[str, Any]
"""A row of gold/models, by column name."""

CONFUSED = 5
"""The largest number of pairs of kinds that are shown as mixed up."""


def versions(console: Console, lake: Lake) -> None:
    """Print every model version, the oldest first: what it is, what it was made from, and why."""
    known = lake.records(catalog.MODELS, columns=model_versions.NARROW)
    rows = sorted(known, key=itemgetter("created_at", "version"))
    table = WholeTable(
        {
            "version": NAME,
            "status": NAME,
            "photos": NUMBER,
            "what it holds": WORDS,
            "from": WORDS,
            "why": WORDS,
            "made": NAME,
        },
        title=f"models of {lake.files.root}",
    )
    for row in rows:
        version = row["embeddings_version"]
        table.add(
            row["version"],
            row["status"],
            "–" if row["photos"] is None else f"{row['photos']:,}",
            _description(row),
            "–" if version is None else f"silver/embeddings {version}",
            row["reason"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
        )
    tables.show(console, table)
    for each in outdated_labels.sentences(lake.ledger.chunks().values(), rows):
        say(console, f"{each}.")


def _description(row: Row) -> str:
    """Return a version of gold/models in a few words."""
    if row["kind"] == ModelKind.PCA:
        return f"{row['components']} components, {row['explained_variance']:.1%} of the variance"
    if row["kind"] == ModelKind.CLASSIFIER:
        accuracy = dict(row["metrics"] or {}).get("accuracy")
        right = f", {accuracy:.1%} right" if accuracy else ""
        return f"{row['algorithm']} on {row['input']}{right}"
    return f"{row['dimensions']:,} values a photo"


def classifiers(console: Console, lake: Lake, *, weights_id: str) -> None:
    """Print the results of a model's last training on held-out photos, and the kinds that the champion mixes
    up."""
    known = lake.records(catalog.MODELS, columns=model_versions.NARROW)
    versions = model_versions.versions(known, weights_id=weights_id, kind=ModelKind.CLASSIFIER)
    current = sorted(
        (
            {**row, "metrics": dict(row["metrics"])}
            for row in versions
            if row["status"] != ModelStatus.RETIRED
        ),
        key=itemgetter("version"),
    )
    table = WholeTable(
        {"version": NAME, "status": NAME, "what": WORDS, "right": NUMBER, "macro F1": NUMBER},
        title="on photos held out",
    )
    for row in current:
        right, f1 = (f"{row['metrics'][name]:.1%}" for name in ("accuracy", "macro_f1"))
        what = f"{row['algorithm']} on {row['input']}"
        table.add(row["version"], row["status"], what, right, f1)
    for what, share in _references(current).items():
        table.add("–", "–", what, f"{share:.1%}", "–")
    tables.show(console, table)
    for row in (r for r in current if r["status"] == ModelStatus.CHAMPION):
        line = (
            f"{row['version']}: {_confused(row)}; {row['metrics']['tested']:,.0f} photos took part"
        )
        if untested := row["metrics"]["untested_labels"]:
            line += f", {untested:.0f} kinds could not be tested"
        say(console, f"{line}.")


def _references(classifiers: Sequence[Row]) -> Mapping[str, float]:
    """Return the references that classifiers are compared with: their shares of right answers, by their
    names."""
    shares = {
        f"for comparison: 5 nearest neighbours on {row['input']}": row["metrics"][
            "nearest_neighbours"
        ]
        for row in classifiers
    }
    for row in classifiers:
        shares["for comparison: always the most frequent kind"] = row["metrics"]["baseline"]
    return shares


def _confused(row: Row) -> str:
    """Return the pairs of kinds that a classifier mixed up most often, in words."""
    labels, n = row["labels"], len(row["labels"])
    wrong = [
        (times, labels[place // n], labels[place % n])
        for place, times in enumerate(row["confusion"])
        if times and place // n != place % n
    ]
    most = sorted(wrong, key=lambda pair: -pair[0])[:CONFUSED]
    pairs = ", ".join(f"{true} called {predicted} ({times:,})" for times, true, predicted in most)
    return f"its most frequent mistakes: {pairs}" if pairs else "it made no mistake"
