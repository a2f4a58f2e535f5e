"""docs/commands.md is what the registry of commands, its parser and the tree of errors say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from cli import command_reference
from cli.command import Command
from cli.parameters import Argument, Flag, Option, written
from cli.parser import layer_options, shared_options
from cli.registry import COMMANDS
from conf import errors

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def named(commands, before=""):
    """Every command and subcommand, with its name as it is typed."""
    for command in commands:
        yield f"{before}{command.name}", command
        yield from named(command.subcommands, f"{before}{command.name} ")


def section(page, title):
    """The text below a heading, up to the next heading of any level."""
    [_, after] = page.split(f"# {title}\n", 1)
    return after.split("\n#", 1)[0]


def flags(parameters):
    """Every option and argument, as it is typed without its value."""
    return [written(each).split()[0] for each in parameters]


def test_the_page_is_what_the_registry_says():
    made = command_reference.markdown()
    assert PAGE.read_text() == made, "make docs writes docs/commands.md anew"


@pytest.mark.parametrize(
    ("name", "command"), list(named(COMMANDS)), ids=lambda each: str(each)[:20]
)
def test_every_command_is_on_the_page_with_its_options_and_its_example(name, command):
    told = section(PAGE.read_text(), name)
    assert command.help[1:] in told
    assert f"python run.py {command.example[0]}  # {command.example[1]}" in told
    for flag in flags(command.parameters):
        assert f"| `{flag}" in told
    for each in command.subcommands:
        assert each.name in told


@pytest.mark.parametrize(
    ("title", "options"),
    [("Run the layers", layer_options), ("Options of every command", shared_options)],
)
def test_every_shared_option_is_on_the_page(title, options):
    told = section(PAGE.read_text(), title)
    assert flags(options())
    for name in flags(options()):
        assert f"| `{name}" in told


def test_every_error_of_the_tree_is_on_the_page_with_its_exit_code():
    told = section(PAGE.read_text(), "Exit codes")
    known = [each for each in vars(errors).values() if isinstance(each, type)]
    tree = [each for each in known if issubclass(each, errors.FruitLakeError)]
    assert errors.LeftBehind in tree
    for error in tree:
        assert f"| {error.exit_code} | `{error.__name__}` |" in told
    assert "| 0 |  |" in told


def test_a_new_command_changes_the_page(monkeypatch):
    parameters = (
        Option("--left", "A|B", "left"),
        Flag("--right"),
        Option("--size", "N", "how large", default="3"),
        Option("--name", "S", required=True),
        Argument("files", "FILE", "all of them", nargs=-1, required=True),
        Argument("others", "OTHER", "none or more", nargs=-1),
    )
    new = Command(
        "peel", "peel fruit", ("peel a.jpg", "a peel"), parameters, exclusive=(("left", "right"),)
    )
    monkeypatch.setattr(command_reference, "COMMANDS", (new,))
    told = section(command_reference.markdown(), "peel")
    assert "Peel fruit." in told
    assert "run.py peel [--left A|B | --right] [--size N] --name S FILE… [OTHER…]\n" in told
    assert "| `--left A\\|B` | left |" in told
    assert "| `--right` | – |" in told
    assert "| `--size N` | how large (default: 3) |" in told
    assert "| `--name S` | required |" in told
    assert "| `FILE…` | all of them |" in told


def test_the_module_prints_the_page(capsys):
    runpy.run_path(command_reference.__file__, run_name="__main__")
    assert capsys.readouterr().out == command_reference.markdown()
