"""The clock of a run counts each second once, from the call of the command line on."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from lake import run_clock
from lake.run_clock import END, START, RunClock

PROGRAM = """
import time
time.sleep(0.5)  # no second of a processor's
from datetime import UTC, datetime
from lake.run_clock import process_began
print((datetime.now(UTC) - process_began()).total_seconds())
"""


def test_a_part_within_another_is_not_counted_twice():
    clock = RunClock()
    with clock.part("tables"):
        time.sleep(0.02)
        with clock.part("Spark"):
            time.sleep(0.05)
        with clock.part("Spark"):
            time.sleep(0.05)
    clock.stage = END
    with clock.part("tables"):
        pass
    assert clock.parts[START]["Spark"] == pytest.approx(0.1, abs=0.05)
    assert clock.parts[START]["tables"] == pytest.approx(0.02, abs=0.015)
    assert clock.parts[END]["tables"] < 0.01
    assert sum(clock.parts[START].values()) <= clock.seconds


def test_what_no_part_took_has_a_name_too():
    clock = RunClock(begun=datetime.now(UTC) - timedelta(seconds=9))
    clock.add("photos", 4)
    clock.add_rest("Python")
    assert clock.parts[START] == {"photos": 4, "Python": pytest.approx(5, abs=0.5)}


def test_a_part_is_counted_where_it_fails_too():
    clock = RunClock()
    with pytest.raises(ValueError, match="no"), clock.part("tables"):
        raise ValueError("no")
    assert list(clock.parts[START]) == ["tables"]
    assert clock._inner == []


def test_a_call_of_the_command_line_is_the_beginning_of_one_run():
    began = datetime.now(UTC) - timedelta(minutes=1)
    run_clock.call_began(began)
    assert RunClock().begun == began
    assert RunClock().seconds < 1


def test_a_process_knows_when_it_began():
    started = time.monotonic()
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert 0.5 <= float(said.stdout) <= time.monotonic() - started + 0.05
