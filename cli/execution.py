"""A command line that was understood, done: settings, buckets, then the command or the layers."""

from __future__ import annotations

from rich.console import Console

from cli import layers
from cli.command import Words
from cli.layers import RunLayers
from cli.output.sentences import say
from cli.registry import BY_NAME
from cli.setting_flags import overrides
from conf.label_settings import FILE
from conf.settings import Settings
from lake import working_files
from lake.enums import BRONZE
from lake.storage.addresses import is_s3
from privacy import bucket_checks


def execute(words: Words, console: Console, run_layers: RunLayers) -> None:
    """Does what the words say. `run_layers` is the flow that `--layer` runs. Raises as commands do."""
    command = BY_NAME.get(words.command)
    usual = command.settings_name if command else "local"
    settings = Settings.load(getattr(words, "conf", usual), overrides=overrides(words))
    working_files.use(settings.paths.working)
    check_buckets(words, settings, console)
    if command:
        command.run(words, settings, console)
    else:
        layers.run(words, settings, console, run_layers)


def check_buckets(words: Words, settings: Settings, console: Console) -> None:
    """Checks the buckets that a command reads or writes before it does, and prints notes about them. Raises
    Refused, BadInput."""
    command = BY_NAME.get(words.command)
    if command and command.makes_buckets:
        return
    paths = settings.paths
    roots = [paths.lake, paths.docs_folder]
    if words.layer in (BRONZE, "all") or (command and command.takes_landing):
        roots.append(paths.landing)
        if settings.landing.inventory:
            roots.append(settings.landing.inventory)
        word, _, place = settings.labels.source.partition(":")
        if word == FILE and is_s3(place):
            roots.append(place.rpartition("/")[0])
    erases = bool(command and command.erases)
    for note in bucket_checks.check(roots, settings.buckets, erases=erases):
        say(console, f"note: {note}")
