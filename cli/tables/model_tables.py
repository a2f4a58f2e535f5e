"""Model versions and classifiers on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Row
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from gold import model_versions
from lake import catalog
from lake.column_values import ModelKind, ModelStatus
from lake.readable_lake import Lake

BLOBS = ("mean", "scale", "basis", "scree", "parameters", "reference")
"""Columns of gold/models that no table shows: megabytes."""

CONFUSED = 5
"""The number of pairs of kinds that are shown as mixed up."""


def versions(console: Console, lake: Lake) -> None:
    """Every model version, oldest first: what it is, what it was made from, and why."""
    rows = lake.read(catalog.MODELS).orderBy("created_at", "version").drop(*BLOBS).collect()
    table = Table(title=f"models of {lake.files.root}", title_justify="left")
    for name in ("version", "status", "photos", "what it holds", "from", "why", "made"):
        table.add_column(name, justify="right" if name == "photos" else "left")
    for row in rows:
        version = row["embeddings_version"]
        table.add_row(
            row["version"],
            row["status"],
            "–" if row["photos"] is None else f"{row['photos']:,}",
            _holds(row),
            "–" if version is None else f"silver {version}",
            row["reason"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
        )
    console.print(table)


def _holds(row: Row) -> str:
    """A model's version in a few words."""
    if row["kind"] == ModelKind.PCA:
        return f"{row['components']} components, {row['explained_variance']:.1%} of the variance"
    if row["kind"] == ModelKind.CLASSIFIER:
        right = dict(row["metrics"] or {}).get("accuracy")
        return f"{row['algorithm']} on {row['input']}" + (f", {right:.1%} right" if right else "")
    return f"{row['dimensions']:,} values a photo"


def classifiers(console: Console, lake: Lake, *, weights_id: str) -> None:
    """A model's classifiers of the last training, on photos held out, and what the champion mixes up."""
    versions = model_versions.versions(
        lake.read(catalog.MODELS), weights_id=weights_id, kind=ModelKind.CLASSIFIER
    )
    held = (
        versions.where(F.col("status") != ModelStatus.RETIRED)
        .drop(*BLOBS)
        .orderBy("version")
        .collect()
    )
    table = Table(title="on photos held out", title_justify="left")
    for name in ("version", "status", "what", "right", "macro F1"):
        table.add_column(name, justify="right" if name in ("right", "macro F1") else "left")
    for row in held:
        right, f1 = (f"{row['metrics'][name]:.1%}" for name in ("accuracy", "macro_f1"))
        what = f"{row['algorithm']} on {row['input']}"
        table.add_row(row["version"], row["status"], what, right, f1)
    for what, share in _references(held).items():
        table.add_row("–", "–", what, f"{share:.1%}", "–")
    console.print(table)
    for row in (r for r in held if r["status"] == ModelStatus.CHAMPION):
        told = (
            f"{row['version']}: {_confused(row)}; {row['metrics']['tested']:,.0f} photos took part"
        )
        if few := row["metrics"]["untested_labels"]:
            told += f", {few:.0f} kinds had too few for a test"
        console.print(f"{told}.", markup=False, soft_wrap=True)


def _references(held: Sequence[Row]) -> Mapping[str, float]:
    """What classifiers are compared with, and its share of right answers on the same photos."""
    shares = {
        f"5 nearest neighbours on {row['input']}": row["metrics"]["nearest_neighbours"]
        for row in held
    }
    for row in held:
        shares["always the most frequent kind"] = row["metrics"]["baseline"]
    return shares


def _confused(row: Row) -> str:
    """The pairs of kinds that a classifier mixed up most often."""
    labels, n = row["labels"], len(row["labels"])
    wrong = [
        (times, labels[place // n], labels[place % n])
        for place, times in enumerate(row["confusion"])
        if times and place // n != place % n
    ]
    most = sorted(wrong, key=lambda pair: -pair[0])[:CONFUSED]
    told = ", ".join(f"{true} for {said} ({times:,})" for times, true, said in most)
    return f"took most often {told}" if told else "took none for another"
