"""What a command is: its name, its help, an example, its parameters, and where the code is that does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click

from conf.errors import BadInput, hint

if TYPE_CHECKING:  # Words alone need neither, and each takes a tenth of a second to load.
    from rich.console import Console

    from conf.settings import Settings

Words = SimpleNamespace
"""The parsed words of the command line."""

INSTALLED = "fruit-lake"
"""The name of the command line where the project is installed."""

CALL = INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "python run.py"
"""How this process was called: what examples and errors tell people to type."""


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    `help` is half a sentence. `example` is what to type after `python run.py`, and what it gives.
    `parameters` are the command's own; of those that a row of `exclusive` names, a call has one at most.
    `check` raises BadInput for words that don't go together. `takes_landing`: it reads or writes the landing
    folder. `erases`: it removes what somebody may ask to be gone. `settings_name` are the settings that it
    takes unless `--conf` names others. `makes_buckets`: its buckets need not be there. `subcommands` are told
    apart by the word `doing`.

    What it does is the function `run` of the module of its name in cli/commands, which is loaded when it is
    called. Spark, pandas and their like take seconds to load; help, a word that is mistyped and a shell that
    completes a word don't wait for them.
    """

    name: str
    help: str
    example: tuple[str, str]
    parameters: tuple[click.Parameter, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    check: Callable[[Words], None] = lambda words: None
    takes_landing: bool = False
    erases: bool = False
    settings_name: str = "local"
    makes_buckets: bool = False
    subcommands: tuple[Command, ...] = ()

    def run(self, words: Words, settings: Settings, console: Console) -> None:
        """Does what the words say. Raises as the command's module does."""
        import_module(f"cli.commands.{self.name}").run(words, settings, console)

    def check_words(self, words: Words) -> None:
        """Raises BadInput for words that don't go together, those of a subcommand too."""
        options = {each.name: each.opts[0] for each in self.parameters}
        for names in self.exclusive:
            given = [options[name] for name in names if getattr(words, name)]
            if len(given) > 1:
                raise BadInput(f"{' and '.join(given)} don't go together; give one of them.")
        self.check(words)
        for each in self.subcommands:
            if each.name == words.doing:
                each.check_words(words)


def whole_number(words: Words, flag: str) -> int | None:
    """The number of a flag such as `version`; None where the flag is not there. Raises BadInput."""
    text: str | None = getattr(words, flag)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadInput(f"--{flag} {text} is no number; give a whole number.")
    return int(text)


def photo_count(text: str) -> int:
    """A number of photos above 0. Raises BadInput."""
    if not (text.isdecimal() and int(text) > 0):
        raise BadInput(f"{text} is no number of photos; give a whole number above 0.")
    return int(text)


def one_of(text: str, known: Iterable[str], *, what: str, otherwise: str) -> str:
    """The text, where it is one of the known words. Raises BadInput, which names the nearest of them."""
    known = tuple(known)
    if text not in known:
        raise BadInput(f"There is no {what} {text}; {hint(text, known, otherwise=otherwise)}")
    return text


def lacking(name: str, what: str, example: str) -> BadInput:
    """The error for a command that needs words which are not there."""
    return BadInput(f"{name} needs {what}; for example {CALL} {example}.")
