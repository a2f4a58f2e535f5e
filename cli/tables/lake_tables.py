"""The terminal: what a run did, and what the lake holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from pyspark.sql import Row
from pyspark.sql import functions as F
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.json_console import JsonConsole
from conf.errors import Inconsistent
from expectations.check_tables import Checked
from gold.model_versions import ClassifierVersion
from gold.model_versions import versions as models_of_kind
from lake import catalog
from lake.run_journal import LayerRun, Run
from lake.storage.folder import Folder
from page.predictions import Prediction
from page.similar_photos import Neighbour
from report.lake_sums import Sums, sums

CONFUSED, OTHERS = 5, 2
"""Pairs of kinds, and kinds beside the likeliest one, that are shown."""

BLOBS = ("mean", "scale", "basis", "scree", "parameters", "reference")


def summary(console: Console, layers: Sequence[LayerRun], *, run: Run) -> None:
    """What each layer took in, kept and refused, and why; its rate over the whole layer."""
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
    if not isinstance(console, JsonConsole):  # which has had each layer's numbers as numbers
        console.print(table)
    for did in layers:
        for note in did.notes:
            console.print(f"{did.layer}: {note}", markup=False, soft_wrap=True)
    if not any(did.counts.get("in") for did in layers):
        console.print("Nothing new: no table was written but ops/runs.")


def checked(console: Console, results: Sequence[Checked]) -> None:
    """What each suite found: one line an expectation that fails, and a table of how many hold."""
    table = Table(title="expectations", title_justify="left")
    for name in ("table", "version", "hold", "warn", "fail", "skipped"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for result in results:
        actions = Counter(finding.action for finding in result.findings)
        failed = str(actions["blocked"]) if not result.error else "all"
        numbers = (result.version, actions["passed"], actions["warned"], failed, actions["skipped"])
        table.add_row(result.table, *map(str, numbers))
    console.print(table)
    for result in results:
        for finding in result.findings:
            if finding.action == "warned":
                console.print(
                    f"warning: {result.suite}: {finding.line}", markup=False, soft_wrap=True
                )
        for failure in result.failures:
            console.print(f"fails: {failure}", markup=False, soft_wrap=True)


def _reasons(did: LayerRun) -> str:
    """Refusals by reason; of bronze's duplicates and of what tombstones keep out, how many."""
    reasons = dict(did.reasons)
    for outcome in ("duplicate", "tombstoned"):
        if did.counts.get(outcome):
            reasons[outcome] = did.counts[outcome]
    return _listed(reasons)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def status(console: Console, files: Folder, *, as_json: bool = False) -> None:
    """The sums from landing to gold, for people or as JSON.

    Raises Inconsistent where they don't agree and no run writes, whose tables come one after another.
    """
    held = sums(files)
    if as_json:
        told = json.dumps(
            {"lake": files.root, **held.facts()}, default=datetime.isoformat, indent=2
        )
        console.print(told, markup=False, soft_wrap=True)
    else:
        _status(console, held, root=files.root)
    wrong = held.disagreements()
    if wrong and not held.writer:
        raise Inconsistent(
            f"The sums don't agree: {'; '.join(wrong)}. An audit of ops/chunks is due."
        )


def _status(console: Console, held: Sums, *, root: str) -> None:
    console.print(f"lake {root}", markup=False, soft_wrap=True)
    _bronze(console, held)
    for model in held.models:
        console.print(
            f"{model.name}: {model.coverage(held.photos):.1%} of "
            f"{held.photos:,} photos seen = "
            f"{model.embedded:,} embedded + {model.quarantined:,} quarantined "
            f"({_listed(model.reasons) or 'none'}) + {model.waiting:,} waiting",
            markup=False,
            soft_wrap=True,
        )
        console.print(
            f"  gold: {model.features:,} features of {model.champion or 'no version yet'}"
            + (f", {model.explained:.1%} of the variance" if model.explained is not None else ""),
            markup=False,
            soft_wrap=True,
        )
        if drift := model.drift:
            console.print(
                f"  drift of the last chunk, {drift.chunk} ({drift.photos:,} photos), beyond chance: mean "
                f"{drift.mean_shift:.2f}, reconstruction {drift.reconstruction:.2f}, labels "
                f"{drift.label_mix:.2f}, brightness {drift.brightness:.2f}, components up to "
                f"{drift.component:.2f}",
                markup=False,
                soft_wrap=True,
            )
    for line in held.open_ends:
        console.print(line, markup=False, soft_wrap=True)
    if held.writer:
        told = f"run {held.writer} writes now: sums may not agree until it is done."
        console.print(told, markup=False, soft_wrap=True)
    if not held.disagreements():
        console.print("The sums agree.")


def models(console: Console, lake: Lake) -> None:
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
    if row["kind"] == "pca":
        return f"{row['components']} components, {row['explained_variance']:.1%} of the variance"
    if row["kind"] == "classifier":
        right = dict(row["metrics"] or {}).get("accuracy")
        return f"{row['algorithm']} on {row['input']}" + (f", {right:.1%} right" if right else "")
    return f"{row['dimensions']:,} values a photo"


def classifiers(console: Console, lake: Lake, *, weights_id: str) -> None:
    """A model's classifiers of the last training, on photos held out, and what the champion mixes up."""
    versions = models_of_kind(lake.read(catalog.MODELS), weights_id=weights_id, kind="classifier")
    held = versions.where(F.col("status") != "retired").drop(*BLOBS).orderBy("version").collect()
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
    for row in (r for r in held if r["status"] == "champion"):
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


def predictions(console: Console, found: Sequence[Prediction], *, by: ClassifierVersion) -> None:
    """What each photo shows, how surely, and what else it may be."""
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
    """The most similar photos of the lake, and how similar each is."""
    table = Table(title=escape(f"most similar to {to}"), title_justify="left")
    table.add_column("similarity", justify="right")
    table.add_column("kind")
    table.add_column("photo_id", overflow="fold")
    for each in found:
        table.add_row(f"{each.similarity:.4f}", escape(each.label or "–"), each.photo_id)
    console.print(table)


def _bronze(console: Console, held: Sums) -> None:
    console.print(
        f"{held.objects:,} object versions seen = {_listed(held.outcomes) or 'none'}",
        markup=False,
        soft_wrap=True,
    )
    if held.rejected:
        console.print(f"  rejected: {_listed(held.rejected)}", markup=False)
