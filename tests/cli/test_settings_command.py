"""The command `settings`: each setting in force, its meaning and its source, as a settings file."""

import json
import os
import tomllib

import pytest

import run
from cli.parser import parse
from cli.setting_flags import overrides
from conf import setting_files
from conf.setting_schema import fields, meaning
from conf.settings import Settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in os.environ:
        if name.startswith("FRUIT_LAKE"):
            monkeypatch.delenv(name)


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys, no_spark):
    """What the command prints, and nothing else."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = run.main(["settings", *words])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return printed.out

    return call


FILES = {
    "own": "[pca]\nvariance = 0.5\n[spark.config]\n'a.b' = 'x=y \"z\" \\ :apple: Äpfel\U0001f34f'\n",
    "cluster": "base = 'emr'\n[refit]\ngrowth = inf\n[emr]\nsubnets = ['s-1', 's-2']\ntask_nodes = 0\n",
    "chain": "base = 'cluster.toml'\n[chunks]\nmax_photos = 1_234_567\n",
}


@pytest.fixture
def files(tmp_path):
    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    alone = (
        (setting_files.HERE / "emr.toml").read_text().replace("small_files = 50", "small_files = 9")
    )
    (tmp_path / "alone.toml").write_text(alone)
    return tmp_path


@pytest.mark.parametrize("changed", [[], ["--changed"]])
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--conf", "emr"],
        *(["--conf", f"{name}.toml"] for name in [*FILES, "alone"]),
        ["--set", "pca.variance=0.25", "--lake", "a\t\x7f b#", "--set", "spark.config.a.b=c"],
        ["--conf", "own.toml", "--set", "pca.components=4"],
        ["--conf", "alone.toml", "--set", "pca.variance=0.25", "--set", "paths.docs="],
    ],
    ids=" ".join,
)
def test_what_it_prints_is_a_file_with_the_same_settings(shown, files, words, changed):
    """From wherever the file lies."""
    conf = words[1] if words[:1] == ["--conf"] else "local"
    parsed = parse(["settings", *words])
    in_force = Settings.load(conf, environment={}, overrides=overrides(parsed))
    (files / "deep").mkdir()
    saved = files / "deep" / "saved.toml"
    saved.write_text(shown(*words, *changed))
    again = Settings.load(str(saved), environment={})
    assert again == in_force
    assert again.digest == in_force.digest


def test_each_setting_has_its_meaning_above_and_its_source_behind(shown, files, monkeypatch):
    monkeypatch.setenv("FRUIT_LAKE__GATES__COUNTED_FROM", "3")
    told = shown("--conf", "own.toml", "--lake", "there", "--set", "lease.seconds=5")
    lines = told.splitlines()
    for line in [
        "variance = 0.5  # from own.toml",
        "# components is not set.",
        "scale = false  # default",
        "counted_from = 3  # from FRUIT_LAKE__GATES__COUNTED_FROM",
        'lake = "there"  # from --lake',
        "seconds = 5.0  # from --set",
        "max_bytes = 5_000_000_000  # from local",
        '"spark.sql.shuffle.partitions" = "2"  # from local',
    ]:
        assert line in lines
    plain = " ".join(told.replace("\n# ", " ").split())
    for key, field in fields(Settings).items():
        assert key.startswith("emr.") or meaning(field) in plain
    assert "# [emr] is not set" in told
    assert max(len(line) for line in lines if line.startswith("#")) < 80


def test_a_section_is_shown_alone(shown):
    told = tomllib.loads(shown("pca", "gates", "--conf", "emr"))
    assert told.keys() == {"base", "pca", "gates"}
    assert told["base"] == "emr"
    assert told["pca"] == {"components": 20, "scale": False}
    assert tomllib.loads(shown("spark"))["spark"]["config"]["spark.driver.memory"] == "3g"


def test_changed_shows_only_what_differs_from_the_base(shown, files):
    told = shown("--changed", "--conf", "chain.toml", "--set", "lease.seconds=60")
    assert tomllib.loads(told) == {
        "base": "emr",
        "chunks": {"max_photos": 1_234_567},
        "refit": {"growth": float("inf")},
        "emr": {"subnets": ["s-1", "s-2"], "task_nodes": 0},
    }
    assert tomllib.loads(shown("--changed")) == {"base": "local"}
    assert "Nothing here differs from the base." in shown("--changed", "pca", "--lake", "x")
    alone = tomllib.loads(shown("--changed", "--conf", "alone.toml", "--lake", "x"))
    assert alone == {"base": str(files / "alone.toml"), "paths": {"lake": "x"}}


def test_a_file_that_stands_alone_is_shown_as_one_that_does(shown, files):
    told = shown("--conf", "alone.toml")
    (files / "alone.toml").unlink()
    (files / "saved.toml").write_text(told)
    assert tomllib.loads(told)["base"] == ""
    assert Settings.load("saved.toml", environment={}).compaction.small_files == 9


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("spark.config.spark.hadoop.fs.s3a.secret.key=hush", "spark.hadoop.fs.s3a.secret.key"),
        ("spark.config.spark.hadoop.fs.s3a.access.key=hush", "spark.hadoop.fs.s3a.access.key"),
        ("spark.config.spark.driver.extraJavaOptions=-Dmy.password=hush", "spark.driver.extraJava"),
        ("spark.config.spark.jars.repositories=https://me:hush@host/", "spark.jars.repositories"),
        ("subjects.key=hush", "key"),
        ("spark.packages=https://me:hush@host/x", "packages"),
    ],
)
@pytest.mark.parametrize("log", [[], ["--log", "json"]])
def test_a_secret_is_not_shown(shown, override, name, log):
    told = shown("--set", override, *log)
    assert "hush" not in told
    assert name in told
    if not log:
        assert "is set (from --set) and not shown here, because it may be a secret." in told
        tomllib.loads(told)


def test_in_a_log_each_setting_is_an_event(shown):
    told = [
        json.loads(line)
        for line in shown("pca", "--log", "json", "--set", "pca.scale=true").splitlines()
    ]
    assert {each["event"] for each in told} == {"setting"}
    known = {each["key"]: (each["value"], each["source"]) for each in told}
    assert known == {
        "pca.components": (20, "local"),
        "pca.variance": (None, "default"),
        "pca.scale": (True, "--set"),
    }
    assert told[0]["meaning"].startswith("The number of components.")


def test_a_section_that_is_none_is_refused(capsys):
    assert run.main(["settings", "pca", "gatess"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "error: There is no section gatess; did you mean gates?\n"


def test_settings_that_are_wrong_end_with_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text("[pca]\ncomponets = 3\ncomponents = 'x'\n")
    assert run.main(["settings", "--conf", "my.toml", "--set", "silver.bach=3"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0] == "error: The settings have 3 errors; put each right:"
    assert lines[1] == "  my.toml: unknown key pca.componets; did you mean pca.components?"
    assert lines[3] == "  my.toml: pca.components = 'x': give a whole number above 0."


def test_a_cluster_without_settings_is_told_where_they_are(capsys):
    assert run.main(["emr", "status", "--conf", "local"]) == 2
    assert 'use --conf emr, or begin your file with base = "emr".' in capsys.readouterr().err
