"""The command line's words, good and bad."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

import cli.main
from cli import command_reference, completion
from cli.parser import RUNS, overrides, parse
from cli.registry import COMMANDS
from conf.errors import BadInput
from expectations import check_tables

ROOT = Path(__file__).resolve().parents[2]


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


BAD_WORDS = [
    ("", "Say what to do"),
    ("--layer brnze", r"--layer brnze is unknown; did you mean bronze\?"),
    ("--layer xyz", "name one of bronze, silver, gold or all"),
    ("--layer all status", "--layer and status don't go together"),
    ("--layer all --samples -3", "-3 is no number of photos"),
    ("--layer all --samples many", "many is no number of photos"),
    ("--samples 60", "--layer"),
    ("--samples 60 status", "python run.py samples 60"),
    # An option that is mistyped: the option is told, not the word that follows it.
    ("--lyer all", r"^run.py has no option --lyer; did you mean --layer\?$"),
    ("--layer all --sampels 60", r"^run.py has no option --sampels; did you mean --samples\?$"),
    ("status --jsn", r"^status has no option --jsn; did you mean --json\?$"),
    ("emr plan --photo 3", r"^emr plan has no option --photo; did you mean --photos\?$"),
    ("status --junit x", "^status has no option --junit; check has it.$"),
    ("check --step 3", "^check has no option --step; emr logs has it.$"),
    ("status -x", "see python run.py status --help"),
    # A value that is missing, wrong or too much.
    ("--layer", "^--layer needs a value: --layer LAYER"),
    ("--layer --samples 60", "^--layer needs a value: --layer LAYER, and --samples follows it.$"),
    ("status --lake", "^--lake needs a value: --lake FOLDER"),
    ("status --log jsn", r"^--log jsn is unknown; did you mean json\?$"),
    ("emr submit --layer golf", r"--layer golf is unknown; did you mean gold\?"),
    ("status twice", "^status doesn't know what to do with twice; see"),
    ("similar a.jpg b.jpg", "^similar doesn't know what to do with b.jpg; see"),
    ("predict", "^predict needs PHOTO….*; for example python run.py predict a.jpg b.jpg"),
    ("retire", "^retire needs MODEL, .*; for example python run.py retire mobilenet_v2"),
    ("emr plan", "^emr plan needs --photos N, .*; for example python run.py emr plan --photos"),
    ("emr", r"^Say what to do: emr plan\|policies"),
    # A command that is mistyped.
    ("statsu", r"no command statsu; did you mean status\?"),
    ("emr plna", r"no command emr plna; did you mean plan\?"),
    ("samples 0", "0 is no number of photos"),
    ("replay --chunk 3", "--chunk N and --quarantine go together"),
    ("replay --quarantine", "--chunk N and --quarantine go together"),
    ("replay --chunk x --quarantine", "--chunk x is no number"),
    ("replay --chunk 3 --quarantine --reason r", "don't go together"),
    ("models --refit --rollback", "^--refit and --rollback don't go together"),
    ("audit --subject a --photo b", "^--subject and --photo don't go together"),
    ("audit --subject a --history --at 2026", "^--at and --history don't go together"),
    ("check --version 1", "name it with --table"),
]


@pytest.mark.parametrize(("words", "message"), BAD_WORDS)
def test_bad_words_are_refused(words, message):
    with pytest.raises(BadInput, match=message):
        parse(words.split())


def test_bare_samples_makes_as_many_as_the_readme():
    assert parse(["samples"]).count == "60"


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


@pytest.mark.parametrize("words", ["-h", "check -h", "emr plan -h", "statsu"])
def test_words_are_understood_without_what_commands_need(words):
    """Help, a wrong word and a Tab must not wait for Spark, pandas and their like."""
    read = f"import sys, cli.main\ntry: cli.main.main({words.split()!r}, None)\nexcept SystemExit: pass\n"
    heavy = ("pyspark", "pandas", "pyarrow", "deltalake", "pydantic", "numpy", "boto3")
    ends = f"print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", read + ends], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_a_module_that_does_it():
    for command in COMMANDS:
        module = import_module(f"cli.commands.{command.name}")
        assert callable(module.run)
        if command.subcommands:
            assert list(module.SUBCOMMANDS) == [each.name for each in command.subcommands]


COMPLETED = [
    ("fruit-lake st", ["status"]),
    ("fruit-lake emr pa", ["package"]),
    ("fruit-lake --layer ", ["bronze", "silver", "gold", "all"]),
    ("fruit-lake emr submit --layer si", ["silver"]),
    ("fruit-lake status --js", ["--json"]),
    ("fruit-lake status --lo", ["--log"]),
    ("fruit-lake --log ", ["text", "json"]),
    ("fruit-lake --set pca.", ["pca.components=", "pca.variance=", "pca.scale="]),
    ("fruit-lake --extractor mob", ["mobilenet_v2"]),
    ("fruit-lake --conf ", ["emr", "local"]),
    ("fruit-lake check --table silver/e", ["silver/embeddings"]),
    ("fruit-lake restore --table silver/", ["silver/embeddings", "silver/quarantine"]),
    ("fruit-lake replay --reason tr", ["truncated"]),
    ("fruit-lake erase --mode ", ["deferred", "immediate"]),
    ("fruit-lake predict ", [""]),  # the name of a file, which the shell itself completes
]


@pytest.mark.parametrize(("typed", "offered"), COMPLETED)
def test_a_shell_is_offered(typed, offered, monkeypatch, capsys):
    *before, _ = typed.split(" ")
    monkeypatch.setenv("_FRUIT_LAKE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(before)))
    assert cli.main.main([], None) == 0
    said = [line.split(",", 1) for line in capsys.readouterr().out.splitlines()]
    assert [value for _, value in said] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell, monkeypatch, capsys):
    monkeypatch.setenv("_FRUIT_LAKE_COMPLETE", f"{shell}_source")
    if shell == "bash":  # click asks the bash of this machine for its version
        monkeypatch.setattr(BashComplete, "_check_version", lambda _: None)
    assert cli.main.main([], None) == 0
    script = capsys.readouterr().out
    assert f"_FRUIT_LAKE_COMPLETE={shell}_complete" in script
    assert "fruit-lake" in script
    assert f"_FRUIT_LAKE_COMPLETE={shell}_source fruit-lake" in command_reference.markdown()


def test_every_table_with_a_suite_is_offered():
    judged = [table.name for table in check_tables.named(None)]
    assert sorted(completion.judged_tables()) == sorted(judged)
