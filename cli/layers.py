"""`--layer`: generated photos first, if asked for, then the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from bronze.discovery import listings
from bronze.labels import Labels
from bronze.landing import Landing, overlap
from cli.command import Words
from cli.commands import samples
from cli.lake_access import writing
from cli.output import next_steps
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format, secret_places
from lake.context import Context
from lake.delta_rs_reader import check_address
from lake.enums import BRONZE, GOLD, LAYERS, SILVER
from lake.run_clock import RunClock
from lake.run_journal import LayerRun
from lake.storage.locate import folder
from lake.subject_names import NameRule
from silver.model_artifact import source_sha256

RunLayers = Callable[[Context, Sequence[str]], list[LayerRun]]
"""The flow: it runs layers in their order, and returns what each did."""


def run(words: Words, settings: Settings, console: Console, run_layers: RunLayers) -> None:
    """Runs the layers that `--layer` names. Raises as the layers do."""
    check_address(folder(settings.paths.lake).root)
    clock = RunClock()
    if words.samples:
        with clock.part("generated photos"):
            samples.make(int(words.samples), settings, console)
    check_inputs(words.layer, settings)
    layers = LAYERS if words.layer == "all" else (words.layer,)
    is_first = not lake_format.is_made(folder(settings.paths.lake))
    with writing(settings, console, needs_model=SILVER in layers, clock=clock) as context:
        run_layers(context, layers)
    if is_first:
        key_file = secret_places.key_file(settings.subjects.key, lake=settings.paths.lake)
        next_steps.show(console, words, key_file=key_file)


def check_inputs(layer: str, settings: Settings) -> None:
    """Raises BadInput for what can be refused before Spark starts: folders that lie in one another, no
    landing folder, no such extractor or weights."""
    paths = settings.paths
    if overlap(paths.landing, paths.lake):
        raise BadInput(
            f"The landing folder {paths.landing} and the lake {paths.lake} lie one within the other; "
            f"name two separate folders."
        )
    if layer in (BRONZE, "all"):
        Landing(paths.landing).check()
        listings.check(settings)
        Labels.of(settings.labels, NameRule())
    if layer in (SILVER, GOLD, "all"):
        source_sha256(settings.model)
