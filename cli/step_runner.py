"""The steps of a run: what each did goes to ops/runs, to the screen, to CloudWatch and into Data Docs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from cli import json_console
from cli.error_messages import may_be_kept
from cli.output import run_tables
from conf.errors import Blocked, Pending
from expectations import data_docs
from lake import catalog, fault_points, metric_names
from lake.compaction import compact
from lake.context import Context
from lake.enums import RunStatus
from lake.publication import drop_abandoned
from lake.run_journal import LayerRun
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
        done.append(step.did)
        try:
            with context.console.status(name):
                do(step)
        except Exception as error:
            _tell_failure(context, done, error, recorded=recorded)
            raise
        step.did.finish(RunStatus.DONE)
        # A step that did nothing waits for the next one: that is one commit less.
        if step.did.counts or len(done) == len(steps):
            record(context, done[recorded:], is_last=len(done) == len(steps))
            recorded = len(done)
            fault_points.at(RECORDED)
    with context.console.status("joining small files"):
        compact(context.lake, small_files=context.settings.compaction.small_files)
    run_tables.summary(context.console, done, run=context.lake.run)
    watch(context, done)
    publish_docs(context)
    return done


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
        publish_docs(context)


def record(context: Context, layers: Sequence[LayerRun], *, is_last: bool) -> None:
    """Writes rows of ops/runs in one commit. A run's last row tells how many erasures are due after it."""
    lake = context.lake
    if is_last:
        due = request_journal.due(lake, now=datetime.now(UTC))
        layers[-1].measure(metric_names.ERASURES_DUE, len(due))
    rows = [did.row(lake.run) for did in layers]
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
        context.console.print(f"note: {note}", markup=False, soft_wrap=True)


def publish_docs(context: Context) -> None:
    """Publishes Data Docs, where this run judged something, and prints where they are."""
    if catalog.QUALITY in context.lake.written:
        place = data_docs.publish(context.lake, folder(context.settings.paths.docs_folder))
        context.console.print(f"Data Docs: {place}", markup=False, soft_wrap=True)


@contextmanager
def recorded(context: Context, layer: str) -> Iterator[Context]:
    """Gives a command of privacy its step. What it did goes to ops/runs, also where it fails; its notes go to
    the screen."""
    step = context.step(layer)
    did, lake = step.did, context.lake
    try:
        yield step
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
    lake.record(catalog.RUNS, [did.row(lake.run)], layer=layer)
    for note in did.notes:
        context.console.print(note, markup=False, soft_wrap=True)
