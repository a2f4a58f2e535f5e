"""The command line from its words to its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console

from cli import error_messages, layers
from cli.command import Words
from cli.json_console import JsonConsole
from cli.layers import RunLayers
from cli.parser import parse
from cli.registry import BY_NAME
from cli.setting_flags import overrides
from conf.settings import Settings
from lake.enums import BRONZE
from privacy import bucket_checks


def main(argv: Sequence[str] | None, run_layers: RunLayers) -> int:
    """Does what the words say, and returns the exit code. `run_layers` is the flow that `--layer` runs."""
    words = sys.argv[1:] if argv is None else argv
    console, errors = consoles(words)
    try:
        parsed = parse(words)
        command = BY_NAME.get(parsed.command)
        usual = command.settings_name if command else "local"
        settings = Settings.load(getattr(parsed, "conf", usual), overrides=overrides(parsed))
        check_buckets(parsed, settings, console)
        if command:
            command.run(parsed, settings, console)
        else:
            layers.run(parsed, settings, console, run_layers)
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


def check_buckets(words: Words, settings: Settings, console: Console) -> None:
    """Checks the buckets that a command reads or writes before it does, and prints notes about them. Raises
    Refused, BadInput."""
    command = BY_NAME.get(words.command)
    if command and command.makes_buckets:
        return
    paths = settings.paths
    roots = [paths.lake, paths.docs_folder]
    if words.layer in (BRONZE, "all") or (command and command.takes_landing):
        roots.append(paths.landing)
    erases = bool(command and command.erases)
    for note in bucket_checks.check(roots, settings.buckets, erases=erases):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
