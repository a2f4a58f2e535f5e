"""The steps of a run: what each did goes to ops/runs, to the screen, to CloudWatch and into Data Docs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from cli import json_console, worker_errors
from cli.error_messages import may_be_kept
from cli.output import places, run_tables
from cli.output.sentences import say
from conf.errors import Blocked, Pending
from expectations import data_docs
from lake import catalog, fault_points, metric_names, stop_signals
from lake.chunk_folding import fold
from lake.compaction import compact
from lake.context import Context
from lake.enums import RunStatus
from lake.publication import drop_abandoned
from lake.run_clock import END
from lake.run_journal import LayerRun
from lake.stop_signals import Stopped
from lake.storage.locate import folder
from privacy.erasure import request_journal
from report import cloudwatch_metrics

RECORDED = "run: layers recorded"

Step = tuple[str, Callable[[Context], None]]
"""A step of a run: the layer that ops/runs names, and what to do in a context of its own."""


def run_steps(context: Context, steps: Sequence[Step]) -> list[LayerRun]:
    """Runs steps in their order, and returns what each did. Each leaves a row in ops/runs, also if it fails.

    Data Docs of what was judged follow, also where a gate blocks.
    """
    drop_abandoned(context.lake)
    done: list[LayerRun] = []
    recorded = 0
    for name, do in steps:
        step = context.step(name)
        context.clock.stage = name
        done.append(step.did)
        try:
            with (
                context.console.status(name),
                stop_signals.told_from_errors(),
                worker_errors.raised_here(),
            ):
                do(step)
        except Stopped as stop:
            step.did.finish(RunStatus.STOPPED, error=f"stopped: {stop.cause}")
            # The next run goes on also where this fails, as where the storage can't be reached.
            with suppress(Exception):
                record(context, done[recorded:], is_last=True)
            raise
        except Exception as error:
            _tell_failure(context, done, error, recorded=recorded)
            raise
        step.did.finish(RunStatus.DONE)
        context.clock.stage = END
        # A step that did nothing waits for the next one: that is one commit less.
        if step.did.counts or len(done) == len(steps):
            with context.clock.part("recording"):
                record(context, done[recorded:], is_last=len(done) == len(steps))
            recorded = len(done)
            fault_points.at(RECORDED)
    _end(context, done)
    return done


def _end(context: Context, done: Sequence[LayerRun]) -> None:
    """Does what follows the steps of a run, and lets its summary be shown when all is over."""
    console, clock = context.console, context.clock
    with console.status("joining small files"), clock.part("joining files"):
        fold(context.lake)
        compact(context.lake, small_files=context.settings.compaction.small_files)
    watch(context, done)
    summary = partial(run_tables.summary, console, done, run=context.lake.run, clock=clock)
    clock.afterwards.append(summary)
    with clock.part("Data Docs"):
        docs = written_docs(context)
    if docs is not None:
        clock.afterwards.append(partial(places.show, console, "Data Docs", docs))


def _tell_failure(
    context: Context, done: Sequence[LayerRun], error: Exception, *, recorded: int
) -> None:
    """Tells ops/runs, CloudWatch and Data Docs that the last step failed.

    Where one of these fails too, as on a full disk, the error of the step is the one to raise, and alarms
    hear of it.
    """
    message = str(error) if may_be_kept(error) else type(error).__name__
    status = RunStatus.BLOCKED if isinstance(error, Blocked) else RunStatus.FAILED
    done[-1].finish(status, error=message)
    with suppress(Exception):
        record(context, done[recorded:], is_last=True)
    with suppress(Exception):
        watch(context, done)
    with suppress(Exception):
        if docs := written_docs(context):
            places.show(context.console, "Data Docs", docs)


def record(context: Context, layers: Sequence[LayerRun], *, is_last: bool) -> None:
    """Writes rows of ops/runs in one commit. A run's last row tells how many erasures are due after it."""
    lake = context.lake
    if is_last:
        key = context.pseudonyms.certificates
        due = request_journal.due(lake, key, now=datetime.now(UTC))
        layers[-1].measure(metric_names.ERASURES_DUE, len(due))
    rows = [did.row(lake.run) for did in layers]
    with stop_signals.deferred():
        lake.record(catalog.RUNS, rows, layer=layers[-1].layer)
    for did, row in zip(layers, rows, strict=True):
        for judgement in did.judgements:
            facts = {"layer": did.layer, **vars(judgement)}
            json_console.event(context.console, "gate", facts)
        json_console.event(context.console, "layer", {**row, "seconds": did.seconds})


def watch(context: Context, layers: Sequence[LayerRun]) -> None:
    """Sends the run's numbers to CloudWatch, where the settings name it; prints a note where that fails."""
    root = context.lake.files.root
    if note := cloudwatch_metrics.publish(root, layers, context.settings):
        say(context.console, f"note: {note}")


def written_docs(context: Context) -> str | None:
    """Writes Data Docs where this run judged something, and returns where they are."""
    if catalog.QUALITY not in context.lake.written:
        return None
    return data_docs.publish(context.lake, folder(context.settings.paths.docs_folder))


@contextmanager
def recorded(context: Context, layer: str) -> Iterator[Context]:
    """Gives a command of privacy its step. What it did goes to ops/runs, also where it fails; its notes go to
    the screen."""
    step = context.step(layer)
    did, lake = step.did, context.lake
    try:
        with stop_signals.told_from_errors():
            yield step
    except Stopped as stop:
        did.finish(RunStatus.STOPPED, error=f"stopped: {stop.cause}")
        with suppress(Exception):
            lake.record(catalog.RUNS, [did.row(lake.run)], layer=layer)
        raise
    except Exception as error:
        # A message may hold a path with a name in it, so no table keeps it.
        is_pending = isinstance(error, Pending)
        status = RunStatus.PENDING if is_pending else RunStatus.FAILED
        did.finish(status, error=type(error).__name__)
        # Where this fails too, as on a full disk, the first error is the one to tell.
        with suppress(Exception):
            lake.record(catalog.RUNS, [did.row(lake.run)], layer=layer)
        raise
    did.finish(RunStatus.DONE)
    with stop_signals.deferred():
        lake.record(catalog.RUNS, [did.row(lake.run)], layer=layer)
    for note in did.notes:
        say(context.console, note)
