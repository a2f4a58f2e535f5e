"""Work beside the start of Java: it ends with it, and its errors are told."""

import signal
import threading

import pytest

from lake.concurrent_work import beside
from lake.stop_signals import Stopped


def test_work_runs_beside_and_has_ended_afterwards():
    begun, did = threading.Event(), []

    def work():
        begun.set()
        did.append("imported")

    with beside(work):
        assert begun.wait(10)
    assert did == ["imported"]


def test_an_error_of_the_work_is_a_warning_and_breaks_nothing():
    def work():
        raise ImportError("no module named great_expectations")

    with (
        pytest.warns(RuntimeWarning, match="ImportError: no module named great_expectations"),
        beside(work),
    ):
        pass


def test_an_error_of_the_start_comes_before_that_of_the_work():
    with pytest.raises(ValueError, match="the start"), beside(lambda: 1 / 0):
        raise ValueError("the start")


def test_nobody_waits_for_it_after_a_stop():
    over = threading.Event()
    with pytest.raises(Stopped), beside(lambda: over.wait(60)):
        raise Stopped(signal.SIGINT)
    assert "beside-java" in {thread.name for thread in threading.enumerate()}
    over.set()


def test_no_work_is_no_thread():
    before = threading.active_count()
    with beside(None):
        assert threading.active_count() == before
