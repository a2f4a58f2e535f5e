"""Reading with delta-rs and Arrow: what comes back, and that a process which has read ends as it should."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake
from pyarrow import fs

from lake import catalog, delta_rs_reader, small_tables
from lake.delta_log import CREDENTIALS_LAST, DeltaLog

PROJECT = Path(__file__).resolve().parents[2]
FILES = 30

READS_AND_ENDS = """
import sys
from lake import catalog, delta_rs_reader
print(len(delta_rs_reader.rows(sys.argv[1], catalog.DRIFT)))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A lake's root with a table of many small files, as a journal has them."""
    root = str(tmp_path_factory.mktemp("lake"))
    small_tables.create(root, catalog.DRIFT, {})
    for number in range(FILES):
        rows = [{"weights_id": f"w{number % 2}", "chunk": number, "components": [1.0, number]}]
        rows = small_tables.arrow_rows(catalog.DRIFT, rows)
        write_deltalake(f"{root}/{catalog.DRIFT.name}", rows, mode="append")
    return root


def test_a_table_in_s3_is_opened_anew_before_its_credentials_end(monkeypatch):
    """Those of a role end within hours, and a run may take longer."""
    opened, now = [], [1000.0]

    class Table:
        def __init__(self, root, table):
            opened.append(root)

        def update_incremental(self):
            pass

    monkeypatch.setattr(delta_rs_reader, "delta_table", Table)
    monkeypatch.setattr("lake.delta_log.monotonic", lambda: now[0])
    for root, times in (("s3://bucket/lake", 2), ("/lake", 1)):
        opened.clear()
        log = DeltaLog(root, catalog.DRIFT)
        for seconds in (0, 10, CREDENTIALS_LAST, 10):
            now[0] += seconds
            log.table()
        assert opened == [root] * times


def test_rows_come_back_whole_by_column_and_by_condition(root):
    assert len(delta_rs_reader.rows(root, catalog.DRIFT)) == FILES
    of_one = delta_rs_reader.rows(
        root, catalog.DRIFT, columns=["chunk"], where=pc.field("weights_id") == "w1"
    )
    assert sorted(row["chunk"] for row in of_one) == list(range(1, FILES, 2))
    last = {"last": pc.list_element(pc.field("components"), 1)}
    found = delta_rs_reader.rows(root, catalog.DRIFT, columns=last, where=pc.field("chunk") > 27)
    assert sorted(row["last"] for row in found) == [28.0, 29.0]
    assert delta_rs_reader.counts(root, catalog.DRIFT, "weights_id") == {("w0",): 15, ("w1",): 15}


def test_what_a_merge_of_delta_rs_wrote_is_found_by_a_text(root):
    """It writes strings as views, by which Arrow can't filter a file."""
    known = delta_rs_reader.delta_table(root, catalog.DRIFT)
    changed = [{"weights_id": "merged", "chunk": 99}]
    small_tables.put(known, None, table=catalog.DRIFT, rows=changed, keys=["chunk"])
    try:
        where = pc.field("weights_id") == "merged"
        [row] = delta_rs_reader.rows(root, catalog.DRIFT, where=where)
        assert row["chunk"] == 99
    finally:
        known.delete("chunk = 99")


def test_no_thread_of_arrow_is_ever_in_python(root):
    """delta-rs' own file system is written in Python: a process that ends while one of Arrow's threads holds
    a file of it aborts."""
    found = delta_rs_reader.dataset(delta_rs_reader.delta_table(root, catalog.DRIFT))
    assert isinstance(found.filesystem, fs.SubTreeFileSystem)
    assert isinstance(found.filesystem.base_fs, fs.LocalFileSystem)
    rooms = [path for path in PROJECT.glob("*/__init__.py") if path.parent.name != "tests"]
    modules = [module for room in rooms for module in room.parent.rglob("*.py")]
    outside = [path.name for path in modules if "to_pyarrow" in path.read_text()]
    assert outside == ["delta_rs_reader.py"]
    with_threads = {path.name for path in modules for call in calls(path) if reads_ahead(call)}
    assert with_threads == {"delta_rs_reader.py"}, "a file that is an object of Python"


def calls(path):
    """The calls in a module."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, ast.Call)]


def reads_ahead(call):
    """Whether a call lets Arrow's threads read a Parquet file."""
    options = {each.arg: ast.unparse(each.value) for each in call.keywords}
    is_whole = ast.unparse(call.func) == "file.read" and "columns" in options
    is_read = is_whole or ast.unparse(call.func).endswith(".iter_batches")
    return is_read and options.get("use_threads") != "False"


@pytest.mark.process
def test_fifty_processes_that_read_and_end_all_end_well(root):
    """With delta-rs' own file system, about one in eight ended with the exit code 134."""

    def run(_):
        words = [sys.executable, "-c", READS_AND_ENDS, root]
        return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(run, range(50)))
    assert {(each.returncode, each.stdout, each.stderr) for each in ended} == {(0, "30\n", "")}


def test_batches_skip_nothing_and_keep_their_condition(root):
    table = delta_rs_reader.delta_table(root, catalog.DRIFT)
    batches = delta_rs_reader.batches(table, columns=["chunk"], where=pc.field("chunk") >= 20)
    assert sorted(pa.Table.from_batches(batches)["chunk"].to_pylist()) == list(range(20, FILES))
