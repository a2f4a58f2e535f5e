"""Options and arguments of commands: click's own, and what help, completion and errors need beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from conf.errors import BadInput, hint

Offered = Iterable[str] | Callable[[], Iterable[str]]
"""The values that a shell offers, or a function that looks them up when it asks."""

PATH = click.Path()
"""The type of a path: a shell offers the names of files. Whether there is one is not checked here."""


class Option(click.Option):
    """An option with a value.

    `choices` are the only values that it takes, and `what` says what they are; `offered` are those that a
    shell offers. `stored_as` is its name among the parsed words, where that is not its own. `takes_blanks`: a
    value may be white space alone.
    """

    def __init__(
        self,
        name: str,
        metavar: str,
        help: str | None = None,
        *,
        choices: Sequence[str] = (),
        what: str = "",
        offered: Offered | None = None,
        stored_as: str | None = None,
        takes_blanks: bool = False,
        **more: Any,
    ) -> None:
        names = [name, stored_as] if stored_as else [name]
        super().__init__(names, metavar=metavar, help=_told(help, more.get("default")), **more)
        self.choices = tuple(choices)
        self.what = what or name.lstrip("-")
        self.offered = offered or self.choices
        self.takes_blanks = takes_blanks

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value. Raises BadInput where another option stands in its place, where it is empty, and where
        it is none of the choices."""
        for text in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(text, str) and not ctx.resilient_parsing:
                self._check(text)
        return super().process_value(ctx, value)

    def _check(self, text: str) -> None:
        name = self.opts[0]
        if text.startswith("-") and not is_number(text):
            raise BadInput(
                f"{name} needs a value, and {text} stands in its place; write {written(self)}."
            )
        if not (text if self.takes_blanks else text.strip()):
            raise BadInput(f"The value of {name} is empty; write {written(self)}.")
        if self.choices and text not in self.choices:
            otherwise = f"name {listed(self.choices, joined_by='or')}."
            nearest = hint(text.lower(), self.choices, otherwise=otherwise)
            raise BadInput(f"There is no {self.what} {text}; {nearest}")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers for the beginning of a value; for a path the names of files, too."""
        items = offers(self.offered, incomplete)
        is_path = isinstance(self.type, click.Path)
        return items if items or not is_path else self.type.shell_complete(ctx, self, incomplete)


class Flag(click.Option):
    """An option without a value."""

    def __init__(self, name: str, help: str | None = None) -> None:
        super().__init__([name], help=help, is_flag=True)


class Argument(click.Argument):
    """An argument with a help text, which click's own have not."""

    def __init__(
        self,
        name: str,
        metavar: str,
        help: str,
        *,
        offered: Offered | None = None,
        **more: Any,
    ) -> None:
        super().__init__([name], metavar=metavar, **more)
        self.help = _told(help, more.get("default"))
        self.offered = offered

    def make_metavar(self, ctx: click.Context) -> str:
        """The argument as a line of usage shows it."""
        return written(self) if self.required else f"[{written(self)}]"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The line of the argument in a help text."""
        return written(self), meaning(self)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers for the beginning of the argument."""
        if self.offered is None:
            return super().shell_complete(ctx, incomplete)
        return offers(self.offered, incomplete)


def offers(offered: Offered, incomplete: str) -> list[CompletionItem]:
    """The values that begin like that, as a shell is offered them."""
    known = offered() if callable(offered) else offered
    return [CompletionItem(each) for each in known if each.startswith(incomplete)]


def written(parameter: click.Parameter) -> str:
    """A parameter as it is typed, such as `--table TABLE`, `--json`, or `PHOTO…`."""
    value = "" if getattr(parameter, "is_flag", False) else str(parameter.metavar)
    if parameter.nargs == -1:
        value += "…"
    names = parameter.opts[:1] if isinstance(parameter, click.Option) else []
    return " ".join(filter(None, (*names, value)))


def meaning(parameter: click.Parameter) -> str:
    """What a parameter means, in a few words; empty where nobody said so."""
    return getattr(parameter, "help", None) or ""


def _told(help: str | None, default: str | None) -> str | None:
    """The help of a parameter, with its default."""
    return f"{help} (default: {default})" if default else help


def is_number(text: str) -> bool:
    """Whether a word is a number, and so no option though it begins with a minus."""
    return text.lstrip("-").replace(".", "", 1).isdecimal()


def listed(words: Iterable[str], *, joined_by: str) -> str:
    """Words as a sentence lists them: `a, b or c`, where they are joined by `or`."""
    *first, last = words
    return f"{', '.join(first)} {joined_by} {last}" if first else last
