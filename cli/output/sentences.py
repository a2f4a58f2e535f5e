"""Sentences on the screen, broken between words where they are longer than a line."""

from __future__ import annotations

import textwrap

from rich.console import Console


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """Print a text as it is. On a terminal its lines are broken between words, and never within one: paths,
    ids and commands stay whole. In a file or a log they have any length."""
    if console.is_terminal:
        text = "\n".join(_broken(line, width=console.width) for line in text.splitlines())
    console.print(text, style=style, markup=False, emoji=False, soft_wrap=True)


def _broken(line: str, *, width: int) -> str:
    """Return a line in parts of at most that width; all but the first stand a little further in."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        width=width,
        subsequent_indent=f"{indent}  " if indent else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
