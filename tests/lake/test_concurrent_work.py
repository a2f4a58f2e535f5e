"""Work beside the start of Java: it ends with it, and its errors are told."""

import signal
import threading
import time

import pytest

from lake.concurrent_work import beside, merged
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


def test_all_that_several_iterators_yield_comes_once():
    sources = [lambda n=n: iter(range(n * 100, n * 100 + n)) for n in range(20)]
    found = sorted(merged(sources, 4))
    assert found == [n * 100 + place for n in range(20) for place in range(n)]
    assert list(merged([], 4)) == []


def test_what_one_raises_is_raised_and_the_others_end():
    def fails():
        yield 1
        raise OSError("lost")

    def endless():
        while True:
            yield 2

    before = threading.active_count()
    with pytest.raises(OSError, match="lost"):
        list(merged([endless, fails, endless], 3))
    assert threading.active_count() == before


def test_threads_wait_for_whoever_takes_the_items():
    made = []

    def many():
        for n in range(1_000):
            made.append(n)
            yield n

    taken = merged([many, many], 2)
    next(taken)
    time.sleep(0.3)
    assert len(made) <= 6
    taken.close()
    assert len(made) <= 8
