"""Signals that stop the work, without Spark: when Stopped is raised, and what is awaited before."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from lake import stop_signals
from lake.stop_signals import OWNED, Stopped
from tests.support import signals

SOON = 10.0
"""Seconds in which a thread of ours has long had its turn."""


waited_in_vain = []
"""What no signal stopped, as an error of its own would count as the stop."""


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    waited_in_vain.clear()
    with signals.as_in_a_terminal():
        yield


def obeyed(work):
    """The exit code of the work, and the stops that were told."""
    told = []
    code = stop_signals.obeyed(work, told.append)
    assert not waited_in_vain
    return code, told


def sends(number=signal.SIGINT):
    os.kill(os.getpid(), number)


def waits():
    """Longer than a stop takes, in small steps, as code in Python does."""
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        time.sleep(0.01)
    waited_in_vain.append(True)


@pytest.mark.parametrize("number", OWNED)
def test_a_signal_stops_the_work_at_once_and_gives_the_exit_code(number):
    code, [stop] = obeyed(lambda: (sends(number), waits()))
    assert (code, stop.number) == (128 + number, number)


def test_handlers_and_logs_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in (*OWNED, stop_signals.POKE)]
    hook = sys.unraisablehook
    obeyed(lambda: (sends(), waits()))
    assert [signal.getsignal(number) for number in (*OWNED, stop_signals.POKE)] == before
    assert sys.unraisablehook is hook
    assert logging.getLogger("py4j").isEnabledFor(logging.ERROR)


def test_nothing_warns_of_what_a_stop_ends_too_early(recwarn, caplog):
    async def never_awaited():
        pass

    def work():
        awaited = never_awaited()
        try:
            sends()
            waits()
        finally:
            logging.getLogger("py4j").error("a call failed")
            del awaited

    assert obeyed(work)[0] == 130
    assert (recwarn.list, caplog.records) == ([], [])


def test_work_that_nothing_stops_gives_its_own_exit_code():
    assert obeyed(lambda: 3) == (3, [])
    with pytest.raises(ZeroDivisionError):
        obeyed(lambda: 1 // 0)


def test_what_is_deferred_is_done_whole():
    done = []

    def work():
        with stop_signals.deferred():
            sends()
            time.sleep(0.3)
            done.append("whole")
        done.append("more")

    code, _ = obeyed(work)
    assert (code, done) == (130, ["whole"])


def test_the_answer_of_another_process_is_awaited_and_its_work_cancelled():
    """The cancellation is repeated, in another thread, as another job may have begun after the first."""
    cancelled, done = [], []

    def call():
        sends()
        until = time.monotonic() + SOON
        while len(cancelled) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        done.append("answered")
        return "answer"

    def work():
        with stop_signals.cancelled_by(lambda: cancelled.append(threading.current_thread())):
            stop_signals.answer(call, is_lost=lambda found: found != "answer")
        done.append("more")

    _, [stop] = obeyed(work)
    assert done == ["answered"]
    assert len(cancelled) >= 2
    assert threading.main_thread() not in cancelled
    assert not stop.is_cut_off


def raises():
    raise ConnectionError


@pytest.mark.parametrize("end", [lambda: "lost", raises])
def test_an_answer_that_never_came_is_told_of(end):
    caught = []

    def work():
        try:
            stop_signals.answer(lambda: (sends(), end())[1], is_lost="lost".__eq__)
        except Stopped as stop:
            caught.append(stop.is_cut_off)
            raise

    assert obeyed(work)[0] == 130
    assert caught == [True]


def test_an_error_that_follows_a_signal_counts_as_the_stop():
    def work():
        try:
            sends()
            waits()
        finally:
            raise ZeroDivisionError("the cleaning failed")

    assert obeyed(work)[0] == 130


def test_what_fails_after_a_signal_is_the_stop_and_before_it_an_error():
    """The step that failed so is recorded as stopped."""
    caught = []

    def work():
        try:
            with stop_signals.told_from_errors():
                try:
                    sends()
                    waits()
                finally:
                    raise ZeroDivisionError("the cleaning failed")
        except Stopped as stop:
            caught.append(stop.number)
            raise

    assert obeyed(work)[0] == 130
    assert caught == [signal.SIGINT]
    with pytest.raises(ZeroDivisionError), stop_signals.told_from_errors():
        raise ZeroDivisionError


def test_a_signal_may_come_a_moment_after_the_error_that_has_the_same_cause():
    """A terminal that is closed takes no output any more before it sends SIGHUP."""

    def work():
        with stop_signals.told_from_errors():
            threading.Timer(0.02, sends, [signal.SIGHUP]).start()
            raise OSError("Input/output error")

    caught = []
    code = stop_signals.obeyed(work, caught.append)
    assert (code, [stop.number for stop in caught]) == (129, [signal.SIGHUP])


def test_a_stop_that_a_callback_of_python_dropped_is_raised_again(capsys):
    """Python prints what a callback of the garbage collection raises, and goes on."""

    class Dropped:
        pass

    def work():
        dropped = Dropped()
        reference = weakref.ref(dropped, lambda _: (sends(), time.sleep(0)))
        del dropped
        assert reference() is None
        waits()

    assert obeyed(work)[0] == 130
    assert capsys.readouterr().err == ""


def test_several_signals_within_a_moment_are_one():
    """A closed terminal sends SIGHUP twice."""

    def work():
        try:
            sends()
            waits()
        finally:
            sends(signal.SIGTERM)

    code, [stop] = obeyed(work)
    assert (code, stop.number) == (130, signal.SIGINT)


def test_what_was_ignored_stays_ignored():
    """As nohup ignores SIGHUP, and a shell Ctrl-C for what it runs in the background."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert obeyed(lambda: (sends(signal.SIGHUP), 0)[1]) == (0, [])
    finally:
        signal.signal(signal.SIGHUP, before)


def test_work_that_ends_well_after_a_stop_keeps_its_exit_code():
    """A web server shuts itself down, and raises the signal again afterwards."""

    def work():
        try:
            sends()
            waits()
        except KeyboardInterrupt:
            return 0

    assert obeyed(work) == (0, [])


def in_a_process(code):
    """A process that does the work of `work`, says `ready`, and tells of a stop on its standard error."""
    program = f"""
import os, signal, sys, time
from lake import stop_signals
def ready():
    print("ready", flush=True)
{code}
sys.exit(stop_signals.obeyed(work, lambda stop: print("stopped", file=sys.stderr), is_last=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_signal_ends_the_process_at_once():
    process = in_a_process("""
def work():
    with stop_signals.deferred():
        ready()
        time.sleep(60)
""")
    process.send_signal(signal.SIGTERM)
    time.sleep(stop_signals.TOGETHER + 0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=SOON) == ("", "")
    assert process.returncode == 130


def test_the_exit_code_stays_where_nobody_reads_the_output_any_more():
    """As in `run.py … | tee log`, where Ctrl-C ends tee too."""
    process = in_a_process("""
def work():
    ready()
    try:
        time.sleep(60)
    finally:
        sys.stdout.write("left in the buffer")
""")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == "stopped\n"
    assert process.wait(SOON) == 130


def test_a_process_that_ends_shows_no_traceback_of_its_own_end():
    process = in_a_process("""
import atexit
atexit.register(lambda: (ready(), time.sleep(60)))
def work():
    return 0
""")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=SOON) == ("", "")
    assert process.returncode == -signal.SIGINT
