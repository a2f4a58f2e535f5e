"""Options and arguments of commands: click's own, with what help, completion and errors need beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from conf.errors import BadInput, hint

Completions = Callable[[], Iterable[str]]
"""The values of an option that a shell may offer."""


class Option(click.Option):
    """An option. `choices` are the only values that it takes; `offered` are those that a shell offers."""

    def __init__(
        self,
        name: str,
        metavar: str | None,
        help: str | None = None,
        *,
        choices: Sequence[str] = (),
        offered: Completions | None = None,
        takes_path: bool = False,
        **more: Any,
    ) -> None:
        if takes_path:
            more["type"] = click.Path()
        names = [name, *filter(None, [more.pop("stored_as", None)])]
        super().__init__(names, metavar=metavar, help=help, **more)
        self.choices = tuple(choices)
        self.offered = offered or (lambda: self.choices)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value of the option. Raises BadInput for another option, or for none of the choices."""
        if isinstance(value, str):
            _check_value(ctx, self, value)
            if self.choices:
                _check_choice(self, value, self.choices)
        return super().process_value(ctx, value)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """What a shell offers for the beginning of a value."""
        found = [each for each in self.offered() if each.startswith(incomplete)]
        return [*map(CompletionItem, found)] or super().shell_complete(ctx, incomplete)


def flag(name: str, help: str) -> Option:
    """An option without a value."""
    return Option(name, None, help, is_flag=True)


class Argument(click.Argument):
    """An argument with a help text, which click's own don't have."""

    def __init__(self, name: str, metavar: str, help: str, **more: Any) -> None:
        super().__init__([name], metavar=metavar, **more)
        self.meaning = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The line of the argument in a help text."""
        return self.make_metavar(ctx), self.meaning


def written(parameter: click.Parameter) -> str:
    """A parameter as it is typed, such as `--table TABLE`, `--json`, or `PHOTO…`."""
    value = "" if getattr(parameter, "is_flag", False) else str(parameter.metavar)
    if parameter.nargs == -1:
        value += "…"
    names = parameter.opts[:1] if isinstance(parameter, click.Option) else []
    return " ".join(filter(None, (*names, value)))


def meaning(parameter: click.Parameter) -> str:
    """What a parameter means, in a few words; empty where nobody said so."""
    return getattr(parameter, "meaning", None) or getattr(parameter, "help", None) or ""


def options_of(context: click.Context | None) -> dict[str, click.Parameter]:
    """The options of a command by their names."""
    if context is None:
        return {}
    return {name: each for each in context.command.get_params(context) for name in each.opts}


def as_value(parameter: click.Parameter | None) -> str:
    """What a sentence says of a value that is missing: how the option is written."""
    return f": {written(parameter)}" if parameter is not None else ""


def _check_value(context: click.Context, option: click.Option, text: str) -> None:
    """Raises BadInput where the value of an option is another option, which has taken the value's place."""
    if text in options_of(context):
        raise BadInput(f"{option.opts[0]} needs a value{as_value(option)}, and {text} follows it.")


def _check_choice(option: click.Option, text: str, choices: Sequence[str]) -> None:
    """Raises BadInput where the value of an option is none of its choices; names the nearest of them."""
    if text not in choices:
        *first, last = choices
        otherwise = f"name one of {', '.join(first)} or {last}."
        raise BadInput(
            f"{option.opts[0]} {text} is unknown; {hint(text, choices, otherwise=otherwise)}"
        )
