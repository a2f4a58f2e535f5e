"""`predict`: which kinds of fruit photo files show. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
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
