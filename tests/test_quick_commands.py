"""Commands that write nothing start no Spark, commit nothing, and import nothing that they don't use."""

import os
import shutil
import subprocess
import sys
import time

import pytest

import run
from lake import catalog, delta_rs_reader
from silver import pixels, quarantine_replay
from tests.support import decoder_traps, driver_lake
from tests.support.driver_lake import MODEL, WORDS

HEAVY = ("scipy", "sklearn", "great_expectations", "tensorflow", "altair", "fastapi", "boto3")
"""Packages whose import takes from a third of a second to seconds."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake that is copied: making it takes a second."""
    root = tmp_path_factory.mktemp("driver") / "place"
    driver_lake.make(root)
    return root


@pytest.fixture
def call(made, tmp_path, monkeypatch, capsys, no_spark):
    """The command line over a lake on which nothing needs Spark: the exit code, what it printed, and the
    tables that it committed to."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def versions():
        return {t.name: delta_rs_reader.delta_table("lake", t).version() for t in catalog.TABLES}

    def called(*words):
        before = versions()
        code = run.main([*words, *WORDS, *(() if "--extractor" in words else MODEL)])
        printed = capsys.readouterr()
        after = versions()
        return code, printed.out + printed.err, {n for n in after if after[n] != before[n]}

    return called


RECORDED = {"ops/runs"}


@pytest.mark.parametrize(
    ("words", "code", "told", "written"),
    [
        (["status"], 0, "The sums agree", set()),
        (["models"], 0, "champion", set()),
        (["audit", "--subject", "anna"], 0, "recorded as", set()),
        (["retain", "--dry-run"], 0, "would go", set()),
        (["retain"], 0, "went", RECORDED),
        (["lift", "--subject", "nobody"], 2, "nothing to lift", RECORDED),
        (["restore", "--table", "gold/features", "--version", "99"], 2, "no version 99", RECORDED),
        (["erase", "--verify", "R-1"], 0, "nothing of it was found", set()),
        (["replay"], 0, "decoded again and refused for the same reason as before: 1", RECORDED),
        (["replay", "--reason", "blank"], 0, "1 blank", RECORDED),
        (["replay", "--reason", "blink"], 2, "did you mean blank?", RECORDED),
        (["replay", "--chunk", "3", "--quarantine"], 2, "Chunk 3 is not blocked", RECORDED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_with_nothing_to_do_needs_no_spark(call, words, code, told, written):
    got, printed, committed = call(*words)
    assert told in printed
    assert (got, committed) == (code, written)


def test_tombstones_leave_a_lake_and_enter_it_without_spark(call):
    code, printed, written = call("tombstones", "export", "file")
    assert (code, "tombstones were exported to file" in printed, written) == (0, True, set())
    code, printed, written = call("tombstones", "import", "file")
    assert (code, "0 tombstones were imported" in printed, written) == (0, True, RECORDED)
    assert call("lift", "--subject", "bruno")[0] == 0
    code, printed, _ = call("tombstones", "export", "missing/file")
    assert (code, "missing/file can't be written" in printed) == (2, True)
    code, printed, _ = call("tombstones", "import", "missing")
    assert (code, "missing can't be read" in printed) == (2, True)


def test_to_promote_the_champion_commits_nothing_to_its_table(call):
    rows = delta_rs_reader.rows("lake", catalog.MODELS)
    for kind in ("pca", "classifier"):
        [champion] = [r for r in rows if (r["kind"], r["status"]) == (kind, "champion")]
        code, printed, written = call("models", "--promote", champion["version"])
        assert (code, written) == (0, RECORDED)
        assert f"{champion['version']} is the champion of its model already" in printed


def test_a_photo_that_another_limit_refuses_for_another_reason_is_replayed(call):
    code, printed, _ = call("replay", "--set", "photos.min_side=64")
    assert code == 1
    assert "Spark was started" in printed


def test_a_photo_that_another_decoder_lets_pass_is_replayed(call, monkeypatch):
    monkeypatch.setattr(pixels, "decode", decoder_traps.black)
    code, printed, _ = call("replay")
    assert code == 1
    assert "Spark was started" in printed


@pytest.mark.parametrize("bound", ["FEW_PHOTOS", "FEW_BYTES", "MOST_ROWS"])
def test_what_is_too_much_for_one_process_is_replayed(call, monkeypatch, bound):
    monkeypatch.setattr(quarantine_replay, bound, 0)
    assert "Spark was started" in call("replay")[1]


def test_an_empty_quarantine_is_told_without_a_model(call):
    """No photo was refused for a model that the lake lacks; it is not converted to learn that."""
    code, printed, written = call("replay", "--extractor", "efficientnet_lite0")
    assert (code, written) == (0, RECORDED)
    assert "no photo is quarantined: there is nothing to replay" in printed


@pytest.mark.parametrize(("days", "is_searched"), [(6, False), (8, True)])
@pytest.mark.parametrize("words", [["retain", "--dry-run"], ["retain"]], ids=" ".join)
def test_delta_searches_for_old_files_where_a_file_is_old_enough(
    call, tmp_path, words, days, is_searched
):
    """A file that no version has, beside the table: the retention is 7 days."""
    stray = tmp_path / "lake/bronze/photos/part-stray.parquet"
    stray.write_bytes(b"")
    written = time.time() - days * 86_400
    os.utime(stray, (written, written))
    assert ("Spark was started" in call(*words)[1]) == is_searched


def test_a_command_imports_what_it_uses():
    script = f"import sys, run; print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_report_reads_bounds_without_great_expectations():
    script = (
        "import sys; from report import report_facts; print(sorted(report_facts._bounds()));"
        "print('great_expectations' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    bounds, is_imported = done.stdout.split("\n")[:2]
    assert "mean_shift" in bounds
    assert is_imported == "False"
