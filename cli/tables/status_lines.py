"""`status` on the terminal, for people or as JSON."""

from __future__ import annotations

import json
from datetime import datetime

from rich.console import Console

from cli.tables.run_tables import listed
from conf.errors import Inconsistent
from lake.storage.folder import Folder
from report.lake_sums import sums
from report.reconciliation import Sums


def show(console: Console, files: Folder, *, as_json: bool = False) -> None:
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
    for line in held.open_ends:
        console.print(line, markup=False, soft_wrap=True)
    if held.writer:
        told = f"run {held.writer} writes now: sums may not agree until it is done."
        console.print(told, markup=False, soft_wrap=True)
    if not held.disagreements():
        console.print("The sums agree.")


def _bronze(console: Console, held: Sums) -> None:
    console.print(
        f"{held.objects:,} object versions seen = {listed(held.outcomes) or 'none'}",
        markup=False,
        soft_wrap=True,
    )
    if held.rejected:
        console.print(f"  rejected: {listed(held.rejected)}", markup=False)
