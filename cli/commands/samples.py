"""`samples`: generated photos in the landing folder."""

from __future__ import annotations

from rich.console import Console

from bronze.samples.sample_photos import write_samples
from cli.command import Command, Parser, Words, photo_count
from conf.settings import Settings


def run(words: Words, settings: Settings, console: Console) -> None:
    """Makes sure that the landing folder holds so many generated photos."""
    make(int(words.count), settings, console)


def make(count: int, settings: Settings, console: Console) -> None:
    """Makes sure that the landing folder holds so many generated photos, and says how many are new."""
    written = write_samples(settings.paths.landing, count)
    console.print(
        f"{settings.paths.landing} holds {count:,} sample photos, {written:,} of them new."
    )


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("count", metavar="N", help="the number of photos to have")


def _check(words: Words) -> None:
    photo_count(words.count)


COMMAND = Command(
    name="samples",
    help="fill the landing folder with generated photos",
    example=("samples 60", "at least so many photos in the landing folder"),
    run=run,
    add_arguments=_add_arguments,
    check=_check,
    takes_landing=True,
)
