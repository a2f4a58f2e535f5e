"""The reference of all commands, docs/commands.md, made from the registry and the parser.

python -m cli.command_reference > docs/commands.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import click

from cli.command import Command
from cli.parameters import meaning, written
from cli.parser import RUNS, layer_options, shared_options
from cli.registry import COMMANDS
from conf import errors
from conf.errors import FruitLakeError

CALL = "python run.py"

INTRODUCTION = """# Commands

`make docs` makes this page from the registry of commands (`cli/registry.py`) and from the tree of errors
(`conf/errors.py`). A test compares the two, so change the command and not this page.

Every command is called as `python run.py NAME`, or as `fruit-lake NAME` where the project is installed with
`pip install .`. What the options and settings mean in full is in [settings.md](settings.md)."""

COMPLETION = """Where the project is installed with `pip install .`, a Tab completes commands, options, paths
and the values that are known: layers, extractors, tables, reasons, settings for `--conf` and `--set`. It
takes one line in the file that your shell reads at its start, with `fruit-lake` on the `PATH`:

```sh
# bash 4.4 or later, in ~/.bashrc:
eval "$(_FRUIT_LAKE_COMPLETE=bash_source fruit-lake)"
# zsh, in ~/.zshrc, below compinit:
eval "$(_FRUIT_LAKE_COMPLETE=zsh_source fruit-lake)"
# fish, in ~/.config/fish/config.fish:
_FRUIT_LAKE_COMPLETE=fish_source fruit-lake | source
```"""

LAYERS = """Each layer takes what is new and leaves the rest alone. `--layer` stands where a command would."""

SHARED = (
    """These options may stand before or after the name of every command, and beside `--layer`."""
)

EMR_SETTINGS = (
    """Without `--conf`, this command and its subcommands take the settings of `{name}`."""
)

EXIT_CODES = """The last line of the output says what is wrong and what to do. The
[README](../README.md#use) says it in the words of a reader, this table in those of the code."""

ALWAYS = (
    ("0", "", "The command did what it was asked for."),
    ("1", "`FruitLakeError`", "Any other error, also one that nobody foresaw."),
    ("129", "", "The terminal was closed (SIGHUP). The same command goes on from there."),
    ("130", "", "Somebody stopped the command with Ctrl-C. The same command goes on from there."),
    (
        "143",
        "",
        "SIGTERM stopped the command, as of a cluster, systemd or Docker. The same command goes on from "
        "there.",
    ),
)
"""The exit codes that no class of its own stands for."""


def markdown() -> str:
    """Return the whole reference as Markdown."""
    parts = [
        INTRODUCTION,
        _table(("command", "what it does"), [_contents_row(command) for command in COMMANDS]),
        *_layers(),
        "## Options of every command",
        SHARED,
        _options(shared_options()),
        *(part for command in COMMANDS for part in _command(command, level=2)),
        "## Completion",
        COMPLETION,
        "## Exit codes",
        EXIT_CODES,
        _table(("exit code", "error", "meaning"), exit_codes()),
    ]
    return "\n\n".join(parts) + "\n"


def exit_codes() -> list[tuple[str, str, str]]:
    """Return each exit code with the name and the meaning of its error, in the order of the codes.

    The errors are the tree below FruitLakeError in conf/errors.py. An error that another module derives from
    one of them keeps its exit code and is left out.
    """
    rows = [
        (str(error.exit_code), f"`{error.__name__}`", _first_paragraph(error))
        for error in _derived(FruitLakeError)
    ]
    return sorted([*rows, *ALWAYS], key=lambda row: int(row[0]))


def _derived(error: type[FruitLakeError]) -> Iterator[type[FruitLakeError]]:
    """The errors of conf/errors.py below one of them, each before those below it."""
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _derived(child)


def _first_paragraph(error: type[FruitLakeError]) -> str:
    return " ".join((error.__doc__ or "").partition("\n\n")[0].split())


def _contents_row(command: Command) -> tuple[str, str]:
    return f"[`{command.name}`](#{command.name})", command.help


def _layers() -> list[str]:
    """The section about `--layer`."""
    examples = [(words, gives) for words, gives in RUNS if words.startswith("--layer")]
    return [
        "## Run the layers",
        LAYERS,
        _shell(_usage("", layer_options())),
        _options(layer_options()),
        _examples(examples),
    ]


def _command(command: Command, *, level: int, before: str = "") -> Iterator[str]:
    """The section of a command, then the sections of its subcommands, one level of headings below."""
    name = f"{before}{command.name}"
    yield f"{'#' * level} {name}"
    yield f"{command.help[0].upper()}{command.help[1:]}."
    if command.settings_name != "local":
        yield EMR_SETTINGS.format(name=command.settings_name)
    if command.subcommands:
        yield _shell([f"{CALL} {name} {'|'.join(each.name for each in command.subcommands)}"])
    elif command.parameters:
        yield _shell(_usage(name, command.parameters, exclusive=command.exclusive))
        yield _options(command.parameters)
    yield _examples([command.example])
    for each in command.subcommands:
        yield from _command(each, level=level + 1, before=f"{name} ")


def _usage(
    name: str,
    parameters: Iterable[click.Parameter],
    *,
    exclusive: Sequence[Sequence[str]] = (),
) -> list[str]:
    """The one line of a call with all parameters; those that exclude one another stand between bars."""
    by_name = {parameter.name: parameter for parameter in parameters}
    groups = {name: group for group in exclusive for name in group}
    words = [CALL, *filter(None, [name])]
    for own, parameter in by_name.items():
        group = groups.get(own or "")
        if group is None:
            word = written(parameter)
            words.append(word if parameter.required else f"[{word}]")
        elif group[0] == own:
            words.append(f"[{' | '.join(written(by_name[each]) for each in group)}]")
    return [" ".join(words)]


def _options(parameters: Iterable[click.Parameter]) -> str:
    return _table(
        ("argument", "meaning"), [(f"`{written(each)}`", _meaning(each)) for each in parameters]
    )


def _meaning(parameter: click.Parameter) -> str:
    """The help of a parameter, and whether a call needs it."""
    needs = "required" if parameter.required and isinstance(parameter, click.Option) else ""
    return "; ".join(filter(None, (meaning(parameter), needs))) or "–"


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    width = max(len(words) for words, gives in examples if gives)
    return _shell(
        f"{CALL} {words.ljust(width)}  # {gives}" if gives else f"{CALL} {words}"
        for words, gives in examples
    )


def _shell(lines: Iterable[str]) -> str:
    return "\n".join(["```sh", *lines, "```"])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown. A bar in a cell is escaped, as it would end the cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


if __name__ == "__main__":
    print(markdown(), end="")
