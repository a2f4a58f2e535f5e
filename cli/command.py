"""What a command is: its name, its help, an example, its arguments, and the function that does it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from rich.console import Console

from conf.errors import BadInput, hint
from conf.settings import Settings

Words = argparse.Namespace
"""The parsed words of the command line."""


class Parser(argparse.ArgumentParser):
    """A parser that raises where argparse would exit, so that every error is shown in the same way."""

    def error(self, message: str) -> NoReturn:
        """Raises BadInput with argparse's message."""
        raise BadInput(f"{message}; see python run.py --help.")


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    `help` is half a sentence. `example` is what to type after `python run.py`, and what it gives.
    `add_arguments` adds the command's own arguments to its parser; `check` raises BadInput for words that
    don't go together. `takes_landing`: it reads or writes the landing folder. `erases`: it removes what
    somebody may ask to be gone. `settings_name` are the settings that it takes unless `--conf` names others.
    `makes_buckets`: its buckets need not be there. `subcommands` are told apart by the word `doing`.
    """

    name: str
    help: str
    example: tuple[str, str]
    run: Callable[[Words, Settings, Console], None]
    add_arguments: Callable[[Parser], None] = lambda parser: None
    check: Callable[[Words], None] = lambda words: None
    takes_landing: bool = False
    erases: bool = False
    settings_name: str = "local"
    makes_buckets: bool = False
    subcommands: tuple[Command, ...] = ()


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
