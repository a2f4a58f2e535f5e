"""The command line from its words to its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

from cli import completion, error_messages, parser
from cli.json_console import JsonConsole
from lake import core_files, run_clock, stop_signals

if TYPE_CHECKING:
    from cli.layers import RunLayers

ANY_WIDTH = 10_000
"""The width of a screen that is none: no line is broken in a file or a pipe."""


def main(argv: Sequence[str] | None, run_layers: RunLayers) -> int:
    """Does what the words say, and returns the exit code. `run_layers` is the flow that `--layer` runs.

    Without `argv`, the words are those of this process, which ends with what they say.
    """
    if completion.is_asked_for():
        return completion.answer(parser.whole())
    core_files.forbid()
    words = sys.argv[1:] if argv is None else argv
    # Where the words are those of the process, it does nothing but this call.
    run_clock.call_began(run_clock.process_began() if argv is None else datetime.now(UTC))
    console, errors = consoles(words)
    return stop_signals.obeyed(
        lambda: carried_out(words, run_layers, console, errors),
        lambda stop: error_messages.show_stop(errors, stop),
        is_last=argv is None,
    )


def carried_out(
    words: Sequence[str], run_layers: RunLayers, console: Console, errors: Console
) -> int:
    """Does what the words say, shows an error, and returns the exit code. Raises Stopped.

    What a command needs is loaded once its words are understood: words that are not are told at once.
    """
    try:
        with stop_signals.told_from_errors():
            parsed = parser.parse(words)
            from cli.execution import execute

            execute(parsed, console, run_layers)
        return 0
    except Exception as error:
        error_messages.show(errors, error, is_debugged="--debug" in words)
        return error_messages.exit_code(error)


def consoles(words: Sequence[str]) -> tuple[Console, Console]:
    """The consoles for output and for errors; they are made before the words are parsed, which may fail."""
    if "--log=json" in words or ("--log", "json") in pairwise(words):
        console = JsonConsole(level="info")
        return console, JsonConsole(level="error", stderr=True, beside=console)
    return _console(sys.stdout), _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    """The console of a stream. Lines of a file or a pipe have any length, where Rich would assume 80."""
    is_wide = not stream.isatty() and "COLUMNS" not in os.environ
    is_error = stream is sys.stderr
    return Console(stderr=is_error, highlight=False, width=ANY_WIDTH if is_wide else None)
