"""`similar`: the photos of the lake that are most similar to one. Without Spark."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.declarations.model_commands import SHEET
from cli.json_console import JsonConsole
from cli.lake_access import existing_lake
from cli.output import photo_tables, places, prediction_data
from cli.output.photo_tables import one_line
from cli.output.sentences import say
from conf.errors import BadInput
from conf.settings import Settings
from gold import model_reader
from gold.model_versions import ClassifierVersion
from gold.training_photos import TrainingPhotos
from lake import lake_format
from lake.storage.folder import Folder
from page import contact_sheet
from page.known_photos import Known, KnownPhotos
from page.predictions import local_model, looked_at
from page.similar_photos import Embeddings, Neighbourhood
from report.thumbnails import FreePhotos
from silver.local_inference import InProcessModel, LookedAt


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows the most similar photos of the lake. Raises BadInput, also where the photo can't be used."""
    if isinstance(console, JsonConsole) and words.json:
        raise BadInput("--log json and --json don't go together: leave one of them out.")
    files = existing_lake(settings)
    lake_format.check_format(files)
    model = local_model(files, settings)
    photo = _looked_at(model, words.photo)
    # For one question nothing is worth keeping in memory.
    held = Embeddings(files.root, model.weights_id, memory=0)
    found = held.around(photo.embedding, count=int(words.count))
    if not found.nearest:
        raise BadInput(
            f"The lake {files.root} has no photos of that model yet: run python run.py --layer all."
        )
    free = FreePhotos.of(files.root, [each.photo_id for each in found.nearest])
    classifier = _classifier(files, model)
    photos = KnownPhotos.of(files.root, model.weights_id, classifier)
    known = photos.find(photo.fingerprint)
    trained = _trained(photos.training, found)
    if words.json:
        facts = _facts(words.photo, known, found, paths=free.paths, trained=trained or {})
        prediction_data.document(console, facts)
    else:
        photo_tables.similar(
            console, found, paths=free.paths, trained=trained, to=one_line(words.photo)
        )
        if known.is_held:
            say(console, _held(known, classifier))
    if words.open or words.out:
        text = contact_sheet.html(found, free, model=settings.model.extractor, limits=model.limits)
        _show(words, text, console)


def _looked_at(model: InProcessModel, photo: str) -> LookedAt:
    """What the model makes of a photo file. Raises BadInput where it can't be used."""
    if os.path.isdir(photo):
        raise BadInput(f"{one_line(photo)} is a folder: name one photo in it.")
    try:
        return looked_at(model, photo)
    except BadInput as refused:
        raise BadInput(f"{one_line(photo)} can't be used: {refused}; name another photo.") from None


def _classifier(files: Folder, model: InProcessModel) -> ClassifierVersion | None:
    """The champion of the model's classifiers; None where there is none, or its parameters were wiped."""
    try:
        return model_reader.classifier(files.root, weights_id=model.weights_id)
    except BadInput:
        return None


def _trained(
    training: TrainingPhotos | None, found: Neighbourhood
) -> dict[str, bool | None] | None:
    """Whether the classifier was trained on each photo that was found, by its id; None without one."""
    if training is None:
        return None
    return {
        each.photo_id: training.holds(each.photo_id, label=each.label) for each in found.nearest
    }


def _held(known: Known, classifier: ClassifierVersion | None) -> str:
    """The sentence for a photo that the lake has."""
    label = f", with the label {one_line(known.label)}" if known.label else ", without a label"
    trained = ""
    if classifier and known.trained_on is not None:
        trained = (
            f", and {classifier.version} was {'' if known.trained_on else 'not '}trained on it"
        )
    return f"The lake has this photo{label}{trained}."


def _facts(
    photo: str,
    known: Known,
    found: Neighbourhood,
    *,
    paths: Mapping[str, str],
    trained: Mapping[str, bool | None],
) -> dict[str, object]:
    """The answer for programs; a path that may not be shown is null."""
    similar = [
        {
            "photo_id": each.photo_id,
            "label": each.label,
            "similarity": each.similarity,
            "path": paths.get(each.photo_id),
            "trained_on": trained.get(each.photo_id),
        }
        for each in found.nearest
    ]
    return {
        "photo": photo,
        "label": known.label,
        "trained_on": known.trained_on,
        "average": found.average,
        "similar": similar,
    }


def _show(words: Words, text: str, console: Console) -> None:
    """Write the contact sheet, open it where that is wanted and possible, and say where it is."""
    file = Path(words.out or SHEET)
    contact_sheet.write(text, file)
    more = ""
    if words.open and not contact_sheet.opened(file, environment=os.environ, platform=sys.platform):
        more = " (no browser can be opened here: open this file in one)"
    more += ". No photo of a person is in it. An erasure does not find it: delete it after use."
    screen = Console(stderr=True, highlight=False) if words.json else console
    places.show(screen, "pictures", str(file), more)
