"""`predict`: which kinds of fruit photo files show. Without Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.command import Words
from cli.json_console import JsonConsole
from cli.lake_access import existing_lake
from cli.output.photo_tables import PredictionTable, one_line
from cli.output.prediction_data import CsvWriter, JsonWriter, PredictionWriter
from cli.output.sentences import say
from conf.errors import BadInput
from conf.settings import Settings
from gold.model_versions import ClassifierVersion
from lake import lake_format, photo_formats
from page.photo_files import PhotoFiles
from page.predictions import Prediction, Predictor


@dataclass
class Counts:
    """How many photos were looked at, how many were refused, how many the classifier was trained on, and how
    many of the others have a label in the lake, and how many of those the classifier is right about."""

    photos: int = 0
    refused: int = 0
    trained_on: int = 0
    labelled: int = 0
    right: int = 0

    def add(self, found: Prediction) -> None:
        """Count a photo."""
        self.photos += 1
        self.refused += found.refused is not None
        self.trained_on += found.trained_on is True
        if found.trained_on is False and found.label and found.kinds:
            self.labelled += 1
            self.right += found.kinds[0][0] == found.label


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows the kinds that photo files may be of, and how surely. Raises BadInput, also where some photos
    can't be used."""
    is_log, is_data = isinstance(console, JsonConsole), words.json or words.csv
    if is_log and is_data:
        raise BadInput("--log json and --json or --csv don't go together: leave one of them out.")
    files = existing_lake(settings)
    lake_format.check_format(files)
    predictor = Predictor.of(files, settings, version=words.classifier)
    photos = PhotoFiles.of(words.photos)
    if photos.is_empty:
        raise BadInput(_nothing(photos))
    counts, reason = Counts(), None
    writer = _writer(words, console, predictor.classifier)
    predictions = predictor.predict(photos.paths, unusable=photos.unusable)
    for found in _with_progress(predictions, console, total=len(photos.paths), is_data=is_data):
        writer.add(found)
        counts.add(found)
        reason = reason or found.refused
    if is_data or is_log or counts.photos > 1 or not reason:
        writer.end()
    if not is_data:
        for line in filter(None, (_summary(counts), photos.sentence())):
            say(console, line)
    if reason:
        where = "`refused` of each" if is_data else "the table"
        name = one_line(photos.paths[0])
        raise BadInput(
            f"{name} can't be used: {reason}; name another photo."
            if counts.photos == 1 and not is_log
            else f"{counts.refused:,} of {counts.photos:,} photos can't be used; {where} says why."
        )


def _nothing(photos: PhotoFiles) -> str:
    """The sentence for folders without any photo."""
    names = ", ".join(map(one_line, photos.unusable))
    [*_, why] = photos.unusable.values()
    what = (
        why
        if len(photos.unusable) == 1
        else f"no photo ({photo_formats.listed('or')}) is in these folders"
    )
    passed = f" ({photos.sentence().rstrip('.').lower()})" if photos.passed_over else ""
    return f"{names}: {what}{passed}; name photos, or a folder with photos in it."


def _writer(words: Words, console: Console, by: ClassifierVersion) -> PredictionWriter:
    """Where the predictions go."""
    if words.json:
        return JsonWriter(console, by)
    return CsvWriter(console) if words.csv else PredictionTable(console, by)


def _with_progress(
    predictions: Iterable[Prediction], console: Console, *, total: int, is_data: bool
) -> Iterator[Prediction]:
    """The predictions, with a bar on a terminal meanwhile. Where the output is data, the bar is beside it, on
    the standard error, and only where the data goes elsewhere."""
    screen = Console(stderr=True) if is_data or not console.is_terminal else console
    is_mixed = is_data and console.is_terminal
    is_shown = screen.is_terminal and not isinstance(console, JsonConsole) and not is_mixed
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=screen,
        disable=not is_shown or total == 1,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        yield from bar.track(predictions, total=total, description="photos")


def _summary(counts: Counts) -> str:
    """What is to be known of several photos together, in words."""
    lines = []
    if counts.photos > 1:
        refused = f"{counts.refused:,} can't be used" if counts.refused else "all can be used"
        lines.append(f"{counts.photos:,} photos: {refused}.")
    if counts.trained_on:
        some = counts.photos > 1
        of_all = f"{counts.trained_on:,} of them" if some else "this photo"
        answers = "its answers there say" if some else "its answer says"
        lines.append(f"The classifier was trained on {of_all}: {answers} little about new photos.")
    if counts.labelled:
        lines.append(
            f"Of {counts.labelled:,} that it was not trained on and that have a label in the lake, it is "
            f"right about {counts.right:,}."
        )
    return " ".join(lines)
