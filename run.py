"""The flow from landing to gold. The layers don't import one another: here they are composed.

    landing → bronze → GATE → silver → GATE → gold → GATE → readers

Every chunk takes the same way through its layer: plan → stage → judge → publish → forget. It is built once,
in lake/publication.py. Each layer's code is loaded where it runs: the words of the command line need none of
it.
"""

from __future__ import annotations

import gc
import sys

if sys.platform == "win32":
    # The imports below fail there, as on fcntl.
    print(
        "error: Fruit lake runs on Linux, macOS and WSL, not on Windows itself; install WSL "
        "(wsl --install) and run it there.",
        file=sys.stderr,
    )
    sys.exit(2)

from lake import stop_signals

if __name__ == "__main__" or sys.argv[0].endswith("fruit-lake"):
    # Ctrl-C would show a traceback of whatever is being loaded.
    stop_signals.end_without_a_word()

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import cli.main
from lake.enums import BRONZE, ERASE, GOLD, SILVER

if TYPE_CHECKING:
    from lake.context import Context
    from lake.run_journal import LayerRun


def run_bronze(context: Context) -> None:
    """Takes new landing objects into bronze/photos, bronze/rejected and bronze/objects."""
    from bronze import bronze_layer, label_claims, listing_counts, new_objects, unread_objects
    from bronze.bronze_layer import BronzeChunks
    from bronze.discovery import listings
    from bronze.landing import Landing
    from lake import known_keys
    from lake.publication import Publication
    from privacy import relabelling, tombstones

    landing = Landing.of(context.settings)
    barred = tombstones.holding(context.lake)
    bronze = Publication(context.lake, BronzeChunks(context.lake), context.did)
    bronze.finish()
    for listing in listings.listings(context, landing):
        with bronze_layer.listed(context, listing) as found:
            for group in new_objects.new_groups(context, landing, found, tombstones=barred):
                read = partial(bronze_layer.stage, context, landing, group, tombstones=barred)
                bronze.run(bronze_layer.plan(group), read)
                known_keys.fold(context.lake, did=context.did)
            if found.is_whole and label_claims.can_be_judged(found.counts, context.did):
                corrections = label_claims.corrections(context.lake, found, now=context.now)
                relabelling.relabel(context, corrections)
    later = listing_counts.next_run(context.settings.landing)
    unread_objects.note_unread(context.did, next_run=later)
    listing_counts.note_gone(context.did, next_run=later)


def run_silver(context: Context) -> None:
    """Takes bronze's chunks through their gate, and the photos that pass through the model and silver's gate.

    Bronze keeps what arrived, so its verdict comes after its publication: here, before silver reads a chunk.
    """
    from lake.publication import Publication
    from silver import silver_layer
    from silver.silver_layer import SilverChunks

    lake, model = context.lake, context.model
    silver = Publication(lake, SilverChunks(lake, context.gate), context.did)
    silver.finish(weights_id=model.weights_id)
    for source in silver_layer.not_yet_embedded(lake, model):
        photos, verdict = silver_layer.judged_photos(context, source, gate=context.gate)
        plan = silver_layer.plan(model, photos=source.photos, source=source.number)
        silver.run(plan, partial(silver_layer.stage, context, photos, verdict))


def run_gold(context: Context) -> None:
    """Projects new embeddings with the champion, and fits a new PCA version where one is due; then tests the
    champion classifiers on photos that got their label after the training."""
    from gold.gold_layer import project
    from gold.later_labels import judge_champions

    project(context, context.model.weights_id)
    judge_champions(context)


FLOW: Mapping[str, Callable[[Context], None]] = {
    BRONZE: run_bronze,
    SILVER: run_silver,
    GOLD: run_gold,
}


def run_layers(context: Context, layers: Sequence[str]) -> list[LayerRun]:
    """Runs layers in order, then the erasures that are due; returns what each did."""
    from cli.commands.erase import finish_due_erasures
    from cli.step_runner import run_steps
    from privacy.erasure import request_journal

    steps = [(layer, FLOW[layer]) for layer in layers]
    key = context.pseudonyms.certificates
    if request_journal.due(context.lake, key, now=datetime.now(UTC)):
        steps.append((ERASE, finish_due_erasures))
    return run_steps(context, steps)


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the words of the command line say, and returns the exit code."""
    code = cli.main.main(argv, run_layers)
    if argv is None:
        # The process ends. Python would look through millions of objects once more before, for a second.
        gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
