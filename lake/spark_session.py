"""The Spark session. No other module knows Spark's settings."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from conf.errors import BadInput, FruitLakeError
from conf.settings import SparkSettings
from lake import jar_downloads, java_calls, stop_signals, working_files
from lake.concurrent_work import beside
from lake.stop_signals import Stopped
from lake.storage.addresses import is_s3
from lake.storage.connectors import spark_options

JAVA_MAJORS = (17, 21)

# The product relies on these values, whatever the settings say about cores and memory.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    # A photo may have megabytes, so readers and Python workers take few rows at a time.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(32 << 20),
    "spark.sql.parquet.columnarReaderBatchSize": "64",
    # Row groups have 8 MB and pages 256 KB. The size is checked after each row: by default, Parquet first
    # checks it after 100 rows, and after rows of 4 KB it doesn't expect photos of 20 MB.
    "spark.hadoop.parquet.block.size": str(8 << 20),
    "spark.hadoop.parquet.page.size": str(256 << 10),
    "spark.hadoop.parquet.page.size.row.check.min": "1",
    "spark.hadoop.parquet.page.size.row.check.max": "1",
    # A task reads about one row group, so that all cores end together. To open a file costs little.
    "spark.sql.files.maxPartitionBytes": str(8 << 20),
    "spark.sql.files.openCostInBytes": str(256 << 10),
    # A task has one core, so its worker embeds with one thread.
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
    # By default, Delta spreads a snapshot of its log over 50 tasks. Here it has a few hundred rows.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Compaction joins files below the first size to files of about the second. It doesn't rewrite large ones.
    "spark.databricks.delta.optimize.minFileSize": str(64 << 20),
    "spark.databricks.delta.optimize.maxFileSize": str(128 << 20),
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.enabled": "false",
}


RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"


@contextlib.contextmanager
def running(
    spark: SparkSettings, *, lake: str, meanwhile: Callable[[], object] | None = None
) -> Iterator[SparkSession]:
    """Run a session in this context, for a lake under the root `lake`. Spark's log doesn't reach the
    terminal.

    The log is removed with the session, unless an error that isn't ours ends the context: then the log may
    explain it. A stop by a signal comes between two calls to Java. `meanwhile` and what is raised are those
    of `start`.
    """
    try:
        with java_calls.stopped_between():
            session = start(spark, lake=lake, meanwhile=meanwhile)
            try:
                yield session
            finally:
                with stop_signals.deferred():
                    _end(session)
    except Stopped:
        _forget()
        raise
    except FruitLakeError as error:
        if not isinstance(error, SparkDidNotStart):
            working_files.log_file().unlink(missing_ok=True)
        raise
    working_files.log_file().unlink(missing_ok=True)


def _end(session: SparkSession) -> None:
    """Stop the session and remove its folder. After a signal, Java may have ended before it."""
    try:
        session.stop()
    except Exception:
        if not stop_signals.is_asked():
            raise
    shutil.rmtree(working_files.own_folder(), ignore_errors=True)


def _forget() -> None:
    """Remove what a session that was stopped leaves, also one that had not started."""
    shutil.rmtree(working_files.own_folder(), ignore_errors=True)
    working_files.log_file().unlink(missing_ok=True)


class SparkDidNotStart(FruitLakeError):
    """Spark did not start. The message names its log."""


@contextlib.contextmanager
def any_retention(spark: SparkSession) -> Iterator[None]:
    """Let VACUUM accept a retention below Delta's limit of seven days in this context."""
    spark.conf.set(RETENTION_CHECK, "false")
    try:
        yield
    finally:
        spark.conf.unset(RETENTION_CHECK)


def is_submitted() -> bool:
    """Whether spark-submit has started this process, and the Java beside it, as a cluster does."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def start(
    spark: SparkSettings, *, lake: str, meanwhile: Callable[[], object] | None = None
) -> SparkSession:
    """Return the session of this process, for a lake under the root `lake`.

    The function `meanwhile` runs in a thread while Java starts, and has ended on return. What it raises
    becomes a warning. Raises BadInput where there is no Java, or one that Spark 4 doesn't run on, and
    SparkDidNotStart, for example where the Delta jars can't be downloaded.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    _let_workers_import_this_project()
    launches_java = not is_submitted()
    if launches_java:
        _check_java()
    builder = SparkSession.builder.appName("fruit-lake")
    if spark.master:
        builder = builder.master(spark.master)
    own = {"spark.local.dir": str(working_files.own_folder())}
    packages = spark.packages
    if is_s3(lake) and spark.s3_packages:
        packages = ",".join(filter(None, (packages, spark.s3_packages)))
        own |= spark_options(lake)
    if packages:
        own["spark.jars.packages"] = packages
    for key, value in {**REQUIRED, **own, **spark.config}.items():
        builder = builder.config(key, value)
    log = working_files.log_file()
    quiet = _output_to(log) if launches_java else contextlib.nullcontext()
    turn = _turn_of(spark, packages) if launches_java and packages else contextlib.nullcontext()
    try:
        with turn, java_calls.starting(), beside(meanwhile), quiet:
            session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SparkDidNotStart(_why_it_did_not_start(log, error, packages)) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _turn_of(spark: SparkSettings, packages: str) -> contextlib.AbstractContextManager[None]:
    """Return the context in which Java may start and download the packages."""
    return jar_downloads.in_turn(packages, spark.config.get("spark.jars.ivy", jar_downloads.CACHE))


def java_process(spark: SparkSession) -> int:
    """Return the number of the session's Java process on this machine."""
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    return int(jvm.java.lang.ProcessHandle.current().pid())


def _let_workers_import_this_project() -> None:
    """Put the project's folder on the PYTHONPATH, which workers inherit."""
    root = str(Path(__file__).resolve().parents[1])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, paths)])


def _check_java() -> None:
    """Raise BadInput unless there is a Java that Spark runs on."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    majors = " or ".join(map(str, JAVA_MAJORS))
    if not java or not Path(java).exists():
        lack = f"JAVA_HOME ({home}) holds no bin/java" if home else "there is no java on the PATH"
        raise BadInput(f"Spark needs Java {majors}, and {lack}: install a JDK of that version.")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if not found or int(found[1]) not in JAVA_MAJORS:
        is_now = f"Java {found[1]}" if found else "no Java that tells its version"
        raise BadInput(
            f"Spark needs Java {majors}, and {java} is {is_now}: install one, or set JAVA_HOME to it."
        )


@contextlib.contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send both output streams of this process to the file `log` in this context.

    A Java process that starts meanwhile inherits the file and keeps it. So the output of Ivy, log4j and the
    Python workers goes there, and not between the progress bars.
    """
    sys.stdout.flush(), sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("wb") as sink:
        os.dup2(sink.fileno(), 1), os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        for number, stream in enumerate(saved, start=1):
            os.dup2(stream, number)
            os.close(stream)


def _why_it_did_not_start(log: Path, error: Exception, packages: str) -> str:
    """Return the message for a session that did not start."""
    text = log.read_text(errors="replace") if log.exists() else str(error)
    if "unresolved dependenc" in text or "UNRESOLVED DEPENDENCIES" in text:
        return (
            f"The jars {packages} could not be downloaded: connect to a Maven repository once, "
            f"or name the jars in spark.config (spark.jars). Spark's log is {log}."
        )
    return f"Spark did not start; its log, {log}, says why."
