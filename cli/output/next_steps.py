"""The end of a lake's first run: which file to keep, and three commands with the options that they need."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.json_console import JsonConsole
from cli.output.sentences import say
from conf.secret_values import may_be_secret

OPTIONS = ("conf", "lake", "set", "extractor", "weights", "precision")
"""The options that the next commands need where the first run had them. They read nothing of `landing`."""

COMMANDS = (
    ("status", "what the lake holds, and whether it adds up"),
    ("report", "runs, sums, gates and models as one page"),
    ("train", "classifiers of fruit, which predict and serve then ask"),
)


LOST_KEY = "Without it the lake takes no new photos, and nobody's photos can be found or erased."


def show(console: Console, words: Words, *, key_file: Path | None) -> None:
    """Print which key file to keep, if the key is in one, and the three commands as they can be typed; a log
    needs none."""
    if isinstance(console, JsonConsole):
        return
    if key_file is not None:
        place = (
            f"The key of this lake is in {key_file.resolve()}: keep a copy of it in another place."
        )
        say(console, f"{place} {LOST_KEY}")
    options = options_of(words)
    calls = [shlex.join([*_program(), name, *options]) for name, _ in COMMANDS]
    width = max(map(len, calls))
    console.print("Try next:")
    for call, (_, gives) in zip(calls, COMMANDS, strict=True):
        console.print(f"  {call:<{width}}  # {gives}", markup=False, soft_wrap=True)


def options_of(words: Words) -> Sequence[str]:
    """Return the options of a call that the next commands need too, in the order of OPTIONS."""
    found: list[str] = []
    for name in OPTIONS:
        given = getattr(words, name, None)
        for value in given if isinstance(given, list | tuple) else [given]:
            if value is not None:
                found += [f"--{name}", _shown(name, str(value))]
    return found


def _shown(name: str, value: str) -> str:
    """Return the value of an option as a screen may show it: without a secret that a setting holds."""
    key, equals, setting = value.partition("=")
    is_secret = name == "set" and equals and may_be_secret(key.strip(), setting)
    return f"{key}=…" if is_secret else value


def _program() -> Sequence[str]:
    """Return how this program is called: by the name of its own command, or as run.py by this Python, which
    may lie in a folder of the project."""
    called = Path(sys.argv[0])
    if called.suffix != ".py":
        return [called.name]
    python = Path(sys.executable)
    here = python.is_relative_to(Path.cwd())
    return [str(python.relative_to(Path.cwd())) if here else "python", str(called)]
