"""Opening a lake for a command: for reading, or for writing in a context that holds the lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache

from pyspark.sql import SparkSession
from rich.console import Console

from cli.command import CALL
from cli.json_console import JsonConsole
from conf.errors import BadInput
from conf.settings import Settings
from expectations import suite_runner
from expectations.gate import SuiteGate
from gold import embedding_removal
from lake import lake_format, lease, spark_session
from lake.context import Context
from lake.delta_rs_reader import check_address
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.run_clock import RunClock
from lake.run_journal import LayerRun, Run
from lake.storage.folder import Folder
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from privacy import relabelling
from silver import model_artifact
from silver.model_artifact import Conversion
from silver.model_broadcast import DriverModel, model_of


def existing_lake(settings: Settings) -> Folder:
    """The files of the lake that the settings name. Raises BadInput where there is no lake."""
    files = folder(settings.paths.lake)
    check_address(files.root)
    if not lake_format.is_made(files):
        raise BadInput(
            f"There is no lake in {settings.paths.lake} yet: {CALL} --layer all makes one from the photos in "
            f"{settings.paths.landing}, and with --samples 60 from generated ones; or name another one with "
            f"--lake."
        )
    return files


@contextmanager
def reading(settings: Settings, console: Console) -> Iterator[Lake]:
    """Opens the lake for reading, for a while. It takes no lease.

    Raises BadInput where there is no lake or its key is missing, Refused for another key.
    """
    files = existing_lake(settings)
    lake_format.pseudonyms_of(files, settings.subjects)
    with ExitStack() as stack:

        @cache
        def start_spark() -> SparkSession:
            with console.status("starting Spark"):
                return stack.enter_context(spark_session.running(settings.spark, lake=files.root))

        _start_if_awaited(start_spark)
        yield Lake(start_spark, files, Run.begin(settings.digest))


@contextmanager
def writing(
    settings: Settings,
    console: Console,
    *,
    needs_model: bool = False,
    is_moving: bool = False,
    clock: RunClock | None = None,
) -> Iterator[Context]:
    """Opens the lake for a while in the name of a new run that alone may write; makes it where there is none.

    With `is_moving` the lake may be on its way to a new key. Where the run `needs_model`, the model of a new
    lake is converted while Spark starts and makes the tables. `clock` is that of the run, where something was
    done before. What it has `afterwards` is done when Spark has stopped and the lease is free. Raises Busy,
    naming the holder, where another process writes.
    """
    clock = clock or RunClock()
    clock.add_rest("Python and settings")
    try:
        with ExitStack() as stack:
            opened = _opened(
                settings, console, needs_model=needs_model, is_moving=is_moving, clock=clock
            )
            yield stack.enter_context(opened)
            with clock.part("stopping Spark"):
                stack.close()
    finally:
        for tell in clock.afterwards:
            tell()


@contextmanager
def _opened(
    settings: Settings, console: Console, *, needs_model: bool, is_moving: bool, clock: RunClock
) -> Iterator[Context]:
    """Opens the lake as `writing` says, until Spark has stopped and the lease is given back."""
    files = folder(settings.paths.lake)
    check_address(files.root)
    files.make()
    folder(settings.paths.docs_folder).make()
    run = Run.begin(settings.digest)
    with ExitStack() as stack:
        with console.status("asking for the lease"), clock.part("lease"):
            seconds = settings.lease.seconds
            own = stack.enter_context(lease.held(files, run_id=run.run_id, seconds=seconds))
        is_new = not lake_format.is_made(files)
        keys = lake_format.pseudonyms_of(files, settings.subjects, is_moving=is_moving)
        if not is_new and not is_moving:
            keys = lake_format.with_plain_keys(files, keys, settings.subjects.plain_keys)

        is_converted = needs_model and is_new and not settings.model.flatbuffer
        conversion = model_artifact.begin(settings.model) if is_converted else None

        @cache
        def start_spark() -> SparkSession:
            with console.status("starting Spark"), clock.part("Java and Spark"):
                running = spark_session.running(
                    settings.spark, lake=files.root, meanwhile=suite_runner.gx_context
                )
                spark = stack.enter_context(running)
                own.shared_with(spark_session.java_process(spark))
                return spark

        _start_if_awaited(start_spark)
        with clock.part("tables"):
            lake = WritableLake.open(
                start_spark, files, run=run, lease=own, pseudonyms=keys, delta=settings.delta
            )
            embedding_removal.finish(lake)
            relabelling.finish(lake)
        if isinstance(console, JsonConsole):
            console.begin(run.run_id)
        yield context_of(settings, lake, keys, console, clock=clock, conversion=conversion)


def _start_if_awaited(start_spark: Callable[[], SparkSession]) -> None:
    """Starts Spark at once in a process of spark-submit, also if nothing comes to need it.

    YARN gives a driver that it runs 100 s to have a session (`spark.yarn.am.waitTime`), and calls a run that
    ends without one failed.
    """
    if spark_session.is_submitted():
        start_spark()


def context_of(
    settings: Settings,
    lake: WritableLake,
    keys: Pseudonyms,
    console: Console,
    *,
    clock: RunClock,
    conversion: Conversion | None = None,
) -> Context:
    """The context of a run: the extractor is looked up when a step first asks for it. `conversion` is that of
    a new lake's, which was begun before."""

    @cache
    def load_model() -> DriverModel:
        with clock.part("model conversion" if conversion else "model"):
            return model_of(lake, settings.model, photos=settings.photos, conversion=conversion)

    return Context(
        settings,
        lake,
        keys,
        console,
        load_model,
        suite_gate,
        LayerRun("run"),
        datetime.now(UTC),
        clock,
    )


def suite_gate(context: Context, release: bool) -> SuiteGate:
    """The gate of a step: Great Expectations' suites, as they stand in `expectations`."""
    return SuiteGate(context.lake, context.settings.gates, context.did, release=release)
