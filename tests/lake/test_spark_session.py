"""Java and the jars: what a machine lacks is said in one sentence."""

import os
import subprocess
import sys

import pytest
from pyarrow import parquet

from conf.errors import BadInput
from lake import spark_session


def fake_java(folder, version):
    (folder / "bin").mkdir(parents=True)
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ['openjdk version "17.0.15" 2025-04-15', 'java version "21"'])
def test_javas_that_spark_runs_on_are_taken(tmp_path, monkeypatch, version):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    spark_session._check_java()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ('openjdk version "11.0.2" 2019', "is Java 11: install one, or set JAVA_HOME"),
        ('java version "1.8.0_301"', "is Java 1:"),
        ("garbage", "no Java that tells its version"),
    ],
)
def test_a_wrong_java_is_named(tmp_path, monkeypatch, version, message):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, version)))
    with pytest.raises(BadInput, match=message):
        spark_session._check_java()


def test_a_missing_java_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BadInput, match="holds no bin/java: install a JDK"):
        spark_session._check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="there is no java on the PATH"):
        spark_session._check_java()


def test_output_goes_to_the_log_and_comes_back(tmp_path, capfd):
    with spark_session._output_to(tmp_path / "log"):
        os.write(1, b"to the log\n")
        os.write(2, b"this too\n")
    os.write(1, b"to the terminal\n")
    assert (tmp_path / "log").read_text() == "to the log\nthis too\n"
    assert capfd.readouterr().out == "to the terminal\n"


def test_row_groups_are_bounded_by_bytes_also_where_large_photos_follow_small_ones(spark, tmp_path):
    """A reader takes a whole group into memory. 300 rows of 1 KB, then 24 of 4 MB, in one file."""
    rows = spark.range(0, 324, numPartitions=1).selectExpr(
        "cast(repeat(cast(id % 10 as string), if(id < 300, 1 << 10, 1 << 22)) as binary) as content"
    )
    target = str(tmp_path / "rows")
    rows.write.option("compression", "none").option("parquet.enable.dictionary", "false").parquet(
        target
    )
    [file] = (tmp_path / "rows").glob("*.parquet")
    metadata = parquet.ParquetFile(file).metadata
    sizes = [metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)]
    assert sum(sizes) > 24 << 22
    assert max(sizes) < (8 + 4 + 1) << 20


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder for temporary files."""
    monkeypatch.setattr(spark_session.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def written(place, name):
    """A working folder with a broadcast, and a log, of a process."""
    (place / name).mkdir()
    (place / name / "broadcast").write_bytes(b"subject=canary")
    (place / f"{name}.log").write_text("canary")
    return {name, f"{name}.log"}


def test_what_killed_processes_left_behind_is_removed(place):
    """Also where another process got the number since. Of earlier code's names the number alone tells."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    first, pid = spark_session.LEFT_BEHIND, os.getpid()
    gone = [f"{first}{dead.pid}-123", f"{first}{dead.pid}", f"{first}{pid}-1"]
    kept = [spark_session.working_folder().name, f"{first}{pid}", f"{first}notes"]
    assert spark_session.log_file().name == f"{kept[0]}.log"
    removed = set().union(*(written(place, name) for name in gone))
    left = set().union(*(written(place, name) for name in kept))
    assert {path.name for path in spark_session.left_behind()} == removed
    assert spark_session.sweep() == []
    assert {path.name for path in place.iterdir()} == left


def test_what_can_not_be_removed_of_a_killed_process_is_told(place, monkeypatch):
    name = f"{spark_session.LEFT_BEHIND}{os.getpid()}-1"
    written(place, name)
    monkeypatch.setattr(spark_session.shutil, "rmtree", lambda path, ignore_errors: None)
    assert spark_session.sweep() == [place / name]


def test_broadcasts_lie_in_the_folder_of_the_process(spark):
    folder = spark_session.working_folder()
    before = set(folder.rglob("*"))
    broadcast = spark.sparkContext.broadcast(b"x" * 100)
    new = set(folder.rglob("*")) - before
    assert any(path.is_file() and b"x" * 100 in path.read_bytes() for path in new)
    broadcast.destroy()
