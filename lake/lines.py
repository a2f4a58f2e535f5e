"""What a run says as JSON, one object a line, for whoever gathers logs: `--log json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


class JsonLines(Console):
    """A console that prints objects: a sentence as `message`, a table's rows by its columns, an event with
    its facts. Each has `at` (UTC) and `level`, and `run_id` once there is a run."""

    def __init__(self, *, level: str, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, force_terminal=False)
        self.level = level
        self.run_id: str | None = None

    def print(self, *objects: Any, **_: Any) -> None:
        """Each object a line, a table a line a row."""
        for each in objects:
            if isinstance(each, Table):
                self._rows(each)
            else:
                self.event("message", message=str(each))

    def status(self, *_: Any, **__: Any) -> AbstractContextManager[Any]:  # type: ignore[override]
        """Nothing turns here."""
        return nullcontext()

    def event(self, event: str, **facts: Any) -> None:
        """One line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        run = {"run_id": self.run_id} if self.run_id else {}
        line = {"at": at, "level": self.level, "event": event, **run, **facts}
        self.file.write(f"{json.dumps(line, default=str)}\n")
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


def event(console: Console, name: str, facts: Mapping[str, Any]) -> None:
    """One line where lines are JSON; people see it otherwise."""
    if isinstance(console, JsonLines):
        console.event(name, **facts)
