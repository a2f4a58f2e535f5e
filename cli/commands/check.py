"""`check`: every expectation suite on what the lake holds."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cli.command import Words, whole_number
from cli.lake_access import reading
from cli.output import check_table
from conf.errors import BadInput, Blocked
from conf.settings import Settings
from expectations import check_tables
from expectations.suite_views import Views
from lake import catalog


def run(words: Words, settings: Settings, console: Console) -> None:
    """Judges every table that has a suite, or one table at a version. Raises Blocked where a critical
    expectation fails."""
    tables = check_tables.named(words.table)
    version = whole_number(words, "version")
    junit = Path(words.junit) if words.junit else None
    if junit and not junit.parent.is_dir():
        raise BadInput(f"--junit {junit}: there is no folder {junit.parent}; make it first.")
    with reading(settings, console) as lake:
        if catalog.KNOWN_KEYS not in lake.tables():  # a lake of earlier code
            if words.table == catalog.KNOWN_KEYS.name:
                raise BadInput(
                    f"The lake has no {words.table} yet; the next run that writes makes it."
                )
            tables = [table for table in tables if table is not catalog.KNOWN_KEYS]
        views = Views(lake, history_chunks=settings.gates.history_chunks)
        results = []
        for table in tables:
            with console.status(table.name):
                results.append(check_tables.check(lake, table, views=views, version=version))
    if junit:
        junit.write_text(check_tables.junit(results))
    check_table.show(console, results)
    failures = sum(len(result.failures) for result in results)
    if failures:
        raise Blocked(
            f"{failures:,} critical expectations fail on what the lake holds: correct the rule where it is "
            f"wrong. To find since when rows fail, check earlier versions with --table TABLE --version N."
        )
