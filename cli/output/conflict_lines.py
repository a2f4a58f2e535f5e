"""The output of `status --conflicts`: the photos that lie in the landing folder with more than one label."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console

from cli.output import tables
from cli.output.photo_tables import one_line
from cli.output.sentences import say
from cli.output.tables import NAME, WORDS, WholeTable
from report.label_conflicts import LabelConflict


def show(
    console: Console, conflicts: Sequence[LabelConflict], *, root: str, as_json: bool = False
) -> None:
    """Print the conflicts of the lake under `root`, as its last run of bronze found them, and what to do."""
    if as_json:
        facts = [each.facts() for each in conflicts]
        console.print(json.dumps(facts, indent=2), markup=False, soft_wrap=True)
        return
    if not conflicts:
        say(
            console,
            "No photo lay in the landing folder with more than one label, at the last listing.",
        )
        return
    table = WholeTable(
        {"photo": NAME, "kept": WORDS, "object in the landing folder": NAME, "tells": WORDS},
        title=f"photos of {root} with more than one label",
    )
    for each in conflicts:
        for told in each.objects:
            cells = (each.kept, told.path, str(told))
            table.add(each.photo_id[:12], *map(one_line, cells))
    tables.show(console, table)
    say(
        console,
        "Each photo keeps what it has. Remove the objects whose label is wrong from the landing "
        "folder, and the next run.py --layer bronze follows those that are left.",
    )
