"""`report`: what the lake holds and how it came, as one HTML file. Without Spark."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cli.command import Command, Parser, Words
from cli.lake_access import existing_lake
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
    message = f"{words.out}: {size / 1e6:,.1f} MB. No person, path or photo of a person is in it."
    console.print(message, markup=False, soft_wrap=True)


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--out", metavar="FILE", default="report.html", help="(default: report.html)"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="with small pictures of refused photos, no person's"
    )


COMMAND = Command(
    name="report",
    help="what the lake holds and how it came, as one HTML file",
    example=("report --out report.html", "runs, sums, gates, models and costs as one page"),
    run=run,
    add_arguments=_add_arguments,
)
