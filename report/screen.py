"""The terminal: what a run did, and what the lake holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from conf.errors import Inconsistent
from expectations.check import Checked
from lake import catalog
from lake.journal import LayerRun, Run
from lake.lake import Lake
from report.sums import Sums, sums

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
    """Refusals by reason; of bronze's duplicates, how many."""
    reasons = dict(did.reasons)
    if did.counts.get("duplicate"):
        reasons["duplicate"] = did.counts["duplicate"]
    return _listed(reasons)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def status(console: Console, lake: Lake) -> None:
    """The sums from landing to gold. Raises Inconsistent where they don't agree."""
    held = sums(lake)
    console.print(f"lake {lake.files.root}", markup=False, soft_wrap=True)
    _bronze(console, held)
    for model in held.models:
        console.print(
            f"{model.extractor} {model.weights_id[:12]}: {model.coverage(held.photos):.1%} of "
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
    wrong = held.disagreements()
    if wrong:
        raise Inconsistent(
            f"The sums don't agree: {'; '.join(wrong)}. An audit of ops/chunks is due."
        )
    console.print("The sums agree.")


def models(console: Console, lake: Lake) -> None:
    """Every model version, oldest first: what it is, what it was made from, and why."""
    rows = lake.read(catalog.MODELS).orderBy("created_at", "version").drop(*BLOBS).collect()
    table = Table(title=f"models of {lake.files.root}", title_justify="left")
    for name in ("version", "status", "photos", "components", "explained", "from", "why", "made"):
        right = name in ("photos", "components", "explained")
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        explained = row["explained_variance"]
        source = f"silver {row['embeddings_version']}" if row["kind"] == "pca" else "–"
        table.add_row(
            row["version"],
            row["status"],
            "–" if row["photos"] is None else f"{row['photos']:,}",
            "–" if row["components"] is None else str(row["components"]),
            "–" if explained is None else f"{explained:.1%}",
            source,
            row["reason"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
        )
    console.print(table)


def _bronze(console: Console, held: Sums) -> None:
    console.print(
        f"{held.objects:,} object versions seen = {_listed(held.outcomes) or 'none'}",
        markup=False,
        soft_wrap=True,
    )
    if held.rejected:
        console.print(f"  rejected: {_listed(held.rejected)}", markup=False)
