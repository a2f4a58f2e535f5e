"""The lease, without Spark: one holder, takeover from the dead and the silent, nothing for the paused."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from conf.errors import BadInput, Busy, Inconsistent
from lake import lease
from lake.lease import Holder
from lake.stop_signals import Stopped
from lake.storage.local_folder import LocalFolder


@pytest.fixture
def files(tmp_path):
    return LocalFolder(str(tmp_path))


def held(files, *, seconds=60.0, run_id="mine"):
    return lease.held(files, run_id=run_id, seconds=seconds)


def write(files, **changes):
    """A lease as some other process left it."""
    holder = Holder.here(run_id="theirs", seconds=1.5, is_fenced=True)
    files.write(lease.NAME, replace(holder, **changes).content())


def ended():
    """A process number that was in use, and the time that it was started."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = lease.start_time(child.pid)
    child.communicate(b"\n")
    return {str(child.pid): started}


def test_a_second_writer_is_told_who_holds_the_lake(files):
    with held(files, run_id="first"), pytest.raises(Busy) as refused, held(files):
        pass
    assert refused.value.exit_code == 4
    for told in (files.root, "run first on ", f"(process {os.getpid()}) since 20"):
        assert told in str(refused.value)


@pytest.mark.parametrize("error", [None, BadInput])
def test_it_is_given_back_at_the_end_and_at_errors_of_ours(files, error):
    try:
        with held(files) as own:
            assert own.is_fenced
            if error:
                raise error("of ours")
    except BadInput:
        pass
    assert not files.exists(lease.NAME)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_after_a_stop_it_is_given_back_unless_java_ended_in_the_middle_of_a_call(files, is_cut_off):
    """Java may have been at a commit, and still be at it."""
    with pytest.raises(Stopped), held(files):
        raise Stopped(signal.SIGTERM, is_cut_off=is_cut_off)
    assert files.exists(lease.NAME) is is_cut_off


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_at_other_errors_it_stays_for_the_next_to_take_over(files, error):
    with pytest.raises(error), held(files):
        raise error
    assert Holder.read(files.read(lease.NAME)).run_id == "mine"


def test_it_stays_until_earlier_holders_are_fenced(files):
    write(files, processes=ended())
    with held(files) as own:
        assert not own.is_fenced
    assert files.exists(lease.NAME)
    write(files, processes=ended())
    with held(files) as own:
        own.fenced()
    assert not files.exists(lease.NAME)


def test_a_dead_holder_on_this_machine_is_noticed_at_once(files):
    write(files, processes=ended(), seconds=3600.0)
    began = time.monotonic()
    with held(files) as own:
        own.check()
    assert time.monotonic() - began < 1


def test_a_number_that_another_process_got_since_is_nobody(files):
    [pid] = Holder.here(run_id="", seconds=1, is_fenced=True).processes
    write(files, processes={pid: "1"}, seconds=3600.0)
    with held(files):
        pass


def test_the_java_of_a_dead_holder_is_waited_for(files):
    java = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.2)"])
    write(files, processes=ended() | {str(java.pid): lease.start_time(java.pid)})
    began = time.monotonic()
    with held(files):
        assert 0.5 < time.monotonic() - began < 10
    java.wait()


@pytest.mark.parametrize(
    ("machine", "age", "is_busy"),
    [
        ("this", 0.0, True),
        ("this", 10.0, False),
        ("another", 0.5, True),
        ("another", -3.0, True),  # its clock is a little ahead
        ("another", 10.0, False),
        ("another", -3600.0, False),  # dead since, whatever its clock said
    ],
)
def test_silence_ends_the_hold_of_one_that_may_live(files, machine, age, is_busy):
    other = {} if machine == "this" else {"machine": "another", "processes": {"1": "1"}}
    write(files, renewed=time.time() - age, **other)
    if is_busy:
        with pytest.raises(Busy), held(files):
            pass
    else:
        with held(files) as own:
            assert not own.is_fenced


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_living_holder_with_another_clock_keeps_it(files, skew):
    """It seems silent for an hour, or to come from the future, and yet it renews."""
    other = {"machine": "another", "processes": {"1": "1"}, "seconds": 3.0}
    write(files, renewed=time.time() + skew, **other)
    renewing = multiprocessing.get_context("fork").Process(
        target=lambda: (time.sleep(0.5), write(files, renewed=time.time() + skew, **other))
    )
    renewing.start()
    with pytest.raises(Busy, match="run theirs"), held(files):
        pass
    renewing.join()


def test_it_is_renewed_while_it_is_held(files):
    with held(files, seconds=0.6):
        first = files.read_json(lease.NAME)["renewed"]
        time.sleep(0.5)
        assert files.read_json(lease.NAME)["renewed"] > first


def test_one_that_was_taken_over_is_told_by_whom(files):
    with held(files) as own:
        write(files)
        with pytest.raises(
            Busy, match=r"was taken over by run theirs on .*; it writes nothing more"
        ):
            own.check()
    assert files.read_json(lease.NAME)["run_id"] == "theirs"


def test_what_fails_once_the_lease_is_lost_is_told_as_its_loss(files):
    def fails():
        with held(files):
            write(files)
            raise FileNotFoundError("a staged file that the next holder removed")

    with pytest.raises(Busy, match="was taken over by run theirs"):
        fails()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty, as if a machine had lost power"),
        (b'{"owner"', "can't be understood"),
        (b'{"owner": 1}', "can't be understood"),
    ],
)
def test_a_file_that_is_no_lease_is_named_with_what_to_do(files, content, what):
    files.write(lease.NAME, content)
    told = (
        f"The lake's lease.json {what}; make sure that no process writes to the lake, then delete"
    )
    with pytest.raises(Inconsistent, match=re.escape(told)), held(files):
        pass
    files.delete(lease.NAME)
    with held(files):
        pass


def test_of_many_at_once_one_gets_it(files):
    """Twelve processes over a dead holder's lease: a swap that isn't atomic lets several in."""
    write(files, processes=ended())
    fork = multiprocessing.get_context("fork")
    start, results = fork.Event(), fork.Queue()

    def contend():
        start.wait()
        try:
            with held(files) as own:
                time.sleep(2)
                own.check()
                results.put("held")
        except Busy:
            results.put("busy")

    several = [fork.Process(target=contend) for _ in range(12)]
    for each in several:
        each.start()
    start.set()
    for each in several:
        each.join()
    told = [results.get() for _ in several]
    assert sorted(told) == ["busy"] * 11 + ["held"]
