"""What a run says as JSON, one object a line, for whoever gathers logs: `--log json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


class JsonConsole(Console):
    """A console that prints objects: a sentence as `message`, a table's rows by its columns, an event with
    its facts. Each has `at` (UTC) and `level`, and `run_id` once there is a run, also on a console `beside`.

    Others gather and keep such lines: nobody may be named in them.
    """

    def __init__(
        self, *, level: str, stderr: bool = False, beside: JsonConsole | None = None
    ) -> None:
        # On no terminal: nothing turns.
        super().__init__(stderr=stderr, highlight=False, force_terminal=False)
        self.level = level
        self._run: dict[str, str] = beside._run if beside else {}

    def begin(self, run_id: str) -> None:
        """From now on lines name that run."""
        self._run["run_id"] = run_id

    def print(self, *objects: Any, markup: bool | None = None, **_: Any) -> None:
        """Each object a line, a table a line a row."""
        for each in objects:
            if isinstance(each, Table):
                self._rows(each)
            else:
                self.event("message", message=str(each) if markup is False else _plain(each))

    def event(self, event: str, **facts: Any) -> None:
        """One line."""
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


def _plain(cell: Any) -> str:
    return Text.from_markup(cell).plain if isinstance(cell, str) else str(cell)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def event(console: Console, name: str, facts: Mapping[str, Any]) -> None:
    """One line where lines are JSON; people see it otherwise."""
    if isinstance(console, JsonConsole):
        console.event(name, **facts)
