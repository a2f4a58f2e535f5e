"""What is said about words of the command line that can't be understood."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.parameters import as_value, meaning, options_of, written
from conf.errors import BadInput, hint


def bad_input(error: click.UsageError) -> BadInput:
    """The error of ours for one of click's."""
    called = error.ctx.command_path if error.ctx else "run.py"
    help_line = f"see python {called} --help."
    if isinstance(error, click.NoSuchOption):
        return BadInput(_no_such_option(error, otherwise=help_line))
    if isinstance(error, click.MissingParameter) and error.param is not None:
        said = f"{_name(called)} needs {written(error.param)}"
        if meant := meaning(error.param):
            said += f", {meant}"
        return BadInput(f"{said}; {_example(error, otherwise=help_line)}")
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        option = options_of(error.ctx).get(error.option_name) if error.ctx else None
        return BadInput(f"{error.option_name} needs a value{as_value(option)}; {help_line}")
    return BadInput(f"{error.format_message().rstrip('.')}; {help_line}")


def check_left_over(context: click.Context) -> None:
    """Raises BadInput for words that a command takes no more of."""
    if context.args:
        called = context.command_path
        raise BadInput(
            f"{_name(called)} doesn't know what to do with {context.args[0]}; see python {called} --help."
        )


def _no_such_option(error: click.NoSuchOption, *, otherwise: str) -> str:
    """The sentence for an unknown option: a near one of this command, or the command that has it."""
    context, name = error.ctx, error.option_name
    called = _name(context.command_path) if context else "run.py"
    if context is None:
        return f"{called} has no option {name}; {otherwise}"
    said = f"{called} has no option {name}"
    near = hint(name, options_of(context), otherwise="", cutoff=0.75)
    if near:
        return f"{said}; {near}"
    elsewhere = [path for path, options in _all_options(context.find_root()) if name in options]
    if elsewhere:
        return f"{said}; {' and '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} it."
    return f"{said}; {hint(name, options_of(context), otherwise=otherwise)}"


def _all_options(root: click.Context) -> Iterator[tuple[str, set[str]]]:
    """Every command, as it is typed, with the names of its options."""
    todo: list[tuple[str, click.Command]] = [("", root.command)]
    while todo:
        name, command = todo.pop(0)
        options = {option for each in command.params for option in each.opts}
        yield name or "run.py", options
        if isinstance(command, click.Group):
            todo += [(f"{name} {inner}".strip(), each) for inner, each in command.commands.items()]


def _name(called: str) -> str:
    """A command as it is typed after `python run.py`."""
    return called.removeprefix("run.py").strip() or "run.py"


def _example(error: click.UsageError, *, otherwise: str) -> str:
    """The example of a command's help, or `otherwise`."""
    epilog = (error.ctx.command.epilog or "") if error.ctx else ""
    lines = [line.strip() for line in epilog.splitlines() if "python run.py" in line]
    return f"for example {' '.join(lines[0].split('  ')[0].split())}" if lines else otherwise
