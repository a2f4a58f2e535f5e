"""`samples`: generated photos in the landing folder."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from conf.settings import Settings
from lake.samples.sample_photos import write_samples


def run(words: Words, settings: Settings, console: Console) -> None:
    """Makes sure that the landing folder holds so many generated photos."""
    make(int(words.count), settings, console)


def make(count: int, settings: Settings, console: Console) -> None:
    """Makes sure that the landing folder holds so many generated photos, and says how many are new."""
    written = write_samples(settings.paths.landing, count)
    console.print(
        f"{settings.paths.landing} holds {count:,} sample photos, {written:,} of them new."
    )
