"""What is said about words of the command line that can't be understood: one sentence for each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import click

from cli.command import CALL, lacking
from cli.parameters import is_number, listed, meaning, written
from conf.errors import BadInput
from lake.enums import LAYERS

NEAR, NEAR_ELSEWHERE = 0.7, 0.8
"""How similar an option must be, in [0, 1], to be meant: one of the command, or one of another command."""


def bad_input(error: click.UsageError, words: Sequence[str]) -> BadInput:
    """The error of ours for one of click's, raised by these words."""
    context = error.ctx
    if context is None:
        return BadInput(f"{error.format_message().rstrip('.')}; see {CALL} --help.")
    name = _name(context)
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(context, _whole_word(error.option_name, words))
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return lacking(name, _missing(context.command, error.param, words), _example(context))
    if isinstance(error, click.BadOptionUsage):
        return _bad_usage(context, error)
    return BadInput(f"{error.format_message().rstrip('.')}; {_see(context)}")


def _missing(command: click.Command, first: click.Parameter, words: Sequence[str]) -> str:
    """What a command needs and these words have not, as it is typed; one alone with its meaning."""
    options = [each for each in command.params if each.required and {*each.opts}.isdisjoint(words)]
    if first in options and len(options) > 1:
        return " and ".join(map(written, options))
    return f"{written(first)} ({meaning(first)})" if meaning(first) else written(first)


def check_left_over(context: click.Context) -> None:
    """Raises BadInput for words that a command takes no more of."""
    if not context.args:
        return
    word = context.args[0]
    said = f"{_name(context)} does not take the word {word}"
    if near := _nearest(word, _options(context.command), NEAR):
        raise BadInput(f"{said}; did you mean {near}?")
    raise BadInput(f"{said}; leave it out, or {_see(context)}")


def no_such_command(context: click.Context, word: str) -> BadInput:
    """The error for a word that stands where a command would, and is none."""
    group = context.command
    assert isinstance(group, click.Group)
    name = _name(context)
    before = f"{name} " if name else ""
    said = f"There is no command {before}{word}"
    known = dict.fromkeys(group.commands)
    inner = {
        each: f"{outer} {each}"
        for outer, command in group.commands.items()
        if isinstance(command, click.Group)
        for each in command.commands
    }
    options = _options(group)
    if near := _nearest(word, known, 0.6):
        meant = f"{before}{near}"
    elif word.lower() in (*LAYERS, "all") and not name:
        meant = f"--layer {word.lower()}"
    elif near := _nearest(word, inner, NEAR):
        meant = inner[near]
    elif near := _nearest(word, options, NEAR):
        meant = near
    else:
        return BadInput(f"{said}; the commands are {', '.join(known)}.")
    return BadInput(f"{said}; did you mean {meant}?")


def _no_such_option(context: click.Context, word: str) -> BadInput:
    """The error for an option that the command has not: with a near one, or the commands that have it."""
    name = _name(context)
    if is_number(word):
        return BadInput(f"{word} can't be used here; give a number above 0.")
    said = f"{name} has no option {word}" if name else f"There is no option {word}"
    if near := _nearest(word, _options(context.command), NEAR):
        return BadInput(f"{said}; did you mean {near}?")
    elsewhere = _options_of_others(context)
    near = word if word in elsewhere else _nearest(word, elsewhere, NEAR_ELSEWHERE)
    if not near:
        return BadInput(f"{said}; {_see(context)}")
    owners, typed = elsewhere[near]
    if "" in owners:
        return BadInput(f"{near} and {name} don't go together; call one after the other.")
    has = f"{listed(owners, joined_by='and')} {'has' if len(owners) == 1 else 'have'}"
    option = "it" if near == word else near
    example = f"{CALL} {owners[0]} {typed}"
    if name:
        return BadInput(f"{said}, but {has} {option}; leave it out, or call {example}.")
    return BadInput(f"{said} before a command, but {has} {option}; write {example}.")


def _bad_usage(context: click.Context, error: click.BadOptionUsage) -> BadInput:
    """The error for an option without its value, or with one that it does not take."""
    options = {name: each for each in context.command.get_params(context) for name in each.opts}
    option = options.get(error.option_name)
    if option is None:
        return BadInput(f"{error.format_message().rstrip('.')}; {_see(context)}")
    if getattr(option, "is_flag", False):
        return BadInput(f"{error.option_name} takes no value; leave out the = and what follows it.")
    meant = f", where {option.metavar} is {meaning(option)}" if meaning(option) else ""
    return BadInput(f"{error.option_name} needs a value; write {written(option)}{meant}.")


def _whole_word(option: str, words: Sequence[str]) -> str:
    """The word in which click found an option: of `-layer` it names `-l` alone."""
    if len(option) != 2:
        return option
    return next((word for word in words if word.startswith(option)), option)


def _nearest(word: str, known: Iterable[str], cutoff: float) -> str | None:
    """The known word that is most similar, whatever its hyphens and capitals, by at least `cutoff`."""
    bare = {each.strip("-"): each for each in known}
    own = word.partition("=")[0].strip("-").lower()
    near = difflib.get_close_matches(own, bare, n=1, cutoff=cutoff)
    return bare[near[0]] if near else None


def _options(command: click.Command) -> list[str]:
    """The options of a command, help among them."""
    own = [name for each in command.params if isinstance(each, click.Option) for name in each.opts]
    return [*own, "--help"]


def _options_of_others(context: click.Context) -> dict[str, tuple[list[str], str]]:
    """The options that this command has not: the names of the commands that have it, and how it is typed
    for the first of them. The name of the whole command line is empty."""
    found: dict[str, tuple[list[str], str]] = {}
    todo: list[tuple[str, click.Command]] = [("", context.find_root().command)]
    own = set(_options(context.command))
    while todo:
        name, command = todo.pop(0)
        for each in command.params:
            if isinstance(each, click.Option) and each.opts[0] not in own:
                found.setdefault(each.opts[0], ([], written(each)))[0].append(name)
        if isinstance(command, click.Group):
            todo += [(f"{name} {inner}".strip(), each) for inner, each in command.commands.items()]
    return found


def _name(context: click.Context) -> str:
    """A command as it is typed after `python run.py`; empty for the whole command line."""
    return context.command_path.removeprefix(CALL).strip()


def _see(context: click.Context) -> str:
    return f"see {' '.join(filter(None, (CALL, _name(context))))} --help."


def _example(context: click.Context) -> str:
    """The example that a command's help ends with, as it is typed after `python run.py`."""
    line = (context.command.epilog or "").splitlines()[-1].strip()
    return " ".join(line.split("  ")[0].split()).removeprefix(CALL).strip()
