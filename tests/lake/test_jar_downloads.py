"""Processes that start Spark on a new machine: one downloads its jars, and the others wait for it."""

import select
import subprocess
import sys

import pytest

from conf.errors import BadInput
from lake import jar_downloads

PACKAGES = "io.delta:delta-spark_2.13:4.0.1, org.apache.hadoop:hadoop-aws:3.4.1"
JARS = ("io.delta_delta-spark_2.13-4.0.1.jar", "org.apache.hadoop_hadoop-aws-3.4.1.jar")

STARTS = """
import sys
from lake import jar_downloads
with jar_downloads.in_turn(*sys.argv[1:]):
    print("its turn", flush=True)
    sys.stdin.read()
"""


def started(cache):
    return subprocess.Popen(
        [sys.executable, "-c", STARTS, PACKAGES, str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_where_every_jar_is_there_processes_start_side_by_side(tmp_path):
    (tmp_path / "jars").mkdir()
    for jar in JARS:
        (tmp_path / "jars" / jar).touch()
    with started(tmp_path) as first, started(tmp_path) as second:
        assert first.stdout.readline() == second.stdout.readline() == "its turn\n"
        first.communicate(), second.communicate()


@pytest.mark.parametrize("jars", [JARS[:1], ()])
def test_where_a_jar_is_missing_the_second_process_waits_for_the_first(tmp_path, jars):
    (tmp_path / "jars").mkdir()
    for jar in jars:
        (tmp_path / "jars" / jar).touch()
    with started(tmp_path) as first:
        assert first.stdout.readline() == "its turn\n"
        with started(tmp_path) as second:
            assert not select.select([second.stdout], [], [], 2)[0]
            first.communicate()
            assert second.communicate(timeout=60)[0] == "its turn\n"


def test_a_process_that_is_killed_lets_the_next_one_start(tmp_path):
    with started(tmp_path) as first:
        assert first.stdout.readline() == "its turn\n"
        first.kill()
    with started(tmp_path) as second:
        assert second.communicate(timeout=60)[0] == "its turn\n"


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"spark\.config: the folder .*file/ivy.*spark\.jars\.ivy"):
        jar_downloads.in_turn(PACKAGES, str(tmp_path / "file" / "ivy")).__enter__()
