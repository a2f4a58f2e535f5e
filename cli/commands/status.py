"""`status`: what the lake holds, and whether the sums agree. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from cli.output import conflict_lines, status_lines
from conf.settings import Settings
from lake import lake_format
from report.label_conflicts import label_conflicts


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows counts, coverage by model and open ends; or the photos with more than one label.

    Raises Inconsistent where the sums don't agree and no run writes.
    """
    files = existing_lake(settings)
    lake_format.check_format(files)
    if words.conflicts:
        found = label_conflicts(files.root)
        conflict_lines.show(console, found, root=files.root, as_json=words.json)
        return
    status_lines.show(console, files, settings, as_json=words.json)
