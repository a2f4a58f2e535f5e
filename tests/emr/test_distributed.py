"""Runs of a package, with driver and executors in processes of their own that have only Spark.

The checkout is on nobody's path, and the environment has no package but Spark's. What YARN would do is done
by hand: the package lies unpacked in the working folder of the driver, and Spark unpacks it for executors.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import py4j
import pyspark
import pytest

from conf.settings import EmrSettings, Settings
from emr import package, package_archive
from emr.package import Package
from lake import catalog
from lake.samples.sample_photos import write_samples
from report.lake_counts import sums
from tests.support.archives import unpack
from tests.support.place import Place
from tests.support.real_photos import PHOTOS
from tests.support.table_contents import repeated, same_tables

pytestmark = pytest.mark.process

MASTER = "local-cluster[2,1,1024]"
"""Two executors of one core and 1,024 MB, each a process of its own."""

STARTS = 180
"""The seconds that a test waits for something in a run, on a busy machine."""

LASTS = 600
"""The seconds after which a run hangs: it takes a minute and a half."""

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cluster:
    """An environment that has only Spark, and a package that was made and unpacked."""

    environment: Path
    work: Path
    settings: Settings
    own: EmrSettings
    built: package.BuiltPackage

    def command(self, place: Place, main: str) -> list[str]:
        """The command that submits a run to YARN, changed to MASTER, whose nodes have no jars of Delta."""
        at = Package(self.built.sha256, self.built.archive.as_uri())
        words = package.spark_submit(at, self.own, self.settings, "all")
        for name, value in (("--master", MASTER), ("--deploy-mode", "client")):
            words[words.index(name) + 1] = value
        [spark_home] = self.environment.glob("lib/python3.*/site-packages/pyspark")
        words[0] = str(spark_home / "bin" / words[0])
        words[1:1] = ["--packages", self.settings.spark.packages]
        words[words.index(at.beside(package_archive.MAIN))] = main
        return [*words, "--landing", str(place.landing), "--lake", place.settings.paths.lake]

    def started(self, words: list[str]) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        own = {name: os.environ[name] for name in ("HOME", "JAVA_HOME") if name in os.environ}
        own["PATH"] = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        [path] = [w for w in words if w.startswith("spark.yarn.appMasterEnv.PYTHONPATH=")]
        # The paths are absolute because executors inherit them here, and have other working folders.
        parts = path.partition("=")[2].split(os.pathsep)
        own["PYTHONPATH"] = os.pathsep.join(str(self.work / part) for part in parts)
        return subprocess.Popen(
            words,
            cwd=self.work,
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, words: list[str]) -> tuple[int, str]:
        """Run a command, and return its exit code and its output."""
        with ended(self.started(words)) as process:
            output = output_of(process)
            return process.returncode, output


def output_of(process):
    """What a command and all that it started have printed, once they have ended. One that hangs fails with
    the stacks of its threads of Java."""
    try:
        return process.communicate(timeout=LASTS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGQUIT)
        time.sleep(5)
        os.killpg(process.pid, signal.SIGKILL)
        return pytest.fail(f"it never ended: {process.communicate()[0]}")


def linked(source, copy):
    """Link a file to a copy of it, which takes no space; across file systems, copy it."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


@contextlib.contextmanager
def ended(process):
    """Kill the process and its whole group at the end."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Cluster:
    root = tmp_path_factory.mktemp("cluster")
    environment = root / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [site] = environment.glob("lib/python3.*/site-packages")
    for module in (pyspark, py4j):
        folder = Path(module.__file__).parent
        shutil.copytree(folder, site / folder.name, copy_function=linked)
    java = Settings.load("local", environment={}).spark.config["spark.driver.extraJavaOptions"]
    short = f"spark.config.spark.executor.extraJavaOptions={java}"  # executors live no longer
    settings = Settings.load("local", environment={}, overrides=[f"spark.master={MASTER}", short])
    own = Settings.load("emr", environment={}).emr
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = own.model_copy(update={"python": python})
    made = root / "made"
    made.mkdir()
    built = package.build(settings, own, made)
    work = root / "work"
    unpack(built.archive, work / package_archive.ROOT)
    return Cluster(environment, work, settings, own, built)


@pytest.fixture(scope="module")
def probed(cluster, samples_lake, tmp_path_factory, spark):
    """A run over the samples' photos with the samples' key, and what its processes had loaded."""
    root = tmp_path_factory.mktemp("probed")
    shutil.copytree(samples_lake.landing, root / "landing")
    shutil.copy(samples_lake.root / "lake.key", root / "lake.key")
    place = Place.of(root, spark)
    main = root / "probe.py"
    shutil.copy(ROOT / "tests" / "support" / "cluster_probe.py", main)
    words = cluster.command(place, str(main))
    words.insert(words.index(str(main)) + 1, str(root / "told.json"))
    code, output = cluster.run(words)
    assert code == 0, output
    return place, json.loads((root / "told.json").read_text())


def test_the_package_holds_what_a_node_needs_and_nothing_else(cluster):
    held = cluster.work / package_archive.ROOT
    assert {path.name for path in held.iterdir()} == {
        *("code", "site"),
        *("settings.toml", "model.tflite", "model.json"),
    }
    assert not (held / "code" / "tests").exists()
    assert list((held / "code").rglob("*.json"))
    assert not list(held.rglob("__pycache__"))
    modules = {path.name for path in (held / "site").iterdir()}
    assert {"delta", "openvino", "great_expectations"} <= modules
    left_out = {"pyspark", "tensorflow", "keras", "ai_edge_litert", "openvino_telemetry", "bin"}
    assert not left_out & modules
    assert not any(name.startswith("efficientnet") for name in modules)


def test_the_manifest_names_every_wheel(cluster):
    found = {path.name for path in (cluster.work / "package" / "site").glob("*.dist-info")}
    told = cluster.built.manifest["wheels"]
    assert len(found) == len(told) > 10
    assert all(len(wheel["sha256"]) == 64 for wheel in told)


def test_a_run_gives_the_tables_of_a_run_in_one_process(probed, samples_lake):
    place, _ = probed
    same_tables(place, samples_lake)
    assert extractor(place) == extractor(samples_lake)


def extractor(place):
    """The row of the model without the columns that say when and by which run it was written."""
    held = place.lake.read(catalog.MODELS).where("kind = 'extractor'")
    return held.drop("created_at", "run_id", "chunk").collect()


def test_the_environment_has_no_package_but_sparks(cluster):
    python = [cluster.environment / "bin" / "python", "-I", "-c", "import sys; print(*sys.path)"]
    told = subprocess.run(python, capture_output=True, check=True, text=True).stdout.split()
    [site] = [Path(path) for path in told if "-packages" in path]
    assert site.is_relative_to(cluster.environment)
    assert {path.name for path in site.iterdir()} - {"__pycache__"} == {"py4j", "pyspark"}


def test_driver_and_workers_run_the_package_and_load_no_tensorflow(cluster, probed):
    _, told = probed
    processes = [told["driver"], *told["workers"]]
    for process in processes:
        assert process["of_tensorflow"] == []
        inside = Path(process["folder"], package_archive.ROOT)
        assert {"silver.inference_runtime", "numpy"} <= process["files"].keys()
        assert [file for file in process["files"].values() if not is_in(file, inside)] == []
    folders = {process["folder"] for process in processes}
    assert len(folders) == 3
    assert str(cluster.work) in folders
    assert not any(is_in(folder, ROOT) for folder in folders)


def is_in(path, folder):
    # The main file itself lies beside the package, as YARN wants it.
    return Path(path).is_relative_to(Path(folder).resolve())


def test_each_worker_got_the_broadcast_and_loaded_one_model(cluster, probed):
    _, told = probed
    assert {seen["broadcast"] for seen in told["workers"]} == {
        cluster.built.manifest["model_sha256"]
    }
    held = {(seen["folder"], seen["pid"]): seen["models"] for seen in told["workers"]}
    assert len(held) == 2
    assert set(held.values()) == {1}


def test_an_executor_killed_in_the_middle_of_silver_costs_nothing(cluster, tmp_path, spark):
    place = Place.of(tmp_path, spark)
    if PHOTOS.is_dir():
        for kind in sorted(PHOTOS.glob("*/"))[:12]:
            shutil.copytree(kind, place.landing / kind.name)
    else:
        write_samples(str(place.landing), 600)
    log = tmp_path / "events"
    log.mkdir()
    main = tmp_path / package_archive.MAIN
    shutil.copy(ROOT / package_archive.MAIN, main)
    words = cluster.command(place, str(main))
    for conf in ("enabled=true", f"dir={log.as_uri()}", "compress=false", "rolling.enabled=false"):
        words[1:1] = ["--conf", f"spark.eventLog.{conf}"]
    with ended(cluster.started(words)) as process:
        wait_for(
            lambda: list((tmp_path / "lake").glob("staging/silver-*/embedded/*.parquet")), process
        )
        executors = children(process.pid, "CoarseGrainedExecutorBackend")
        assert len(executors) == 2
        os.kill(executors[0], signal.SIGKILL)
        output = output_of(process)
    assert process.returncode == 0, output
    assert lost_tasks(log), "no task was running there"
    assert repeated(place.lake) == {}
    held = sums(place.files)
    assert held.disagreements() == held.open_ends == []
    [model] = held.models
    assert model.embedded + model.quarantined == held.photos > 100
    assert model.features == model.projectable
    assert not list((tmp_path / "lake").glob("staging/silver-*"))


def wait_for(found, process):
    """Wait until `found` returns something. Fails where the process ends before."""
    until = time.monotonic() + STARTS
    while not found():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def children(parent, name):
    """The ids of the processes that `parent` started and whose command line contains a name."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            _, _, state = (folder / "stat").read_text().rpartition(") ")
            if int(state.split()[1]) == parent and name in (folder / "cmdline").read_text():
                found.append(pid)
    return found


def lost_tasks(log):
    """The stages of tasks that ended with their executor."""
    [file] = log.iterdir()
    events = map(json.loads, file.read_text().splitlines())
    return [
        event["Stage ID"]
        for event in events
        if event["Event"] == "SparkListenerTaskEnd"
        and event["Task End Reason"]["Reason"] == "ExecutorLostFailure"
    ]
