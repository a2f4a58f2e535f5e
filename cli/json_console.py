"""The output of a run as JSON, one object a line, for tools that collect logs (`--log json`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


class JsonConsole(Console):
    """A console that prints JSON objects: a sentence, a row of a table, or an event with its facts.

    Each object has `at` (UTC), `level` and `event`, and `run_id` once there is a run. A console that is made
    `beside` another one shares its run. Other systems collect and keep these lines, so they must not name
    anybody.
    """

    def __init__(
        self, *, level: str, stderr: bool = False, beside: JsonConsole | None = None
    ) -> None:
        # The console counts as no terminal, so that it shows no bars and no spinners.
        super().__init__(stderr=stderr, highlight=False, force_terminal=False)
        self.level = level
        self._run: dict[str, str] = beside._run if beside else {}

    def begin(self, run_id: str) -> None:
        """Add the id of a run to every later line."""
        self._run["run_id"] = run_id

    def print(self, *objects: Any, markup: bool | None = None, **_: Any) -> None:
        """Print one line for each object, and one line for each row of a table."""
        for each in objects:
            if isinstance(each, Table):
                self._rows(each)
            else:
                self.event("message", message=str(each) if markup is False else _plain(each))

    def event(self, event: str, **facts: Any) -> None:
        """Print one line: an event with its facts."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": self.level, "event": event, **self._run, **facts}
        self.file.write(f"{json.dumps(line, default=_text)}\n")
        self.file.flush()

    def _rows(self, table: Table) -> None:
        names = [str(column.header) for column in table.columns]
        cells = [[_plain(cell) for cell in column.cells] for column in table.columns]
        for row in zip(*cells, strict=True):
            self.event(
                "row", table=_plain(table.title or ""), row=dict(zip(names, row, strict=True))
            )


def subject_on(console: Console, subject: str | None) -> str | None:
    """Return how a subject is named on a console: a log names nobody, whose lines other systems keep."""
    return "(named in no log)" if isinstance(console, JsonConsole) else subject


def _plain(cell: Any) -> str:
    """Return a cell or an object as text without Rich's markup."""
    return Text.from_markup(cell).plain if isinstance(cell, str) else str(cell)


def _text(value: Any) -> str:
    """Return the text of a value that JSON doesn't have; times are written in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def event(console: Console, name: str, facts: Mapping[str, Any]) -> None:
    """Print an event on a console that prints JSON. Other consoles show the same facts in another way."""
    if isinstance(console, JsonConsole):
        console.event(name, **facts)
