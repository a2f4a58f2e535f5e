"""The summary of a run: its seconds add up, its rates mean something, and its warnings are told."""

import io
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

import run
from cli.json_console import JsonConsole
from cli.output import run_tables, warning_lines
from lake.run_clock import END, START, RunClock
from lake.run_journal import RATED_FROM, LayerRun, RuleWarning, Run

PROJECT = Path(run.__file__).parent
RUN = Run("20261127T183900.226Z-de0eec92", "code", "settings")


def layer(name, *, after, seconds, photos=57, **more):
    started = datetime.now(UTC) + timedelta(seconds=after)
    ended = started + timedelta(seconds=seconds)
    return LayerRun(name, started, ended, {"in": photos, "kept": photos} if photos else {}, **more)


def clock(*, ago):
    return RunClock(begun=datetime.now(UTC) - timedelta(seconds=ago))


def shown(done, clock, width=80):
    printed = io.StringIO()
    run_tables.summary(Console(file=printed, width=width), done, run=RUN, clock=clock)
    return printed.getvalue()


def row(screen, name):
    """The cells of a row of the table."""
    [line] = [line for line in screen.splitlines() if re.match(rf"│ {name} ", line)]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_seconds_add_up_to_the_time_of_the_whole_run():
    """The run began 164 s ago; its layers worked 108 of them, with a second between two of them."""
    done = [layer("bronze", after=-120, seconds=30), layer("gold", after=-89, seconds=78)]
    timed = clock(ago=164)
    timed.parts = {START: {"Java and Spark": 40.0, "lease": 0.01}, END: {"Data Docs": 3.0}}
    screen = shown(done, timed)
    seconds = {
        name: float(row(screen, name)[4]) for name in (START, "bronze", "gold", END, "total")
    }
    assert seconds == {START: 44, "bronze": 30, "gold": 78, END: 12, "total": 164}
    assert f"{START}: Java and Spark 40.0 s\n" in screen
    assert f"{END}: Data Docs 3.0 s\n" in screen


@pytest.mark.parametrize(
    ("photos", "seconds", "rate"),
    [(57, 120, None), (RATED_FROM - 1, 1, None), (RATED_FROM, 400, "2.5"), (10_000, 500, "20")],
)
def test_a_rate_is_shown_where_it_means_something(photos, seconds, rate):
    done = [layer("silver", after=-seconds, seconds=seconds, photos=photos)]
    screen = shown(done, clock(ago=seconds))
    assert ("photos/s" in screen) is (rate is not None)
    if rate:
        assert row(screen, "silver")[5] == rate
        assert "photos/s: over all seconds of a layer, with its gates and commits\n" in screen
    assert " 0 photos/s" not in screen


def test_a_log_has_the_same_seconds(capsys):
    done = [layer("silver", after=-5, seconds=4)]
    run_tables.summary(JsonConsole(level="info"), done, run=RUN, clock=clock(ago=8))
    [event] = map(json.loads, capsys.readouterr().out.splitlines())
    assert event["event"] == "run"
    assert event["seconds"] == pytest.approx({START: 3, "silver": 4, END: 1, "total": 8}, abs=0.1)


def warning(**more):
    words = {"table": "bronze/photos", "rule": "taken-since-1990", "says": "are old"}
    return RuleWarning(**{**words, "remedy": "Do nothing.", "photos": 57, "chunk": 1, **more})


DRIFTED = {"table": "gold/features", "rule": "drift-of-labels", "says": "are of other kinds"}


def test_warnings_say_which_rule_how_many_photos_and_what_to_do():
    rows = [warning(failing=3), warning(failing=1, photos=10, chunk=4)]
    whole = [warning(**DRIFTED, observed=value, bound="at most 0.25") for value in (0.3, 0.61)]
    done = [layer("silver", after=-5, seconds=4, warnings=rows)]
    done += [layer("gold", after=-1, seconds=1, warnings=whole)]
    lines = shown(done, clock(ago=8)).splitlines()
    assert "2 rules warn; nothing was held back for it:" in lines
    assert (
        "warning: bronze/photos: 4 of 67 photos of chunks 1, 4 are old. Do nothing. (rule "
        "taken-since-1990)" in lines
    )
    assert (
        "warning: gold/features: 114 photos of chunk 1 are of other kinds: 0.61, where at most 0.25 is "
        "good. Do nothing. (rule drift-of-labels)" in lines
    )


@pytest.mark.parametrize(
    ("table", "rows"),
    [("gold/models", "model versions"), ("silver/embeddings", "photos"), ("ops/runs", "rows")],
)
def test_a_warning_names_what_its_table_holds(table, rows):
    [line] = warning_lines.told([warning(table=table, failing=2, chunk=None)])
    assert line.startswith(f"{table}: 2 of 57 {rows} are old.")


def test_the_worst_of_several_chunks_is_the_lowest_where_a_bound_is_a_least():
    found = [warning(observed=value, bound="at least 0.5") for value in (0.4, 0.1)]
    [line] = warning_lines.told(found)
    assert "0.10, where at least 0.5 is good" in line


def test_no_warning_is_no_line():
    assert "warn" not in shown([layer("silver", after=-5, seconds=4)], clock(ago=8))


@pytest.mark.process
def test_the_total_is_what_a_clock_on_the_wall_shows(copied):
    """From the start of the process to its end, within a second and what a busy machine adds."""
    paths = ("--landing", str(copied.landing), "--lake", copied.files.root)
    words = [sys.executable, str(PROJECT / "run.py"), "--layer", "all", *paths]
    started = time.monotonic()
    ended = subprocess.run(words, capture_output=True, text=True, check=True, cwd=copied.root)
    seconds = time.monotonic() - started
    assert seconds - 1.5 < float(row(ended.stdout, "total")[4]) <= seconds + 0.1
    assert "Python and settings" in ended.stdout
    assert "Try next" not in ended.stdout
