"""Model versions and classifiers on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from rich.console import Console

from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from gold import accuracy_figures, model_versions, outdated_labels
from lake import catalog
from lake.enums import ModelKind, ModelStatus
from lake.model_identity import ModelIdentity
from lake.readable_lake import Lake

Row = Mapping[str, Any]
"""A row of gold/models, by column name."""

CONFUSED = 5
"""The largest number of pairs of kinds that are shown as mixed up."""

WORST = 10
"""How many kinds are shown with their figures, the worst ones."""


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
        metrics = dict(row["metrics"] or {})
        found = f", {accuracy_figures.in_few_words(metrics)}" if "accuracy" in metrics else ""
        return f"{row['algorithm']} on {row['input']}{found}"
    return f"{row['dimensions']:,} values a photo, {ModelIdentity.of(row)}"


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
        {
            "version": NAME,
            "status": NAME,
            "what": WORDS,
            "right": NUMBER,
            "95% interval": NUMBER,
            "scenes": NUMBER,
            "macro F1": NUMBER,
            "confidence": WORDS,
        },
        title="on photos held out",
    )
    for row in current:
        metrics = row["metrics"]
        right, f1 = (f"{metrics[name]:.1%}" for name in ("accuracy", "macro_f1"))
        bounds = accuracy_figures.interval_of(metrics)
        scenes = f"{metrics['groups']:,.0f}" if "groups" in metrics else "–"
        what = f"{row['algorithm']} on {row['input']}"
        confidence = accuracy_figures.confidence_in_few_words(metrics)
        table.add(row["version"], row["status"], what, right, bounds, scenes, f1, confidence)
    for what, share in _references(current).items():
        table.add("–", "–", what, f"{share:.1%}", *["–"] * 4)
    tables.show(console, table)
    for row in (r for r in current if r["status"] == ModelStatus.CHAMPION):
        _champion(console, lake, row)


def _champion(console: Console, lake: Lake, row: Row) -> None:
    """Print what the tests of a champion, a row of gold/models, found: kinds, mistakes, and later days."""
    columns = [*accuracy_figures.HELD_OUT_COLUMNS]
    where = accuracy_figures.of_its_test(row)
    held_out = lake.records(catalog.HELD_OUT, columns=columns, where=where)
    kinds = sorted(accuracy_figures.of_kinds(row, held_out), key=lambda kind: kind.share)
    title = "its kinds" if len(kinds) <= WORST else f"its {WORST} worst kinds of {len(kinds):,}"
    table = WholeTable(
        {"kind": NAME, "right": NUMBER, "95% interval": NUMBER, "photos": NUMBER, "scenes": NUMBER},
        title=f"{row['version']}: {title}",
    )
    for each in kinds[:WORST]:
        scenes = "–" if each.groups is None else f"{each.groups:,}"
        table.add(each.kind, f"{each.share:.1%}", each.interval, f"{each.photos:,}", scenes)
    tables.show(console, table)
    metrics = row["metrics"]
    if any(each.groups is None for each in kinds):
        say(console, accuracy_figures.DASH)
    line = f"{row['version']}: {_confused(row)}; {metrics['tested']:,.0f} photos took part"
    if untested := metrics["untested_labels"]:
        line += f", {untested:.0f} {'kind' if untested == 1 else 'kinds'} could not be tested"
    say(console, f"{line}.")
    say(console, f"{row['version']}: {accuracy_figures.sentence(metrics)}.")
    say(console, f"{row['version']}: {accuracy_figures.confidence_sentence(metrics)}.")
    say(console, f"{row['version']}: {accuracy_figures.timewise_sentence(metrics)}.")


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
