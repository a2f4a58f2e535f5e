"""Real processes: killed, paused, two at once, and a full disk. Slow: each starts the command line anew."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import run
from lake import catalog, lease
from tests.support.place import Place
from tests.support.processes import LEASE_SECONDS, STARTS, wait_for
from tests.support.table_contents import same_tables


@contextlib.contextmanager
def started(place, *words):
    """The command line in a process group of its own."""
    command = [sys.executable, run.__file__, "--layer", "all", *words]
    command += ["--landing", str(place.landing), "--lake", str(place.root / "lake")]
    command += ["--set", f"lease.seconds={LEASE_SECONDS}"]
    command += ["--set", f"model.flatbuffer={place.settings.model.flatbuffer}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.process
def test_a_run_that_is_killed_in_each_layer_is_finished_by_the_next(samples, samples_lake):
    """SIGKILL, while the layer's chunk is being staged: each run goes on from the one before."""
    for layer in ("bronze", "silver", "gold"):
        with started(samples) as process:
            wait_for(samples.root / "lake" / "staging", f"{layer}-*/*/_delta_log", process)
            process.kill()
        assert samples.files.exists(lease.NAME)
    samples.run()
    same_tables(samples, samples_lake)
    assert not samples.files.exists(lease.NAME)


@pytest.mark.process
def test_of_two_writers_one_works_and_a_paused_one_can_not_commit(samples, samples_lake):
    with started(samples) as first:
        wait_for(samples.root / "lake", lease.NAME, first)
        began = time.monotonic()
        with started(samples) as second:
            told = second.communicate(timeout=STARTS)[0]
        assert time.monotonic() - began < 30  # no Spark was started for it
        assert second.returncode == 4
        assert re.search(rf"is held by run \S+ on \S+ \(process {first.pid}\) since 20", told)
        wait_for(samples.root / "lake" / "staging", "silver-*/*/_delta_log", first)
        os.killpg(first.pid, signal.SIGSTOP)
        time.sleep(LEASE_SECONDS + 0.5)
        samples.run()  # it takes over, and does the work
        before = {table.name: samples.lake.version(table) for table in catalog.TABLES}
        os.killpg(first.pid, signal.SIGCONT)
        told = first.communicate(timeout=STARTS)[0]
        assert first.returncode == 4, told
        assert "error: The lake" in told
        assert "it writes nothing more" in told
    assert {table.name: samples.lake.version(table) for table in catalog.TABLES} == before
    same_tables(samples, samples_lake)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here ({done.stderr.strip()})")
    yield folder
    # Java may keep a file open of a write that found no space.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_with_space_the_same_command_finishes(
    small_disk, samples_lake, spark, capsys
):
    shutil.copytree(samples_lake.landing, small_disk.parent / "landing")
    shutil.copy(samples_lake.root / "lake.key", small_disk.parent / "small.key")
    words = ["--layer", "all", "--landing", str(small_disk.parent / "landing")]
    words += ["--lake", str(small_disk / "lake"), "--set", f"subjects.key=file:{small_disk}.key"]
    assert run.main(words) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "error: a disk is full (No space left on device): make space where the lake"
    )
    assert told.count("\n") == 1
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    (small_disk / "lake" / lease.NAME).unlink(missing_ok=True)  # its 'dead' holder is this process
    assert run.main(words) == 0
    place = Place.of(small_disk, spark)
    same_tables(place, samples_lake)
