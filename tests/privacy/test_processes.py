"""A killed run and an erasure in processes of their own: nothing is left, wherever they worked. Slow."""

import os
import subprocess
import sys
import time

import pytest

import run
from lake import secret_places
from lake.samples.sample_photos import write_samples
from tests.support.canary import MARKER, SUBJECT, jpeg, places, send, slices
from tests.support.processes import STARTS, wait_for

PHOTOS = {f"{MARKER}-{n}.jpg": jpeg(n) for n in range(4)}


@pytest.fixture
def started(tmp_path):
    """Starts the command line with a folder for temporary files under the test's own."""
    (tmp_path / "tmp").mkdir()
    folders = ("--landing", str(tmp_path / "landing"), "--lake", str(tmp_path / "lake"))
    running = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, run.__file__, *words, *folders],
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.process
def test_a_killed_run_and_an_erasure_leave_nothing(started, tmp_path):
    write_samples(tmp_path / "landing", 12)
    send(tmp_path / "landing", PHOTOS)
    needles = [MARKER.encode(), *(piece for photo in PHOTOS.values() for piece in slices(photo))]
    killed = started("--layer", "all")
    wait_for(tmp_path / "lake", "staging/silver-*/embedded/_delta_log/*.json", killed)
    os.killpg(killed.pid, 9)
    killed.wait()
    own = secret_places.load(
        f"file:{tmp_path / 'lake.key'}", lake=str(tmp_path / "lake"), make=False
    )
    needles.append(own.subject(SUBJECT).encode())
    where = {path.split("/")[0] for path, _ in places(needles, tmp_path)}
    assert {"landing", "lake"} <= where
    assert list((tmp_path / "tmp").glob("fruit-lake-spark-*"))
    words = ("erase", "--subject", SUBJECT, "--request", "request-1", "--mode", "immediate")
    erasing = started(*words)
    told, _ = erasing.communicate(timeout=2 * STARTS)
    assert erasing.returncode == 0, told
    assert "certificate" in told
    time.sleep(1)  # Java takes its folder away a moment after its end
    assert places(needles, tmp_path) == []
    assert list((tmp_path / "tmp").glob("fruit-lake-spark-*")) == []
