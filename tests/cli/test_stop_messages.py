"""What a command that a signal stops says: one sentence for people, or one JSON object."""

import json
import os
import signal

import pytest

from cli import main
from cli.commands import status
from tests.support import signals

GOES_ON = "what was published stays, and the same command goes on from there."


@pytest.fixture
def stopped(monkeypatch):
    """A command line whose `status` gets a signal; its exit code."""

    def call(number, *words):
        def run(*_):
            os.kill(os.getpid(), number)
            raise ZeroDivisionError("what the signal broke")

        monkeypatch.setattr(status, "run", run)
        return main.main(["status", *words], run_layers=None)

    with signals.as_in_a_terminal():
        yield call


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (signal.SIGINT, "Ctrl-C"),
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGHUP, "the terminal was closed"),
    ],
)
def test_one_sentence_says_what_stopped_it_and_that_the_command_goes_on(
    stopped, capsys, number, cause
):
    assert stopped(number) == 128 + number
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"stopped ({cause}): {GOES_ON}\n")


def test_with_json_it_is_one_object(stopped, capsys):
    assert stopped(signal.SIGTERM, "--log", "json", "--debug") == 143
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("at")
    assert told == {
        "level": "error",
        "event": "stopped",
        "message": f"stopped (SIGTERM): {GOES_ON}",
        "exit_code": 143,
    }
