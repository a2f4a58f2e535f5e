"""`status`: what the lake holds, and whether the sums agree. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from cli.output import status_lines
from conf.settings import Settings
from lake import lake_format


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows counts, coverage by model and open ends.

    Raises Inconsistent where the sums don't agree and no run writes.
    """
    files = existing_lake(settings)
    lake_format.check_format(files)
    status_lines.show(console, files, settings, as_json=words.json)
