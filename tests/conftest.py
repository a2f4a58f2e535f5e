"""One Spark session, one converted flatbuffer and one undisturbed lake for the whole suite."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from botocore.loaders import JSONFileLoader

import run
from benchmarks.chromium import ALONE, found
from conf.settings import Settings
from lake import fault_points, spark_session
from lake.samples.sample_photos import write_samples
from silver import model_artifact
from tests.support import reported_lake
from tests.support.installed_package import install
from tests.support.place import Place, SamplesLake
from tests.support.processes import LEASE_SECONDS
from tests.support.real_photos import PHOTOS
from tests.support.s3_server import Server
from tests.support.shared_lakes import made_once

SAMPLES = 60


def pytest_configure():
    """Give the suite's processes, which share the cores, one thread each for linear algebra.

    Threads of OpenBLAS wait for one another by spinning: two processes with two threads each took three times
    as long for the same fits as with one.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # A busy machine fails no test: no example of hypothesis has a time in which it must end.
    hypothesis.settings.register_profile("suite", deadline=None)
    hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items):
    """Mark the tests that need the suite's Spark session, so that the others can run alone; order the files.

    Files of long tests come first, so that both processes of the suite are busy to its end; those that load
    TensorFlow come late, as it keeps gigabytes.
    """
    marks = {item.path: set() for item in items}
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)
        marks[item.path] |= {mark.name for mark in item.iter_markers()}
    items.sort(key=lambda item: _turn(marks[item.path]))


def _turn(marks):
    """Return when a file with tests of these marks has its turn: the lowest number comes first."""
    if "process" in marks:
        return 0
    if "tensorflow" in marks:
        return 2
    return 1 if "spark" in marks else 3


BAD = ("error", "warning")
"""Lines of a page's console that it must not have."""


@pytest.fixture(scope="session")
def spark(s3_server):
    """The one session, which every run of the suite gets.

    It lives for many runs, so Java's second compiler pays: a quarter of their time. Delta keeps the logs of
    all tables that were used in the last hour, and Spark the plans of the last thousand queries for its page:
    those of hundreds of lakes take more memory than those of one.

    That compiler waits until a method was called five times as often as by Java's default: for queries that
    come a few times, it took half of the time of the cores. What is compiled has room for good.
    """
    options = (
        "-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m -XX:Tier4InvocationThreshold=25000 "
        "-XX:Tier4MinInvocationThreshold=3000 -XX:Tier4CompileThreshold=75000 "
        "-XX:Tier4BackEdgeThreshold=200000"
    )
    java = (
        f"spark.config.spark.driver.extraJavaOptions={options}",
        "spark.config.spark.driver.memory=2g",
        "spark.config.spark.databricks.delta.delta.log.cacheSize=16",
        "spark.config.spark.sql.ui.retainedExecutions=1",
    )
    settings = Settings.load("local", environment={}, overrides=[*java, *s3_server.session])
    with (
        spark_session.running(settings.spark, lake="") as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(spark_session, "running", lambda *_, **__: nullcontext(started))
        yield started
    threads = [type(thread).__name__ for thread in threading.enumerate()]
    assert "FinalizerWorker" in threads, "a test ended this thread of Py4J: Java kept every object"


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3 on this machine, which starts with the first test that needs it."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The server, as what boto3 and delta-rs find S3 to be."""
    with s3_server.used(monkeypatch):
        yield s3_server


@pytest.fixture(scope="session", autouse=True)
def services_read_once():
    """botocore reads the description of a service anew for each session, a third of a second for EC2.

    Each is kept under its path: kept for each loader, they would take all memory.
    """
    read, loader = JSONFileLoader.load_file, JSONFileLoader()
    described = cache(lambda path: read(loader, path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: described(path))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_conversion(tmp_path_factory):
    """The same model is converted once for all lakes of the suite. Gives what begins one anew."""
    begin = model_artifact.begin

    class Once:
        def __init__(self, model, exact=None):
            self.model, self.exact = model, exact

        def result(self):
            def make(_):
                return {"result": begin(self.model, self.exact).result()}

            named = self.model.model_dump_json().encode() + (self.exact or b"")
            named = hashlib.sha256(named).hexdigest()
            return made_once(tmp_path_factory, f"model-{named[:16]}", make)[1]["result"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_artifact, "begin", Once)
        yield begin


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory, spark) -> Place:
    """An empty landing folder, and a lake of tables without rows."""

    def make(root):
        (root / "landing").mkdir()
        with Place.of(root, spark).writing():
            return {}

    root, _ = made_once(tmp_path_factory, "empty", make)
    return Place.of(root, spark)


@pytest.fixture
def place(empty_lake, tmp_path, spark) -> Place:
    """A copy of the empty lake and its landing folder: making its tables anew takes ten seconds."""
    shutil.copytree(empty_lake.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark)


@pytest.fixture(scope="session")
def samples_lake(tmp_path_factory, spark) -> SamplesLake:
    """The lake of the generated samples, never disturbed: tests that change it copy it first."""

    def make(root):
        write_samples(root / "landing", SAMPLES)
        place, points = Place.of(root, spark), []
        with fault_points.armed(points.append):
            did = place.run()
        return {"did": did, "points": points, "screen": place.screen}

    root, facts = made_once(tmp_path_factory, "samples", make)
    place = SamplesLake.of(root, spark)
    place.points, place.did = facts["points"], facts["did"]
    place.printed.write(facts["screen"])
    return place


@pytest.fixture
def copied(samples_lake, tmp_path, spark) -> Place:
    """A copy of the samples' lake, landing folder and key, with the files' times."""
    shutil.copytree(samples_lake.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark)


@pytest.fixture
def samples(samples_lake, tmp_path, spark) -> Place:
    """The samples' photos and key, their model as a package has it, and no lake."""
    shutil.copytree(samples_lake.landing, tmp_path / "landing")
    shutil.copy(samples_lake.root / "lake.key", tmp_path / "lake.key")
    lineage, content = model_artifact.convert(samples_lake.settings.model)
    flatbuffer = tmp_path / model_artifact.file_name(lineage.precision)
    flatbuffer.write_bytes(content)
    flatbuffer.with_suffix(".json").write_text(lineage.json())
    own = (f"lease.seconds={LEASE_SECONDS}", f"model.flatbuffer={flatbuffer}")
    return Place.of(tmp_path, spark, *own)


@pytest.fixture(scope="session")
def told(samples_lake, tmp_path_factory, spark) -> Place:
    """A lake with all that a report and a page tell of, never disturbed."""

    def make(root):
        shutil.copytree(samples_lake.root, root, dirs_exist_ok=True)
        reported_lake.make(Place.of(root, spark))
        return {}

    root, _ = made_once(tmp_path_factory, "told", make)
    return Place.of(root, spark)


@pytest.fixture(scope="session")
def photo(told) -> Path:
    """A photo of that lake's landing folder, with a label, of nobody."""
    files = sorted(told.landing.rglob("*.jpg"))
    return next(f for f in files if "subject=" not in str(f) and f.stat().st_size > 20_000)


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The folder into which pip has installed the product, away from its root."""
    root, _ = made_once(tmp_path_factory, "installed", lambda root: install(root) and {})
    return root / "installed"


@pytest.fixture
def no_spark(monkeypatch):
    """Whatever would start Spark fails."""

    def must_not_start(*_, **__):
        raise AssertionError("Spark was started")

    monkeypatch.setattr(spark_session, "running", must_not_start)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, spark):
    """The command line in this process: its exit code, and what it printed on both streams."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = run.main(words)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def real_photos() -> Path:
    """1,142 shop photos of 28 kinds of fruit, and a LICENSE."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos (../shared/photos) are not on this machine")
    return PHOTOS


@pytest.fixture(scope="session")
def chromium():
    """Headless Chromium, as Debian's package has it."""
    from playwright.sync_api import sync_playwright

    path = found()
    if path is None:
        if "CI" in os.environ:
            pytest.fail("there is no Chromium: .ci/run installs it")
        pytest.skip("there is no Chromium on this machine: install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ALONE)
        yield browser
        browser.close()


@pytest.fixture
def errors():
    """What a page had to complain of; at the end there must be nothing that a test did not expect."""
    said = []
    yield said
    assert said == []


@pytest.fixture
def page(chromium, errors):
    """A new page in the browser."""
    page = chromium.new_page()
    page.on("console", lambda line: errors.append(line.text) if line.type in BAD else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
