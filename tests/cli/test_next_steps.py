"""The end of a first run: three commands that can be copied, and where what was written lies."""

import argparse
import io
import shlex

import pytest
from rich.console import Console

from cli.output import next_steps, places
from cli.parser import parse
from conf.settings import Settings
from lake import secret_places


def shown(*words, program="run.py", monkeypatch):
    monkeypatch.setattr("sys.argv", [program])
    printed = io.StringIO()
    next_steps.show(Console(file=printed, width=80), parse(words), key_file=None)
    head, *lines = printed.getvalue().splitlines()
    assert head == "Try next:"
    return [line.partition("  # ")[0].strip() for line in lines]


def test_a_lake_in_its_usual_place_needs_no_options(monkeypatch):
    calls = shown("--layer", "all", "--samples", "60", monkeypatch=monkeypatch)
    assert [call.split()[-1] for call in calls] == ["status", "report", "train"]
    assert all(call.split()[-2] == "run.py" for call in calls)


def test_the_key_file_that_must_not_be_lost_is_named(tmp_path):
    printed = io.StringIO()
    settings = Settings.load("local", environment={}, overrides=[f"paths.lake={tmp_path}/lake"])
    key_file = secret_places.key_file(settings.subjects.key, lake=settings.paths.lake)
    words = parse(["--layer", "all"])
    next_steps.show(Console(file=printed, width=80), words, key_file=key_file)
    line, head, *_ = printed.getvalue().splitlines()
    secret_places.load(settings.subjects.key, lake=settings.paths.lake, make=True)
    assert key_file.is_file()
    assert f"key of this lake is in {key_file}: keep a copy of it" in line
    assert head == "Try next:"
    assert secret_places.key_file("env:KEY", lake="lake") is None


def test_the_options_that_a_lake_elsewhere_needs_can_be_copied(monkeypatch):
    given = [
        "--lake",
        "my lake",
        "--conf",
        "emr",
        "--set",
        "pca.components=5",
        "--set",
        "chunks.max_photos=9",
    ]
    words = ["--layer", "all", "--landing", "photos", *given, "--extractor", "mobilenet_v2"]
    for call in shown(*words, program="/usr/bin/fruit-lake", monkeypatch=monkeypatch):
        program, _, *options = shlex.split(call)
        assert program == "fruit-lake"
        assert sorted(options) == sorted([*given, "--extractor", "mobilenet_v2"])
        again = parse([*shlex.split(call)[1:]])
        assert (again.lake, again.set) == ("my lake", ["pca.components=5", "chunks.max_photos=9"])


def test_a_secret_of_a_setting_is_not_repeated(monkeypatch):
    secret = "spark.config.spark.hadoop.fs.s3a.secret.key=XYZ"
    calls = shown(
        "--layer", "all", "--set", secret, "--set", "pca.components=5", monkeypatch=monkeypatch
    )
    for call in calls:
        assert "XYZ" not in call
        assert "spark.config.spark.hadoop.fs.s3a.secret.key=…" in call
        assert "pca.components=5" in call


def test_the_python_of_a_project_is_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv/bin/python"))
    [first, *_] = shown("--layer", "all", monkeypatch=monkeypatch)
    assert first == ".venv/bin/python run.py status"


@pytest.mark.parametrize(
    ("address", "whole"),
    [("report.html", "{here}/report.html"), ("s3://bucket/lake/docs/x", "s3://bucket/lake/docs/x")],
)
def test_a_place_is_a_whole_address(address, whole, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    places.show(Console(file=printed, width=20), "report", address, " (1 MB)")
    assert printed.getvalue() == f"report: {whole.format(here=tmp_path)} (1 MB)\n"


def test_a_terminal_gets_a_link(tmp_path):
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=True, width=20, color_system="standard")
    places.show(console, "report", str(tmp_path / "a b.html"))
    assert f";{(tmp_path / 'a b.html').as_uri()}\x1b\\" in printed.getvalue()
    assert str(tmp_path / "a b.html") in printed.getvalue()


def test_words_without_options_are_none():
    assert next_steps.options_of(argparse.Namespace()) == []
