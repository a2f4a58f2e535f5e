"""The command line, and the one place that composes the layers: landing → bronze → silver → gold."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path

from lake.lake import Lake
from rich.console import Console

import bronze.ingest
import emr.commands
import gold.embedding_removal
import gold.model_versions
import gold.project
import gold.refit
import gold.retire_model
import gold.training
import privacy.commands
import report.commands
import silver.embed
from bronze import landing
from bronze.samples.sample_photos import write_samples
from cli import json_console
from cli.json_console import JsonConsole
from cli.tables import lake_tables
from conf import arguments
from conf.errors import BadInput, Blocked, FruitLakeError, LeftBehind
from conf.settings import Settings
from expectations import check_tables, data_docs
from expectations.gate import SuiteGate
from expectations.suite_views import Views
from lake import catalog, fault_points, lease, metric_names, pseudonyms, spark_session
from lake.chunks import Chunk, ChunkState
from lake.compaction import compact
from lake.run_journal import LayerRun, Run
from lake.storage.folder import Folder
from lake.storage.locate import folder
from privacy import bucket_rules, tombstones
from privacy.erasure import request_journal
from report import cloudwatch_metrics
from silver.embeddings import BroadcastModel
from silver.model_lookup import broadcast_model
from silver.model_source import source_sha256
from silver.replay import replay

DISK_FULL = os.strerror(errno.ENOSPC)
RECORDED = "run: layers recorded"
OF_S3 = re.compile(
    r"lake\.bucket\.StorageFailed: (?P<ours>.+)"
    r"|(?:org\.apache\.hadoop\.fs\.s3a|software\.amazon\.awssdk)\.[\w.$]*?(?P<theirs>\w+(?:: [^\n(]+)?)"
)
"""What an error of Spark's holds where a bucket failed on a worker, or under a table."""

TAKES_LANDING = ("samples", "erase", "retain")
"""Commands that read or write the landing folder; so does the layer bronze."""

ERASES = ("erase", "retain")
"""Commands that remove what somebody may ask to be gone."""


@dataclass(frozen=True)
class Context:
    """What the layers of one run share."""

    settings: Settings
    lake: Lake
    keys: pseudonyms.Pseudonyms
    console: Console

    @cached_property
    def model(self) -> BroadcastModel:
        """The extractor, looked up and broadcast once for silver and gold. Raises as `broadcast_model`."""
        return broadcast_model(self.lake, self.settings.model, photos=self.settings.photos)


def run_layer(context: Context, did: LayerRun) -> None:
    """One layer: what is new in the one before goes through the gate between, and into this one."""
    lake, settings, console = context.lake, context.settings, context.console
    if did.layer == "bronze":
        held = tombstones.holding(lake)
        bronze.ingest.ingest(
            lake, settings, keys=context.keys, tombstones=held, console=console, did=did
        )
        return
    gate = SuiteGate(lake, settings.gates, did)
    if did.layer == "silver":
        silver.embed.embed(lake, context.model, gate=gate, console=console, did=did)
    else:
        weights_id = context.model.weights_id
        gold.project.project(lake, weights_id, settings, gate=gate, console=console, did=did)


def run_layers(context: Context, layers: Sequence[str]) -> list[LayerRun]:
    """Runs the layers in order, then the erasures that are due; returns what each did. Each leaves a row in
    ops/runs."""
    steps = [(layer, partial(run_layer, context)) for layer in layers]
    if request_journal.due(context.lake, now=datetime.now(UTC)):
        steps.append(("erase", partial(privacy.commands.finish_step, context)))
    return run_steps(context, steps)


def run_steps(
    context: Context, steps: Sequence[tuple[str, Callable[[LayerRun], None]]]
) -> list[LayerRun]:
    """Runs named steps in order; each gathers what it did, and leaves it in ops/runs, also if it fails.

    Data Docs of what was judged follow, also if a gate blocks.
    """
    context.lake.ledger.drop_abandoned()
    done: list[LayerRun] = []
    recorded = 0
    for name, step in steps:
        did = LayerRun(name)
        done.append(did)
        try:
            with context.console.status(name):
                step(did)
        except Exception as error:
            told = str(error) if may_be_kept(error) else type(error).__name__
            did.finish("blocked" if isinstance(error, Blocked) else "failed", error=told)
            # Where one fails too, as on a full disk, the first error is the one to tell, and alarms hear it.
            with suppress(Exception):
                record(context, done[recorded:], is_last=True)
            with suppress(Exception):
                watch(context, done)
            with suppress(Exception):
                publish_docs(context)
            raise
        did.finish("done")
        # A layer that did nothing waits for the next one: one commit less.
        if did.counts or len(done) == len(steps):
            record(context, done[recorded:], is_last=len(done) == len(steps))
            recorded = len(done)
            fault_points.at(RECORDED)
    with context.console.status("joining small files"):
        compact(context.lake, small_files=context.settings.compaction.small_files)
    lake_tables.summary(context.console, done, run=context.lake.run)
    watch(context, done)
    publish_docs(context)
    return done


def record(context: Context, layers: Sequence[LayerRun], *, is_last: bool) -> None:
    """Their rows of ops/runs, in one commit; the run's last one tells what erasures it leaves due."""
    lake = context.lake
    if is_last:
        due = request_journal.due(lake, now=datetime.now(UTC))
        layers[-1].measure(metric_names.ERASURES_DUE, len(due))
    rows = [did.row(lake.run) for did in layers]
    lake.record(catalog.RUNS, rows, layer=layers[-1].layer)
    for did, row in zip(layers, rows, strict=True):
        for judgement in did.judgements:
            json_console.event(context.console, "gate", {"layer": did.layer, **vars(judgement)})
        json_console.event(context.console, "layer", {**row, "seconds": did.seconds})


def watch(context: Context, layers: Sequence[LayerRun]) -> None:
    """The run's numbers to CloudWatch, where the settings name it; a note where that can't be."""
    if said := cloudwatch_metrics.publish(context.lake.files.root, layers, context.settings):
        context.console.print(f"note: {said}", markup=False, soft_wrap=True)


def publish_docs(context: Context) -> None:
    """Data Docs, where this run judged something, and a line that says where they are."""
    if catalog.QUALITY in context.lake.written:
        place = data_docs.publish(context.lake, folder(context.settings.paths.docs_folder))
        context.console.print(f"Data Docs: {place}", markup=False, soft_wrap=True)


def layers_command(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """`--layer`: generated photos first, if asked for; then the layers, and a table of what they did."""
    if words.samples:
        samples_command(int(words.samples), settings, console)
    check_inputs(words, settings)
    layers = arguments.LAYERS if words.layer == "all" else (words.layer,)
    with writing(settings, console) as context:
        run_layers(context, layers)


def check_inputs(words: argparse.Namespace, settings: Settings) -> None:
    """What can be refused before Spark starts. Raises BadInput."""
    paths = settings.paths
    if landing.overlap(paths.landing, paths.lake):
        raise BadInput(
            f"The landing folder {paths.landing} and the lake {paths.lake} lie within one another; "
            f"name two separate folders."
        )
    if words.layer in ("bronze", "all"):
        landing.landing(paths.landing).check()
    if words.layer in ("silver", "gold", "all"):
        source_sha256(settings.model)


def check_buckets(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """Sees to the buckets that a command reads or writes, before it does. Raises Refused, BadInput."""
    if words.command == "emr":
        return  # it makes them
    paths = settings.paths
    roots = [paths.lake, paths.docs_folder]
    if words.layer in ("bronze", "all") or words.command in TAKES_LANDING:
        roots.append(paths.landing)
    for note in bucket_rules.check(roots, settings.buckets, erases=words.command in ERASES):
        console.print(f"note: {note}", markup=False, soft_wrap=True)


def samples_command(count: int, settings: Settings, console: Console) -> None:
    """Makes sure that the landing folder holds so many generated photos."""
    written = write_samples(settings.paths.landing, count)
    console.print(
        f"{settings.paths.landing} holds {count:,} sample photos, {written:,} of them new."
    )


def retire_command(model: str, settings: Settings, console: Console) -> None:
    """Removes a model's rows from silver and gold."""
    check_lake(settings)
    with writing(settings, console) as context:
        removed = gold.retire_model.retire(context.lake, model)
        compact(context.lake, small_files=settings.compaction.small_files)
    rows = ", ".join(f"{count:,} rows of {name}" for name, count in removed.items()) or "no rows"
    console.print(
        f"{model} is retired: {rows} removed. Older versions of the tables hold them still."
    )


def check_lake(settings: Settings) -> Folder:
    """The lake's files. Raises BadInput where there is no lake."""
    files = folder(settings.paths.lake)
    if not Lake.is_made(files):
        raise BadInput(f"There is no lake in {settings.paths.lake}; name one with --lake.")
    return files


def check_command(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """Every suite on what the lake holds, or one on a version of its table. Raises Blocked."""
    tables = check_tables.named(words.table)
    version = None if words.version is None else int(words.version)
    report = Path(words.junit) if words.junit else None
    if report and not report.parent.is_dir():
        raise BadInput(f"--junit {report}: there is no folder {report.parent}; make it first.")
    with reading(settings, console) as lake:
        views = Views(lake, history_chunks=settings.gates.history_chunks)
        results = []
        for table in tables:
            with console.status(table.name):
                results.append(check_tables.check(lake, table, views=views, version=version))
    if report:
        report.write_text(check_tables.junit(results))
    lake_tables.checked(console, results)
    failures = sum(len(result.failures) for result in results)
    if failures:
        raise Blocked(
            f"{failures:,} critical expectations fail on what the lake holds: mend the rule where that is "
            f"wrong; since when rows are tells --table TABLE --version N."
        )


def replay_command(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """Quarantined photos through the gates again; with a chunk, a blocked one into quarantine."""
    check_lake(settings)
    with writing(settings, console) as context:
        number = None if words.chunk is None else int(words.chunk)
        step = partial(replay_step, context, reason=words.reason, number=number)
        run_steps(context, [("replay", step)])


def replay_step(context: Context, did: LayerRun, *, reason: str | None, number: int | None) -> None:
    """What `replay` does. Raises BadInput (no such reason, no such blocked chunk), Blocked."""
    lake, settings, console = context.lake, context.settings, context.console
    if number is not None:
        chunk = blocked_chunk(lake, number)
        if chunk.layer == "gold":
            gold.project.release(lake, chunk, did=did)
            return
        gate = SuiteGate(lake, settings.gates, did, release=True)
        silver.embed.release(lake, chunk, context.model, gate=gate, console=console, did=did)
        return
    replay(
        lake,
        context.model,
        reason=reason,
        bounds=settings.chunks,
        gate=SuiteGate(lake, settings.gates, did),
        console=console,
        did=did,
    )
    if did.counts.get("kept"):
        did.notes.append("what passed is in silver; run.py --layer gold projects it.")


def models_command(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """Every model version; or a fit, a promotion, a rollback, or moments anew. Raises BadInput, Blocked."""
    if not (words.refit or words.promote or words.rollback or words.recompute):
        with reading(settings, console) as lake:
            lake_tables.models(console, lake)
        return
    check_lake(settings)
    with writing(settings, console) as context:
        run_steps(context, [("gold", partial(models_step, context, words))])
        lake_tables.models(console, context.lake)


def models_step(context: Context, words: argparse.Namespace, did: LayerRun) -> None:
    """What `models` does, beside listing them."""
    lake, settings, console = context.lake, context.settings, context.console
    gate = SuiteGate(lake, settings.gates, did)
    if words.promote:
        gold.project.promote(lake, words.promote, gate=gate, console=console, did=did)
        return
    weights_id = context.model.weights_id
    if words.rollback:
        name = gold.model_versions.previous(lake.read(catalog.MODELS), weights_id=weights_id)
        gold.project.promote(lake, name, gate=gate, console=console, did=did)
    elif words.recompute:
        gold.project.recompute(lake, weights_id, did=did)
    else:
        gold.project.project(
            lake,
            weights_id,
            settings,
            gate=gate,
            console=console,
            did=did,
            reason=gold.refit.REQUEST,
        )


def train_command(settings: Settings, console: Console) -> None:
    """Classifiers of the kinds of fruit, and how they do on photos held out. Raises BadInput, Blocked."""
    check_lake(settings)
    with writing(settings, console) as context:
        run_steps(context, [("train", partial(train_step, context))])
        lake_tables.classifiers(console, context.lake, weights_id=context.model.weights_id)


def train_step(context: Context, did: LayerRun) -> None:
    """What `train` does."""
    lake, settings = context.lake, context.settings
    gold.training.train(
        lake,
        context.model.weights_id,
        settings,
        gate=SuiteGate(lake, settings.gates, did),
        console=context.console,
        did=did,
        reason=gold.refit.REQUEST,
    )


def blocked_chunk(lake: Lake, number: int) -> Chunk:
    """Raises BadInput where no chunk of that number is blocked."""
    chunks = lake.ledger.chunks()
    blocked = [str(n) for n, chunk in chunks.items() if chunk.state is ChunkState.BLOCKED]
    if str(number) not in blocked:
        raise BadInput(
            f"Chunk {number} is not blocked; the blocked ones are: {', '.join(blocked) or 'none'}."
        )
    return chunks[number]


@contextmanager
def reading(settings: Settings, console: Console) -> Iterator[Lake]:
    """Spark and the lake for a while, for reading: no lease is taken."""
    files = check_lake(settings)
    held = pseudonyms.load(settings.subjects.key, lake=files.root, make=False)
    Lake.check(files, keys=held)
    with ExitStack() as stack:
        with console.status("starting Spark"):
            spark = stack.enter_context(spark_session.running(settings.spark, lake=files.root))
        yield Lake(spark, files, Run.begin(settings.digest))


@contextmanager
def writing(settings: Settings, console: Console) -> Iterator[Context]:
    """Spark and the lake for a while, in the name of a new run that alone may write.

    Raises Busy, naming the holder, where another process writes.
    """
    files = folder(settings.paths.lake)
    files.make()
    folder(settings.paths.docs_folder).make()
    run = Run.begin(settings.digest)
    with ExitStack() as stack:
        with console.status("asking for the lease"):
            seconds = settings.lease.seconds
            own = stack.enter_context(lease.held(files, run_id=run.run_id, seconds=seconds))
        held = pseudonyms.load(settings.subjects.key, lake=files.root, make=not Lake.is_made(files))
        Lake.check(files, keys=held)
        with console.status("starting Spark"):
            spark = stack.enter_context(spark_session.running(settings.spark, lake=files.root))
            own.shared_with(spark_session.java_process(spark))
            lake = Lake.writing(spark, files, run=run, lease=own, keys=held, delta=settings.delta)
            gold.embedding_removal.finish(lake)
        if isinstance(console, JsonConsole):
            console.begin(run.run_id)
        yield Context(settings, lake, held, console)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    console, errors = consoles(words)
    try:
        parsed = arguments.parse(words)
        usual = "emr" if parsed.command == "emr" else "local"
        settings = Settings.load(
            getattr(parsed, "conf", usual), overrides=arguments.overrides(parsed)
        )
        check_buckets(parsed, settings, console)
        if parsed.command == "emr":
            emr.commands.run(parsed, settings, console)
        elif parsed.layer:
            layers_command(parsed, settings, console)
        elif parsed.command == "samples":
            samples_command(int(parsed.count), settings, console)
        elif parsed.command == "retire":
            retire_command(parsed.model, settings, console)
        elif parsed.command == "check":
            check_command(parsed, settings, console)
        elif parsed.command == "models":
            models_command(parsed, settings, console)
        elif parsed.command == "train":
            train_command(settings, console)
        elif parsed.command == "replay":
            replay_command(parsed, settings, console)
        elif parsed.command in privacy.commands.COMMANDS:
            files = check_lake(settings)
            privacy.commands.run(
                parsed, settings, console, files=files, writing=writing, reading=reading
            )
        else:
            report.commands.run(parsed, settings, console, files=check_lake(settings))
        return 0
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on from here.")
        return 130
    except Exception as error:
        tell(errors, error, is_debugged="--debug" in words)
        return error.exit_code if isinstance(error, FruitLakeError) else 1


def consoles(words: Sequence[str]) -> tuple[Console, Console]:
    """For what is told and for errors; before the words are understood, as these may be wrong."""
    if "--log=json" in words or ("--log", "json") in pairwise(words):
        console = JsonConsole(level="info")
        return console, JsonConsole(level="error", stderr=True, beside=console)
    return Console(highlight=False), Console(stderr=True, highlight=False)


def tell(errors: Console, error: Exception, *, is_debugged: bool) -> None:
    """An error, to people or as an event; with where it was raised, if that is asked for."""
    if isinstance(errors, JsonConsole):
        code = error.exit_code if isinstance(error, FruitLakeError) else 1
        # Without the message, which a traceback ends with.
        raised = {"traceback": traceback.format_tb(error.__traceback__)} if is_debugged else {}
        errors.event("error", message=logged(error), exit_code=code, **raised)
        return
    if is_debugged:
        traceback.print_exception(error)
    first = (str(error).strip() or "no message").splitlines()[0]
    sentence = str(error) if isinstance(error, FruitLakeError) else unexpected(error, said=first)
    errors.print(f"error: {sentence}", markup=False, soft_wrap=True)


def may_be_kept(error: Exception) -> bool:
    """Whether tables and logs may have the message. That of an error which isn't ours may hold a path or a
    value, and that of LeftBehind names files."""
    return isinstance(error, FruitLakeError) and not isinstance(error, LeftBehind)


def logged(error: Exception) -> str:
    """What a log says of an error, which it may keep."""
    if may_be_kept(error):
        return str(error)
    if isinstance(error, LeftBehind):
        return (
            "Something of an erased subject, or an old file, is still there; the same command with "
            "--log text names it."
        )
    return unexpected(error, said="its message may name a person: the same with --log text says it")


def unexpected(error: Exception, *, said: str) -> str:
    """What to say of an error that isn't ours: what it is, what it `said`, and that the same command goes on
    from there."""
    goes_on = "what was published stays, and the same command goes on from there"
    if DISK_FULL in str(error):
        return (
            f"a disk is full ({DISK_FULL}): make space where the lake lies, or where Spark keeps its "
            f"working files ({tempfile.gettempdir()}); {goes_on}."
        )
    if found := OF_S3.search(str(error)):
        told = (
            found["ours"] or f"S3 did not do what Spark asked for ({found['theirs'].rstrip('.: ')})"
        )
        return f"{told.rstrip('.')}; {goes_on}."
    log = f" and {spark_session.log_file()}" if spark_session.log_file().exists() else ""
    return f"unexpected {type(error).__name__} ({said}); {goes_on}. --debug{log} may say more."


if __name__ == "__main__":
    sys.exit(main())
