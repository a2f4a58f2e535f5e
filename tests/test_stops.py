"""Commands that a signal stops, in a pseudo-terminal: one sentence, an exit code, and nothing is lost.

Slow: each starts the command line anew. tests/lake/test_stop_signals.py has what needs no Spark.
"""

import json
import os
import re
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import run
from lake import catalog, lease, spark_session, stop_signals
from lake.lease import Holder
from lake.storage.local_folder import LocalFolder
from tests.support.processes import LEASE_SECONDS, STARTS, is_running, wait_for
from tests.support.table_contents import same_tables
from tests.support.terminals import terminal

GOES_ON = "what was published stays, and the same command goes on from there."
ENDS = 120
"""Seconds that a stopped command may take to end on a busy machine."""


@contextmanager
def started(root, *words):
    """A run over the folders under a root, in a terminal."""
    command = [sys.executable, run.__file__, "--layer", "all", *words]
    command += ["--landing", str(root / "landing"), "--lake", str(root / "lake")]
    with terminal(command) as made:
        yield made


@contextmanager
def staging(place, layer, *words):
    """A run in a terminal, which has just begun to stage the layer's chunk."""
    words += ("--set", f"lease.seconds={LEASE_SECONDS}")
    words += ("--set", f"model.flatbuffer={place.settings.model.flatbuffer}")
    with started(place.root, *words) as made:
        wait_for(place.root / "lake" / "staging", f"{layer}-*/*/_delta_log", made.process)
        yield made


def last_layers(place):
    """What ops/runs has of the last run: layers and statuses."""
    rows = place.lake.read(catalog.RUNS).collect()
    last = max(row["run_id"] for row in rows)
    return {row["layer"]: row["status"] for row in rows if row["run_id"] == last}


def says_last(screen, sentence):
    """Whether the screen ends with a sentence, in as many lines as it takes."""
    return " ".join(screen.split()).endswith(f" {sentence}") or screen.split() == sentence.split()


def says_nothing_else(screen):
    """Whether no word of Java's, Python's or a thread's own end is on the screen."""
    return not re.search(r"Traceback|Exception|[Ee]rror|WARN|Warning|Py4J|Interrupt", screen)


@pytest.mark.process
def test_a_run_that_is_stopped_in_each_layer_is_finished_by_the_same_command(samples, samples_lake):
    with staging(samples, "bronze") as made:
        made.press_ctrl_c()
        code, screen = made.ended(within=ENDS)
    assert (code, says_nothing_else(screen)) == (130, True), screen
    assert says_last(screen, f"stopped (Ctrl-C): {GOES_ON}")
    assert last_layers(samples) == {"bronze": "stopped"}
    assert not samples.files.exists(lease.NAME)

    with staging(samples, "silver") as made:
        made.send(signal.SIGTERM)  # Java gets it too, as from systemd
        code, screen = made.ended(within=ENDS)
    assert (code, says_nothing_else(screen)) == (143, True), screen
    assert says_last(screen, f"stopped (SIGTERM): {GOES_ON}")
    assert last_layers(samples) == {"bronze": "done", "silver": "stopped"}

    with staging(samples, "gold", "--log", "json") as made:
        made.press_ctrl_c()
        code, screen = made.ended(within=ENDS)
    assert (code, b"\x1b" in made.raw) == (130, False), screen
    lines = [json.loads(line.removeprefix("^C")) for line in screen.splitlines()]
    assert [(line["event"], line["exit_code"]) for line in lines if line["level"] == "error"] == [
        ("stopped", 130)
    ]
    assert last_layers(samples) == {"bronze": "done", "silver": "done", "gold": "stopped"}
    assert not samples.files.exists(lease.NAME)

    samples.run()
    same_tables(samples, samples_lake)


@pytest.mark.process
def test_a_second_ctrl_c_ends_at_once_where_java_does_not_answer(samples):
    with staging(samples, "bronze") as made:
        java = list(Holder.read(samples.files.read(lease.NAME)).processes)[1]
        os.kill(int(java), signal.SIGSTOP)
        made.press_ctrl_c()
        time.sleep(stop_signals.TOGETHER + 0.5)
        assert made.process.poll() is None
        pressed = time.monotonic()
        made.press_ctrl_c()
        code, screen = made.ended(within=ENDS)
        assert time.monotonic() - pressed < 2
    assert (code, says_nothing_else(screen)) == (130, True), screen
    assert samples.files.exists(lease.NAME)  # Java may be at a commit


def java_of(pid):
    """The Java processes whose session is that of a process."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    rows = [(stat.partition(" (")[0], *stat.rpartition(") ")[2].split()) for stat in stats]
    named = {row[0] for row in rows if row[4] == str(pid)}
    return [each for each in named if b"java" in Path(f"/proc/{each}/cmdline").read_bytes()]


@pytest.mark.process
def test_before_spark_has_started_a_stop_leaves_nothing_behind(tmp_path):
    """It asks for the lease of a silent holder on another machine, and then Java starts."""
    (tmp_path / "landing").mkdir()
    (tmp_path / "lake").mkdir()
    files = LocalFolder(str(tmp_path / "lake"))
    other = Holder.here(run_id="theirs", seconds=600, is_fenced=True)
    files.write(lease.NAME, replace(other, machine="another", renewed=0).content())
    with started(tmp_path) as made:
        until = time.monotonic() + STARTS
        while b"asking for the lease" not in made.raw and time.monotonic() < until:
            time.sleep(0.02)
        made.press_ctrl_c()
        code, screen = made.ended(within=ENDS)
    assert (code, says_nothing_else(screen)) == (130, True), screen
    assert Holder.read(files.read(lease.NAME)).run_id == "theirs"

    (tmp_path / "lake" / lease.NAME).unlink()
    with started(tmp_path) as made:
        log = f"{spark_session.LEFT_BEHIND}{made.process.pid}-*.log"
        wait_for(Path(tempfile.gettempdir()), log, made.process)
        time.sleep(0.5)
        made.send(signal.SIGTERM)
        code, screen = made.ended(within=ENDS)
        until = time.monotonic() + ENDS
        while any(map(is_running, java_of(made.process.pid))) and time.monotonic() < until:
            time.sleep(0.1)
        assert java_of(made.process.pid) == []
    assert (code, says_nothing_else(screen)) == (143, True), screen
    assert says_last(screen, f"stopped (SIGTERM): {GOES_ON}")
    assert not files.exists(lease.NAME)
    assert not (Path(tempfile.gettempdir()) / log).exists()
