"""The command line from its words to its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Console

from cli import completion, error_messages, parser
from cli.json_console import JsonConsole

if TYPE_CHECKING:
    from cli.layers import RunLayers


def main(argv: Sequence[str] | None, run_layers: RunLayers) -> int:
    """Does what the words say, and returns the exit code. `run_layers` is the flow that `--layer` runs.

    What a command needs is loaded once its words are understood: words that are not, and a shell's question
    for the rest of one, are answered at once.
    """
    if completion.is_asked_for():
        return completion.answer(parser.whole())
    words = sys.argv[1:] if argv is None else argv
    console, errors = consoles(words)
    try:
        parsed = parser.parse(words)
        from cli.execution import execute

        execute(parsed, console, run_layers)
        return 0
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on from here.")
        return 130
    except Exception as error:
        error_messages.show(errors, error, is_debugged="--debug" in words)
        return error_messages.exit_code(error)


def consoles(words: Sequence[str]) -> tuple[Console, Console]:
    """The consoles for output and for errors; they are made before the words are parsed, which may fail."""
    if "--log=json" in words or ("--log", "json") in pairwise(words):
        console = JsonConsole(level="info")
        return console, JsonConsole(level="error", stderr=True, beside=console)
    return Console(highlight=False), Console(stderr=True, highlight=False)
