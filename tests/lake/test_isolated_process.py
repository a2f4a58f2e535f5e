"""A photo that took over its process reaches nothing, and its answers do nothing to the parent."""

from __future__ import annotations

import errno
import json
import os
import pickle
import platform
import resource
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bronze.bronze_rows import Admission
from lake import isolated_process, isolated_python, isolated_work
from lake.isolated_process import Failure, FailureKind, IsolatedProcess, ProcessLimits, WorkDone
from lake.isolated_work import AHEAD, DONE, RAISED, READY
from lake.pseudonyms import Pseudonyms
from tests.support import child_probes
from tests.support.child_probes import FalseAnswer
from tests.support.other_user import as_nobody

ROOT = Path(__file__).resolve().parents[2]
LIMITS = ProcessLimits(max_bytes=1_000_000, seconds=30, memory=200_000_000)
SECRET = "a secret of the environment, 8d1f"
SENSELESS = Failure(FailureKind.CRASHED, "its process gave an answer that makes no sense")

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limits")


@pytest.fixture
def start():
    """Starts isolated processes, and ends them."""
    started = []

    def of(work, *, limits=LIMITS, most_made=4_000_000):
        started.append(IsolatedProcess(work, limits=limits, most_made=most_made))
        return started[-1]

    yield of
    for one in started:
        one.close()


def as_it_is(done):
    return done


def answered(process, *contents):
    return list(process.answers(contents, as_it_is))


@linux
def test_the_child_reaches_nothing_of_its_parents(start, monkeypatch, tmp_path):
    monkeypatch.setenv("SUBJECTS_KEY", SECRET)
    (tmp_path / "readable").write_bytes(b"x")
    descriptor = os.open(tmp_path / "readable", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    process = start(child_probes.reach)
    [answer] = answered(process, str(tmp_path / "readable").encode())
    os.close(descriptor)
    reached = json.loads(answer.made)
    none_left = os.strerror(24)
    assert reached["environment"] == []
    assert [reached[act] for act in ("read", "write", "connect", "socketpair")] == [none_left] * 4
    assert (
        reached["descriptors"] == 6
    )  # standard streams that lead nowhere, the socket, shared memory
    assert (reached["core"], reached["core dump"], reached["privileges"]) == (0, 0, 1)
    if not process.shares:
        assert reached["raise limit"] == "not allowed to raise maximum limit"
        assert [reached[act] for act in ("trace parent", "read parent")] == [os.strerror(1)] * 2


@linux
@pytest.mark.skipif(
    platform.machine() not in child_probes.CLONE, reason="no filter is known for it"
)
def test_the_child_starts_threads_and_neither_processes_nor_programs(start):
    [answer] = answered(start(child_probes.start_others), b"")
    refused, found = os.strerror(errno.EPERM), json.loads(answer.made)
    assert found.pop("thread") == ""
    assert found.pop("clone3") == os.strerror(errno.ENOSYS)
    assert found == dict.fromkeys(("fork", "vfork by clone", "execve", "execveat"), refused)


@linux
@pytest.mark.skipif(
    platform.machine() not in child_probes.CLONE, reason="no filter is known for it"
)
def test_the_child_reaches_no_other_process_and_no_file_by_its_name(start, tmp_path):
    """As root, too: the limit on descriptors keeps from opening a file, and from nothing else."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(b"x")
    mode = path.stat().st_mode
    [answer] = answered(start(child_probes.reach_others), str(path).encode())
    assert set(json.loads(answer.text).values()) == {""}
    assert {act: why for act, why in json.loads(answer.made).items() if why != os.strerror(1)} == {}
    assert path.read_bytes() == b"x"
    assert path.stat().st_mode == mode
    assert list(path.parent.iterdir()) == [path]


def test_a_child_that_aborts_costs_its_photo(start):
    [found] = answered(start(child_probes.abort), b"x")
    assert found == Failure(FailureKind.CRASHED, "its process died: Aborted")


THREADS = """
from lake.isolated_process import *
from tests.support import child_probes
process = IsolatedProcess(child_probes.start_threads, most_made=1000, limits=LIMITS)
[answer] = process.answers([b"x"], lambda done: done)
print(answer.text, process.shares)
""".replace("LIMITS", repr(replace(LIMITS, memory=4_000_000_000)))


@linux
def test_the_child_of_another_user_than_root_has_a_limit_on_threads():
    ran = as_nobody(THREADS)
    if ran.stdout.split()[1:] == ["network"]:
        pytest.skip("the kernel counts the threads of this user's other programs, too")
    assert ran.stdout.split() == [str(isolated_work.MOST_THREADS - 1)], ran.stderr


@linux
def test_where_the_kernel_counts_other_programs_threads_have_no_limit(monkeypatch):
    """Such a kernel refuses the second thread, as the parent is one."""
    limits, most = [], isolated_work.MOST_THREADS
    monkeypatch.setattr(resource, "setrlimit", lambda name, limit: limits.append(limit))
    for before, after in (((50, 90), (most, most)), ((5, 10), (5, 10)), ((-1, -1), (most, most))):
        monkeypatch.setattr(resource, "getrlimit", lambda name, given=before: given)
        isolated_work._limit_threads()
        assert limits[-2:] == [(2, before[1]), after]
    monkeypatch.setattr(isolated_work, "Thread", NoThread)
    isolated_work._limit_threads()
    assert limits[-2:] == [(2, -1), (-1, -1)]


class NoThread:
    def __init__(self, target):
        pass

    def start(self):
        raise RuntimeError("can't start new thread")


@linux
def test_where_there_is_no_filter_a_limit_keeps_from_new_processes(monkeypatch):
    limits = {}
    monkeypatch.setattr(resource, "setrlimit", lambda name, limit: limits.update({name: limit}))
    for is_there, system, limit in (
        (True, "linux", None),
        (False, "darwin", None),  # HEIC needs a thread, and macOS has no filter
        (False, "linux", (0, 0)),
    ):
        monkeypatch.setattr(isolated_work, "forbid_processes", lambda given=is_there: given)
        monkeypatch.setattr(sys, "platform", system)
        isolated_work._limit(0)
        assert limits.get(resource.RLIMIT_NPROC) == limit


@linux
def test_the_child_says_that_it_shares_the_network_where_the_kernel_gives_it_none(start):
    process = start(child_probes.echo)
    assert answered(process, b"a") == [WorkDone("1", b"a")]
    assert process.shares in ("", "network")
    assert isolated_python.shared_rights() == process.shares


def test_a_photo_that_needs_too_much_memory_costs_itself_alone(start):
    contents = [b"1000", b"250000000", b"1000", b"100000000"]
    found = answered(start(child_probes.take), *contents)
    assert found == [
        WorkDone("", b""),
        Failure(FailureKind.MEMORY, "needs more than 200,000,000 bytes of memory"),
        WorkDone("", b""),
        WorkDone("", b""),
    ]


@linux
def test_a_library_that_got_no_memory_is_told_from_one_that_failed(start):
    found = answered(start(child_probes.out_of_memory_in_c), b"", b"no memory", b"")
    assert [answer.text for answer in found] == ["False", "True", "False"]


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000, 1_000_001, 3_000_000])
def test_bytes_go_there_and_back_in_order_up_to_the_limit(start, size):
    contents = [b"%d" % n * n for n in range(40)] + [bytes(size)] + [b"last"] * AHEAD
    found = answered(start(child_probes.echo), *contents)
    assert [answer.made for answer in found] == [each[:1_000_001] for each in contents]


@linux
def test_a_large_photo_leaves_no_memory_behind(start):
    limits = replace(LIMITS, max_bytes=60_000_000)
    process = start(child_probes.echo, limits=limits, most_made=61_000_000)
    assert [len(each.made) for each in answered(process, bytes(60_000_000), b"a")] == [
        60_000_000,
        1,
    ]
    for file in (process._inbox, process._outbox):
        assert os.fstat(file.descriptor).st_blocks * 512 < 1_000_000


def numbered(count, asked):
    """So many photos, each of which is put down in `asked` when it is asked for."""
    for number in range(count):
        asked.append(number)
        yield b"%d" % number


def test_photos_may_come_one_after_another_from_what_is_read_meanwhile(start):
    asked, process = [], start(child_probes.echo)
    contents = numbered(3 * AHEAD, asked)
    found = [answer.made for answer in process.answers(contents, as_it_is)]
    assert found == [b"%d" % number for number in asked]


@pytest.mark.parametrize("contents", [[b"one"], [b"%d" % n for n in range(AHEAD)]], ids=len)
@pytest.mark.parametrize("has_own_core", [True, False])
def test_a_wait_that_is_interrupted_gives_no_photo_the_answer_of_another(
    start, monkeypatch, contents, has_own_core
):
    """The last answer of those that the child owes comes all the same."""
    process, received, wanted = start(child_probes.echo), isolated_process.received_answer, []

    def interrupted(*arguments):
        wanted.append(arguments)
        if len(wanted) == len(contents) + 1:  # the first is that of a child that is ready
            raise KeyboardInterrupt
        return received(*arguments)

    monkeypatch.setattr(isolated_process, "received_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(process.answers(contents, as_it_is, has_own_core=has_own_core))
    for each in (b"second", b"third!", b"x"):
        assert [answer.made for answer in answered(process, each)] == [each]


def test_what_has_its_own_core_answers_as_soon_as_it_can(start):
    asked, process = [], start(child_probes.echo)
    contents = numbered(2 * AHEAD, asked)
    with closing(process.answers(contents, as_it_is, has_own_core=True)) as answers:
        numbers = [(int(answer.made), len(asked)) for answer in answers]
    # The next photos are with the child before the last of those before is used.
    assert numbers == [(n, AHEAD if n < AHEAD - 1 else 2 * AHEAD) for n in range(2 * AHEAD)]


def test_what_is_made_has_a_bound(start):
    found = answered(start(child_probes.more_than_fits), b"", b"")
    assert {each.kind for each in found} == {FailureKind.MEMORY}


@pytest.mark.parametrize(
    "false",
    [FalseAnswer(DONE, 2**62), FalseAnswer(b"?", 0), FalseAnswer(READY, 0)],
    ids=["too long", "no sign", "ready once more"],
)
def test_an_answer_that_makes_no_sense_costs_its_photo_and_the_child(start, false):
    process = start(false)
    assert answered(process, b"one", b"two") == [SENSELESS] * 2


def test_an_error_is_told_by_its_name(start):
    assert answered(start(FalseAnswer(RAISED, 0, "KeyError")), b"x") == [
        Failure(FailureKind.CRASHED, "KeyError")
    ]


def test_what_cannot_be_read_is_tried_again_and_costs_its_photo(start):
    """A photo may have taken over the child, so each such answer ends it; those that wait lose nothing."""
    process, read = start(child_probes.echo), []

    def made(done):
        read.append((done.made, process._child.process.pid))
        if done.made == b"odd" or (read[-1][0] == b"once" and len({pid for _, pid in read}) == 1):
            raise ValueError(done.made)
        return done.made

    assert list(process.answers([b"once", b"two", b"odd", b"four"], made)) == [
        b"once",
        b"two",
        SENSELESS,
        b"four",
    ]
    assert [photo for photo, _ in read] == [b"once", b"once", b"two", b"odd", b"odd", b"four"]
    assert len({pid for _, pid in read}) == 4


@pytest.mark.parametrize("has_own_core", [True, False])
def test_a_child_that_the_machine_ends_costs_no_photo(start, has_own_core):
    """Where memory runs out, the kernel ends it first, whatever took the memory."""
    process = start(child_probes.slow_echo)
    contents = [b"%d" % number for number in range(AHEAD + 3)]
    photos = process.answers(contents, as_it_is, has_own_core=has_own_core)
    assert next(photos).made == contents[0]
    process._child.process.kill()
    assert [each.made for each in photos] == contents[1:]


@linux
def test_a_child_that_makes_the_shared_memory_shorter_kills_no_parent(start):
    """In a process of its own: the parent would end by SIGBUS, and the tests with it."""
    script = (
        "from lake.isolated_process import *\nfrom tests.support import child_probes\n"
        "process = IsolatedProcess(child_probes.shorten_memory, most_made=1000, "
        "limits=ProcessLimits(1000, 30, 200_000_000))\n"
        "print([answer.made for answer in process.answers([b'a', b'b'], lambda done: done)])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "[b'x', b'x']\n")


def test_a_signal_of_the_terminal_costs_no_photo(start):
    assert answered(start(child_probes.signalled), b"a") == [WorkDone("", b"a")]


def test_an_answer_that_drips_is_late(start):
    limits = ProcessLimits(max_bytes=1000, seconds=0.5, memory=200_000_000)
    [found] = answered(start(child_probes.dripping, limits=limits), b"x")
    assert found.kind is FailureKind.TIMEOUT


def test_a_child_that_ends_while_it_starts_is_an_error_of_the_machine(start):
    process = start(child_probes.EndsAtStart())
    with pytest.raises(OSError, match="did not start: its process died: exit code 3"):
        answered(process, b"x")


def test_a_module_that_was_missing_is_loaded_early_by_the_next_child(start):
    """Libraries load some of their parts late, and take a failure of that for one of the photo."""
    process = start(child_probes.load_late)
    names = [b"numpy.ma", b"PIL.BmpImagePlugin", b"numpy.ma"]
    assert [each.made for each in answered(process, *names)] == names
    assert process._modules == ["numpy", "numpy.ma", "PIL", "PIL.BmpImagePlugin"]


def test_no_other_module_is_loaded_because_a_child_says_so(start):
    names = [b"wave", *(b"PIL.none%d" % number for number in range(30)), b"PIL.BmpImagePlugin"]
    process = start(child_probes.load_late)
    found = answered(process, *names)
    assert found[0] == Failure(FailureKind.CRASHED, "wave is loaded too late")
    assert {each.kind for each in found} == {FailureKind.CRASHED}
    assert len(process._modules) == 20


def test_a_process_has_one_child_for_each_layer(monkeypatch):
    monkeypatch.setattr(isolated_process, "_kept", {})
    one = isolated_process.kept("a layer", child_probes.echo, limits=LIMITS, most_made=1000)
    with closing(one):
        assert (
            isolated_process.kept("a layer", child_probes.echo, limits=LIMITS, most_made=1000)
            is one
        )
        other = isolated_process.kept("a layer", child_probes.take, limits=LIMITS, most_made=1000)
        with closing(other):
            assert other is not one
            assert one._child is None
            again = isolated_process.kept("another", child_probes.take, limits=LIMITS, most_made=1)
            with closing(again):
                assert again is not other
                assert other._child is not None


def test_a_worker_gets_no_secret_of_the_subjects():
    secrets = [
        b"the secret of today, 16 bytes",
        b"an earlier secret, 16 bytes",
        b"of another lake..",
    ]
    pseudonyms = Pseudonyms(secrets[0], earlier=Pseudonyms(secrets[1]))
    sent = pickle.dumps(Admission.of(pseudonyms, tombstones=frozenset({"a"})))
    assert pickle.dumps(secrets[0])[15:30] in pickle.dumps(pseudonyms)
    assert not any(secret in sent for secret in secrets)
