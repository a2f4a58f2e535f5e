"""The command line's words, good and bad."""

import pytest

from cli.parser import RUNS, parse
from cli.registry import COMMANDS
from cli.setting_flags import overrides
from conf.errors import BadInput


@pytest.mark.parametrize(
    "words",
    [
        ["--lake", "x", "--set", "pca.components=3", "status"],
        ["status", "--lake", "x", "--set", "pca.components=3"],
    ],
)
def test_shared_flags_stand_before_and_after_a_command(words):
    parsed = parse(words)
    assert parsed.command == "status"
    assert overrides(parsed) == ["pca.components=3", "paths.lake=x"]


def test_named_flags_go_over_set():
    parsed = parse(["--layer", "all", "--extractor", "a", "--set", "model.extractor=b"])
    assert overrides(parsed)[-1] == "model.extractor=a"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say what to do"),
        (["--layer", "brnze"], r"no layer brnze; did you mean bronze\?"),
        (["--layer", "xyz"], "name one of bronze, silver, gold or all"),
        (["statsu"], r"no command statsu; did you mean status\?"),
        (["--layer", "all", "--samples", "-3"], "-3 is no number of photos"),
        (["--layer", "all", "--samples", "many"], "many is no number of photos"),
        (["samples", "0"], "0 is no number of photos"),
        (["samples"], "required: N"),
        (["--layer", "all", "status"], "don't go together"),
        (["replay", "--chunk", "3"], "--chunk N and --quarantine go together"),
        (["replay", "--quarantine"], "--chunk N and --quarantine go together"),
        (["replay", "--chunk", "x", "--quarantine"], "--chunk x is no number"),
        (["replay", "--chunk", "3", "--quarantine", "--reason", "r"], "don't go together"),
        (["models", "--refit", "--rollback"], "not allowed with argument --refit"),
        (["check", "--version", "1"], "name it with --table"),
        (["--layer", "all", "--lakes"], "unrecognized arguments: --lakes|expected one argument"),
    ],
)
def test_bad_words_are_refused(words, message):
    with pytest.raises(BadInput, match=message):
        parse(words)


def every_command():
    """Each command and subcommand, by what is typed to call it."""
    for command in COMMANDS:
        yield command.name, command
        yield from ((f"{command.name} {each.name}", each) for each in command.subcommands)


def test_each_command_has_an_example_that_is_understood_and_help_shows_it(capsys):
    for name, command in every_command():
        words, gives = command.example
        assert words.startswith(name)
        parse(words.split())
        with pytest.raises(SystemExit):
            parse([*name.split(), "--help"])
        shown = capsys.readouterr().out
        assert f"python run.py {words}" in shown
        assert gives in shown


def test_the_whole_help_has_every_example(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    for words, _ in [*RUNS, *(command.example for command in COMMANDS)]:
        assert words in shown
    for words, _ in RUNS:
        parse(words.split())
