"""`predict`: which kinds of fruit photo files show. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Command, Parser, Words
from cli.lake_access import existing_lake
from cli.output import photo_tables
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format
from page.predictions import Predictor


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows the kinds that photo files may be of, and how surely. Raises BadInput, also where some photos
    can't be used."""
    files = existing_lake(settings)
    lake_format.check_format(files)
    predictor = Predictor.of(files, settings, version=words.classifier)
    predictions = list(predictor.predict(words.photos))
    photo_tables.predictions(console, predictions, by=predictor.classifier)
    refused = sum(prediction.refused is not None for prediction in predictions)
    if refused:
        raise BadInput(
            f"{refused:,} of {len(predictions):,} photos can't be used; the table says why."
        )


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("photos", metavar="PHOTO", nargs="+", help="files of photos")
    parser.add_argument(
        "--classifier", metavar="VERSION", help="as models lists them (default: the champion)"
    )


COMMAND = Command(
    name="predict",
    help="which kinds of fruit photo files show, and how surely",
    example=("predict a.jpg b.jpg", "which kinds of fruit these photos show"),
    run=run,
    add_arguments=_add_arguments,
)
