"""What a command is: its name, its help, an example, its arguments, and the module that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click

from conf.errors import BadInput, hint

if TYPE_CHECKING:  # each takes a tenth of a second, and words alone need neither
    from rich.console import Console

    from conf.settings import Settings

Words = SimpleNamespace
"""The parsed words of the command line."""


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    `help` is half a sentence. `example` is what to type after `python run.py`, and what it gives.
    `parameters` are the command's own; of those that `exclusive` names together, a call has one at most.
    `check` raises BadInput for words that don't go together. `takes_landing`: it reads or writes the landing
    folder. `erases`: it removes what somebody may ask to be gone. `settings_name` are the settings that it
    takes unless `--conf` names others. `makes_buckets`: its buckets need not be there. `subcommands` are told
    apart by the word `doing`.

    What it does is the function `run` of the module of its name in cli/commands. It is loaded when it is
    called: Spark, pandas and all that they need take 1.5 s, which help, a mistyped word and a shell that
    completes one have no use for.
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
        """Does what the words say. Raises what the command's module raises."""
        import_module(f"cli.commands.{self.name}").run(words, settings, console)

    def check_words(self, words: Words) -> None:
        """Raises BadInput for words that don't go together."""
        for names in self.exclusive:
            given = [f"--{name.replace('_', '-')}" for name in names if getattr(words, name)]
            if len(given) > 1:
                raise BadInput(
                    f"{' and '.join(given[:2])} don't go together; call one after the other."
                )
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
