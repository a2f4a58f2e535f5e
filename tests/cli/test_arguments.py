"""The command line's words, good and bad."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cli.main
from cli import known_names
from cli.parser import RUNS, parse
from cli.registry import COMMANDS
from cli.setting_flags import overrides
from expectations import suites
from privacy import returning_rows
from privacy.audit import table_findings
from silver.pixels import RefusalReason

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ["--lake", "x", "--set", "pca.components=3", "status"],
        ["status", "--lake", "x", "--set", "pca.components=3"],
        ["--set", "pca.components=3", "status", "--lake=x"],
    ],
)
def test_shared_flags_stand_before_and_after_a_command(words):
    parsed = parse(words)
    assert parsed.command == "status"
    assert overrides(parsed) == ["pca.components=3", "paths.lake=x"]
    assert not hasattr(parsed, "conf")


def test_settings_of_both_places_count_in_their_order():
    parsed = parse(["--set", "a.b=1", "--set", "a.c=2", "emr", "--set", "a.d=3", "plan"])
    assert (parsed.command, parsed.doing) == ("emr", "plan")
    assert overrides(parsed) == ["a.b=1", "a.c=2", "a.d=3"]


def test_of_an_option_that_comes_twice_the_last_one_counts():
    assert parse(["--lake", "a", "status", "--lake", "b"]).lake == "b"
    assert parse(["status", "--lake", "a", "--lake", "b"]).lake == "b"


def test_named_flags_go_over_set():
    parsed = parse(["--layer", "all", "--extractor", "a", "--set", "model.extractor=b"])
    assert overrides(parsed)[-1] == "model.extractor=a"


def test_bare_words_have_defaults():
    assert parse(["samples"]).count == "60"
    assert parse(["emr", "plan"]).photos == "1000000"


MISTYPED = [
    ("--lyer all", "There is no option --lyer; did you mean --layer?"),
    ("--layer all --sampels 60", "There is no option --sampels; did you mean --samples?"),
    ("--layer all --lakes", "There is no option --lakes; did you mean --lake?"),
    ("-layer all", "There is no option -layer; did you mean --layer?"),
    ("--LAYER all", "There is no option --LAYER; did you mean --layer?"),
    (
        "--jsn",
        "There is no option --jsn before a command, but status, predict, similar and audit have --json;",
    ),
    ("status --jsn", "status has no option --jsn; did you mean --json?"),
    ("status --xyz", "status has no option --xyz; see python run.py status --help."),
    ("emr plan --photo 3", "emr plan has no option --photo; did you mean --photos?"),
    ("statsu", "There is no command statsu; did you mean status?"),
    ("emrr", "There is no command emrr; did you mean emr?"),
    ("emr plna", "There is no command emr plna; did you mean emr plan?"),
    ("launch", "There is no command launch; did you mean emr launch?"),
    ("layer all", "There is no command layer; did you mean --layer?"),
    ("–layer all", "There is no command –layer; did you mean --layer?"),
    ("help", "There is no command help; did you mean --help?"),
    ("bronze", "There is no command bronze; did you mean --layer bronze?"),
    ("xyz", "There is no command xyz; the commands are samples, settings, status,"),
    ("--layer brnze", "There is no layer brnze; did you mean bronze?"),
    ("--layer ALL", "There is no layer ALL; did you mean all?"),
    ("--layer xyz", "There is no layer xyz; name bronze, silver, gold or all."),
    ("emr submit --layer golf", "There is no layer golf; did you mean gold?"),
    ("status --log jsn", "There is no log form jsn; did you mean json?"),
    ("check --table silver/embedings", "silver/embedings; did you mean silver/embeddings?"),
    ("erase --subject a --request r --mode now", "no mode now; name deferred or immediate."),
]
ELSEWHERE = [
    (
        "status --junit x",
        "but check has it; leave it out, or call python run.py check --junit FILE.",
    ),
    ("check --step 3", "check has no option --step, but emr logs has it; leave it out, or call"),
    ("check --quarntine", "check has no option --quarntine, but replay has --quarantine;"),
    (
        "--json status",
        "status, predict, similar and audit have it; write python run.py status --json.",
    ),
    ("status --layer all", "--layer and status don't go together; call one after the other."),
    ("--layer all status", "--layer and status don't go together; call one after the other."),
    ("status --samples 3", "--samples and status don't go together; call one after the other."),
    ("--samples 60 status", "--samples goes with --layer; call python run.py samples 60"),
    ("--samples 60", "--samples goes with --layer; call python run.py samples 60"),
]
VALUES = [
    ("--layer", "--layer needs a value; write --layer LAYER, where LAYER is bronze, silver,"),
    ("--layer --samples 60", "--layer needs a value, and --samples stands in its place; write"),
    ("status --lake --json", "--lake needs a value, and --json stands in its place; write"),
    (
        "status --lake",
        "--lake needs a value; write --lake FOLDER, where FOLDER is where the tables",
    ),
    ("--lake= status", "The value of --lake is empty; write --lake FOLDER."),
    ("status --json=x", "--json takes no value; leave out the = and what follows it."),
    ("--layer all --samples -3", "-3 is no number of photos; give a whole number above 0."),
    ("--layer all --samples many", "many is no number of photos; give a whole number above 0."),
    ("samples -3", "-3 can't be used here; give a number above 0."),
    ("samples 0", "0 is no number of photos; give a whole number above 0."),
    ("serve --port x", "--port x is no number; give a whole number."),
    ("emr plan --hours 0", "--hours 0 is no number of hours above 0; write it as 1.5."),
    ("emr plan --photos ten", "--photos ten is no whole number above 0; write it as 1000000."),
]
NUMBERS = [
    ("status twice", "status does not take the word twice; leave it out, or see python run.py"),
    ("status json", "status does not take the word json; did you mean --json?"),
    ("similar a.jpg b.jpg", "similar does not take the word b.jpg; leave it out, or see"),
    ("emr status x", "emr status does not take the word x; leave it out, or see"),
    ("", "Say what to do: --layer bronze|silver|gold|all, or samples, settings, status,"),
    (
        "emr",
        "Say what emr is to do: plan|policies|package|launch|submit|status|logs|terminate; for",
    ),
    (
        "predict",
        "predict needs PHOTO… (files of photos, and folders with all photos below them); for example",
    ),
    ("retire", "retire needs MODEL (its number as status shows it, or its name); for example"),
    ("lift", "lift needs --subject S or --photo ID; for example python run.py lift"),
    ("restore", "restore needs --table TABLE and --version N; for example python run.py restore"),
    ("restore --version 3", "restore needs --table TABLE (such as silver/embeddings); for example"),
    ("audit", "audit needs --subject S or --photo ID; for example python run.py audit --subject"),
    (
        "erase --subject anna",
        "erase needs --subject S or --photo ID, and --request ID, or --verify ID; for example",
    ),
]
TOGETHER = [
    ("models --refit --rollback", "--refit and --rollback don't go together; give one of them."),
    ("audit --subject=", "The value of --subject is empty; write --subject S."),
    (
        "audit --subject anna/",
        "Give --subject only the part of the folder's name that follows subject=.",
    ),
    ("erase --subject anna --request R-ANNA", "--request names the subject, and it is kept for"),
    ("erase --subject Zoé --request Zo%C3%A9-1", "--request names the subject, and it is kept for"),
    ("erase --subject Li --request li.1", "--request names the subject, and it is kept for"),
    ("erase --subject= --request r", "The value of --subject is empty; write --subject S."),
    ("erase --subject anna/ --request r", "Give --subject only the part of the folder's name that"),
    ("lift --subject=", "The value of --subject is empty; write --subject S."),
    (
        "erase --photo abc --request r",
        "--photo abc is no photo_id: give its 64 hex digits, or the first",
    ),
    (
        "erase --photo 0123456789abcdef --request for-0123456789abcdef",
        "--request holds the photo's id, and it is kept for good; give it a neutral id.",
    ),
    (
        "erase --photo 01234567 --request r --exact",
        "--exact goes with --subject S; a photo has no name that others may stand near.",
    ),
    ("lift --photo abc", "--photo abc is no photo_id: give its 64 hex digits, or the first"),
    (
        "erase --verify r --acknowledge",
        "--verify ID goes with no other option but --deep; leave the others",
    ),
    (
        "erase --verify r --exact",
        "--verify ID goes with no other option but --deep; leave the others",
    ),
    ("audit --subject a --photo b", "--subject and --photo don't go together; give one of them."),
    ("audit --subject a --history --at 2026", "--at and --history don't go together; give one"),
    ("check --version 1", "--version says at which version of a table; name it with --table."),
    ("replay --chunk 3", "--chunk N and --quarantine go together: they release"),
    ("replay --quarantine", "--chunk N and --quarantine go together: they release"),
    ("replay --chunk x --quarantine", "--chunk x is no number; give a whole number."),
    ("replay --chunk 3 --quarantine --reason r", "--chunk and --reason don't go together; call"),
]


@pytest.mark.parametrize(
    ("words", "said"), [*MISTYPED, *ELSEWHERE, *VALUES, *NUMBERS, *TOGETHER], ids=lambda each: each
)
def test_a_wrong_word_is_told_in_one_sentence(words, said, capsys):
    assert cli.main.main(words.split(), None) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert shown.rstrip()[-1] in ".?"
    assert " '" not in shown, "click's own words"


@pytest.mark.parametrize("log", [["--log", "json"], ["--log=json"]])
def test_a_wrong_word_is_an_event_where_logs_are_json(log, capsys):
    assert cli.main.main([*log, "--lyer", "all"], None) == 2
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["exit_code"]) == ("error", 2)
    assert event["message"] == "There is no option --lyer; did you mean --layer?"


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
        with pytest.raises(SystemExit) as done:
            parse([*name.split(), "--help"])
        assert done.value.code == 0
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


def test_help_tells_defaults(capsys):
    for words in ("samples -h", "similar -h", "emr plan -h"):
        with pytest.raises(SystemExit):
            parse(words.split())
    shown = capsys.readouterr().out
    for default in ("60", "10", "1000000", "1"):
        assert f"(default: {default})" in shown


def test_words_are_understood_without_what_commands_need():
    """Help, a wrong word and a Tab don't wait for Spark, pandas and their like."""
    heavy = ["pyspark", "pandas", "pyarrow", "deltalake", "pydantic", "numpy", "boto3"]
    calls = [["-h"], ["check", "-h"], ["emr", "plan", "-h"], ["statsu"], ["--lyer", "all"]]
    program = f"""
import sys, run
for words in {calls}:
    try: run.main(words)
    except SystemExit: pass
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_a_module_that_does_it():
    for command in COMMANDS:
        module = import_module(f"cli.commands.{command.name}")
        assert callable(module.run)
        if command.subcommands:
            assert list(module.SUBCOMMANDS) == [each.name for each in command.subcommands]


def test_the_names_that_words_take_are_those_of_the_code():
    judged = [table.name for table in suites.TABLES]
    restored = [table.name for table in returning_rows.KEYS]
    audited = [table.name for table in table_findings.TIMES]
    assert list(known_names.JUDGED_TABLES) == judged
    assert list(known_names.RESTORED_TABLES) == restored
    assert list(known_names.AUDITED_TABLES) == audited
    assert list(known_names.REFUSALS) == list(RefusalReason)
