"""`report`: what the lake holds and how it came, as one HTML file. Without Spark."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from cli.output import places
from conf.settings import Settings
from lake import lake_format
from report import html_report
from report.report_facts import ReportFacts


def run(words: Words, settings: Settings, console: Console) -> None:
    """Writes the report. Raises BadInput where the file can't be written."""
    files = existing_lake(settings)
    lake_format.check_format(files)
    with console.status("reading the lake"):
        facts = ReportFacts.of(files, settings, with_pictures=words.pictures)
        size = html_report.write(facts, Path(words.out))
    more = f" ({size / 1e6:,.1f} MB). No person, path or photo of a person is in it."
    places.show(console, "report", words.out, more)
