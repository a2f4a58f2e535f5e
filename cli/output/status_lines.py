"""The output of the command `status`, for people or as JSON."""

from __future__ import annotations

import json
from datetime import datetime

from rich.console import Console

from cli.output.run_tables import listed
from conf.errors import Inconsistent
from lake.storage.folder import Folder
from report.lake_counts import sums
from report.reconciliation import Sums


def show(console: Console, files: Folder, *, as_json: bool = False) -> None:
    """Print the sums of a lake, from its landing folder to gold, for people or as JSON.

    Raises Inconsistent where the sums don't agree. While a run writes they may differ, because it commits to
    one table after another.
    """
    found = sums(files)
    if as_json:
        text = json.dumps(
            {"lake": files.root, **found.facts()}, default=datetime.isoformat, indent=2
        )
        console.print(text, markup=False, soft_wrap=True)
    else:
        _status(console, found, root=files.root)
    differences = found.disagreements()
    if differences and not found.writer:
        raise Inconsistent(
            f"The sums don't agree: {'; '.join(differences)}. Compare the tables with ops/chunks."
        )


def _status(console: Console, found: Sums, *, root: str) -> None:
    """Print the sums for people: bronze, each model with its drift, and the work that is still open."""
    console.print(f"lake {root}", markup=False, soft_wrap=True)
    _bronze(console, found)
    for model in found.models:
        console.print(
            f"{model.name}: {model.coverage(found.photos):.1%} of "
            f"{found.photos:,} photos seen = "
            f"{model.embedded:,} embedded + {model.quarantined:,} quarantined "
            f"({listed(model.reasons) or 'none'}) + {model.waiting:,} waiting",
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
    for line in found.open_ends:
        console.print(line, markup=False, soft_wrap=True)
    if found.writer:
        note = f"run {found.writer} writes now: sums may not agree until it is done."
        console.print(note, markup=False, soft_wrap=True)
    if not found.disagreements():
        console.print("The sums agree.")


def _bronze(console: Console, found: Sums) -> None:
    """Print how many object versions bronze has seen, and what became of them."""
    console.print(
        f"{found.objects:,} object versions seen = {listed(found.outcomes) or 'none'}",
        markup=False,
        soft_wrap=True,
    )
    if found.rejected:
        console.print(f"  rejected: {listed(found.rejected)}", markup=False)
