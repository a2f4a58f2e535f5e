"""Tables on the terminal, whose names can be copied: no cell is cut, and none is broken inside a word.

A table that is too wide for the screen has less room between its columns; then its words stand below the
names of their row; then each row is a list of lines, `header  cell`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.json_console import JsonConsole
from cli.output.sentences import say
from conf.identifiers import shortened


class Kind(Enum):
    """What the cells of a column hold: names, which stay on one line; numbers, the same to the right; or
    words, which may take several lines."""

    NAME = "name"
    NUMBER = "number"
    WORDS = "words"


NAME, NUMBER, WORDS = Kind.NAME, Kind.NUMBER, Kind.WORDS

EASY = 20
"""The width below which no column of words is made narrower, as lines of a word or two are hard to read."""

GAP = 2
"""The cells between two columns without rules, and before words that stand below their row."""


class WholeTable(Table):
    """A table of plain text that `show` prints with every cell whole. `kinds` says what each column holds."""

    def __init__(self, columns: Mapping[str, Kind], *, title: str | None = None) -> None:
        super().__init__(title=Text(title) if title else None, title_justify="left")
        self.kinds = tuple(columns.values())
        for name, kind in columns.items():
            self.add_column(Text(name), justify="right" if kind is NUMBER else "left")

    def add(self, *cells: str, style: str | None = None) -> None:
        """Add a row of plain text: Rich's markup is not read in it."""
        self.add_row(*map(Text, cells), style=style)

    @property
    def headers(self) -> list[str]:
        """The headers as text."""
        return [str(column.header) for column in self.columns]

    @property
    def cells(self) -> list[list[str]]:
        """The cells of each row as text."""
        columns = (map(str, column.cells) for column in self.columns)
        return [list(row) for row in zip(*columns, strict=True)]

    def widths(self) -> tuple[list[int], list[int]]:
        """Return for each column the fewest cells that keep its names whole and its words easy to read, and
        the cells that its longest cell takes."""
        least, most = [], []
        rows = self.cells
        for place, (header, kind) in enumerate(zip(self.headers, self.kinds, strict=True)):
            column = [row[place] for row in rows]
            longest = max(map(cell_len, [header, *column]))
            parts = [header, *column] if kind is WORDS else [header]
            whole = [] if kind is WORDS else column
            words = [*(word for part in parts for word in part.split()), *whole]
            easy = min(EASY, longest) if kind is WORDS else 0
            least.append(max([easy, *map(cell_len, words)]))
            most.append(longest)
        return least, most


def show(console: Console, table: WholeTable) -> None:
    """Print a table in the first of its forms that the screen has room for."""
    if isinstance(console, JsonConsole):
        console.print(table)
        return
    if table.title:
        say(console, str(table.title), style="italic")
    least, most = table.widths()
    for is_boxed, between in ((True, 3 * len(least) + 1), (False, GAP * (len(least) - 1))):
        room = console.width - between
        if sum(least) <= room:
            _print(console, table, _shared_out(least, most, room=room), is_boxed=is_boxed)
            return
    if not _print_with_words_below(console, table):
        _print_lists(console, table)


def _shared_out(least: Sequence[int], most: Sequence[int], *, room: int) -> list[int]:
    """Return the width of each column: at least what it needs, and what is left to those that lack most."""
    widths = list(least)
    for _ in range(room - sum(least)):
        lacking = [n for n in range(len(widths)) if widths[n] < most[n]]
        if not lacking:
            break
        widths[max(lacking, key=lambda n: most[n] / widths[n])] += 1
    return widths


def _print(console: Console, table: WholeTable, widths: Sequence[int], *, is_boxed: bool) -> None:
    """Print the table, in lines or without."""
    form = Table(
        box=box.HEAVY_HEAD if is_boxed else box.SIMPLE_HEAD,
        padding=(0, 1) if is_boxed else 0,
        pad_edge=is_boxed,
        show_edge=is_boxed,
    )
    for column, width in zip(table.columns, widths, strict=True):
        gap = 0 if is_boxed or column is table.columns[-1] else GAP - 1
        form.add_column(column.header, justify=column.justify, width=width + gap)
    for row, cells in zip(table.rows, table.cells, strict=True):
        form.add_row(*map(Text, cells), style=row.style)
    console.print(form)


def _print_with_words_below(console: Console, table: WholeTable) -> bool:
    """Print names and numbers as columns, and the words of each row below them.

    Returns False, and prints nothing, where there are no words or no room for the names.
    """
    kinds = table.kinds
    columns = [n for n, kind in enumerate(kinds) if kind is not WORDS]
    rows = table.cells
    wide = [max(cell_len(row[n]) for row in [table.headers, *rows]) for n in columns]
    if len(columns) in (0, len(kinds)) or sum(wide) + GAP * (len(wide) - 1) > console.width:
        return False

    def line(cells: Sequence[str]) -> str:
        padded = [
            f"{cells[n]:>{width}}" if kinds[n] is NUMBER else f"{cells[n]:<{width}}"
            for n, width in zip(columns, wide, strict=True)
        ]
        return (" " * GAP).join(padded).rstrip()

    console.print(Text(line(table.headers), style="bold"), soft_wrap=True)
    for row, cells in zip(table.rows, rows, strict=True):
        below = [
            f"{header}: {cell}"
            for header, cell, kind in zip(table.headers, cells, kinds, strict=True)
            if kind is WORDS and cell not in ("", "–")
        ]
        indent = " " * GAP
        wrapped = textwrap.wrap(
            "; ".join(below),
            max(console.width, EASY),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        console.print(
            Text("\n".join([line(cells), *wrapped]), style=row.style or ""), soft_wrap=True
        )
    return True


def _print_lists(console: Console, table: WholeTable) -> None:
    """Print each row as lines of a header and its cell; a terminal wraps what is longer than its width."""
    headers = table.headers
    width = max(map(cell_len, headers)) + GAP
    for place, (row, cells) in enumerate(zip(table.rows, table.cells, strict=True)):
        lines = [f"{h:<{width}}{cell}" for h, cell in zip(headers, cells, strict=True)]
        text = "\n".join(lines if place == 0 else ["", *lines])
        console.print(Text(text, style=row.style or ""), soft_wrap=True)


def ids(console: Console, known: Iterable[str]) -> Mapping[str, str]:
    """Return how each id is shown: its short beginning to people, all of it to a log."""
    known = list(known)
    if isinstance(console, JsonConsole):
        return {each: each for each in known}
    return shortened(known)
