"""The package as somebody has it who ran `pip install .`: in another folder, without the project's root."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.archives import unpack
from tests.support.installed_package import python

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "tests" / "lakes" / "format-4.tar.gz"
HEAVY = {"pyspark", "delta", "tensorflow", "keras", "cli", "run", "emr", "great_expectations"}
SECONDS = 0.5
"""The most that `import fruit_lake` may take: it takes 0.04 s on a quiet machine, Spark's session 0.5 s."""

IMPORTS = """
import sys, time
begun = time.perf_counter()
import fruit_lake
print(time.perf_counter() - begun)
print(*{name.partition('.')[0] for name in sys.modules})
"""

READS_ALL = """
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuses())
import fruit_lake
lake = 'data/lake'
print(fruit_lake.features(lake, at=7).num_rows, fruit_lake.embeddings(lake).num_rows)
print(fruit_lake.photos(lake).num_rows, fruit_lake.models(lake).num_rows)
print(sum(batch.num_rows for batch in fruit_lake.photo_batches(lake)))
print(fruit_lake.model(lake).version, fruit_lake.model(lake, 'classifier').version)
"""

NOT_NEEDED = """pyspark delta scipy sklearn pandas pydantic rich boto3 botocore tensorflow keras PIL jinja2
great_expectations fastapi"""
"""What docs/readers.md says that reading a local lake doesn't need."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with no way to the project, and a lake in `data/lake`."""
    folder = tmp_path_factory.mktemp("elsewhere")
    unpack(ARCHIVE, folder)
    (folder / "data").mkdir()
    shutil.move(folder / "lake", folder / "data" / "lake")
    return folder


def blocks(page):
    """The blocks of Python on a page, in their order."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.DOTALL)


def test_it_is_imported_in_no_time_and_brings_nothing_heavy(installed, elsewhere):
    done = [python(IMPORTS, installed=installed, cwd=elsewhere) for _ in range(3)]
    assert [each.stderr for each in done] == [""] * 3
    assert min(float(each.stdout.split()[0]) for each in done) < SECONDS
    names = set(done[0].stdout.split()[1:])
    assert {"fruit_lake"} == names & {"fruit_lake", "pyarrow", "numpy", "deltalake", *HEAVY}


def test_it_carries_its_types(installed):
    assert (installed / "fruit_lake" / "py.typed").exists()


def test_reading_needs_arrow_delta_rs_and_numpy_alone(installed, elsewhere):
    done = python(READS_ALL, NOT_NEEDED, installed=installed, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:5] == ["23", "23", "35", "10", "35"]


@pytest.mark.parametrize("page", ["docs/readers.md", "docs/tables.md"])
def test_the_examples_of_the_pages_run(page, installed, elsewhere):
    code = "\n".join(blocks(page))
    checks = ""
    if page == "docs/readers.md":
        checks = """
assert (features.num_rows, len(frame), vectors.shape) == (23, 23, (23, 3))
assert sum(photos for _, photos in kinds.fetchall()) == 23
assert [count for _, count in of_models.fetchall()] == [23]
assert kiwis.num_rows > 5 and size > 10_000
assert projected.shape == (23, 3) and probabilities.shape == (23, 3)
assert before.num_rows == then.num_rows == 23
assert rows.num_rows > 23
"""
    done = python(code + checks, installed=installed, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("There is no lake in" in done.stdout) == (page == "docs/readers.md")


def test_polars_takes_the_tables(installed, elsewhere):
    code = "\n".join(blocks("docs/readers.md")[:2])
    code += """
assert frame.height == 23 and frame["features"].list.len().unique().to_list() == [3]
photos = polars.from_arrow(fruit_lake.photos(LAKE))
assert photos["sharpness"].null_count() == photos.height - 23
assert polars.from_arrow(fruit_lake.models(LAKE)).height == 10
"""
    done = python(code, installed=installed, cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_reads_last_ends_well(installed, elsewhere):
    """delta-rs' own way to Arrow aborts in about one of three (exit code 134), see docs/dependencies.md."""
    calls = [
        "features('data/lake')",
        "embeddings('data/lake', label='kiwi')",
        "photos('data/lake', limit=3)",
        "photo_batches('data/lake', rows=2).__next__()",
    ]
    lines = [f"import fruit_lake; fruit_lake.{call}" for call in calls]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda line: python(line, installed=installed, cwd=elsewhere), lines))
    assert {(each.returncode, each.stderr) for each in done} == {(0, "")}


@pytest.mark.parametrize(
    ("file", "content"),
    [("conf.py", "raise SystemExit"), ("lake/__init__.py", ""), ("gold/x.txt", "")],
)
def test_another_module_of_a_room_s_name_is_told(file, content, installed, tmp_path):
    """As a `conf.py` in the folder of somebody's notebook. It isn't executed."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    done = python("import fruit_lake", installed=installed, cwd=tmp_path)
    if file == "gold/x.txt":  # a folder without code hides no package
        assert (done.returncode, done.stderr) == (0, "")
        return
    room = file.removesuffix(".py").partition("/")[0]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: fruit_lake needs its own package {room} in {installed}")
    assert f"but Python finds {tmp_path / file} first; rename that one" in last


def test_a_room_that_is_missing_is_told(installed, tmp_path):
    shutil.copytree(installed / "fruit_lake", tmp_path / "alone" / "fruit_lake")
    done = python("import fruit_lake", installed=tmp_path / "alone", cwd=tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: fruit_lake can't find the package conf")
    assert last.endswith("install fruit-lake again.")


def test_only_what_it_offers_is_there(installed, elsewhere):
    code = (
        "import fruit_lake\nfor name in dir(fruit_lake): getattr(fruit_lake, name)\nfruit_lake.nope"
    )
    done = python(code, installed=installed, cwd=elsewhere)
    assert done.stderr.endswith("module 'fruit_lake' has no attribute 'nope'\n")
