"""The commands that read a lake and change nothing, without Spark; run.py mounts them."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from cli.tables import lake_tables
from conf.errors import BadInput
from conf.settings import Settings
from lake.storage.folder import Folder
from page.predictions import Predictor, embedded, local_model
from page.similar_photos import Embeddings
from report import html_report
from report.report_facts import ReportFacts

COMMANDS = ("status", "report", "predict", "similar", "serve")


def run(words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder) -> None:
    """The one that `words.command` names. Raises BadInput where the lake is of another format."""
    lake_json.check_format(files)
    if words.command == "report":
        report_command(words, settings, console, files=files)
    elif words.command == "predict":
        predict_command(words, settings, console, files=files)
    elif words.command == "similar":
        similar_command(words, settings, console, files=files)
    elif words.command == "serve":
        serve_command(words, settings, console, files=files)
    else:
        lake_tables.status(console, files, as_json=words.json)


def report_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """What the lake holds and how it came, as one HTML file. Raises BadInput."""
    with console.status("reading the lake"):
        facts = ReportFacts.of(files, settings, with_pictures=words.pictures)
        size = html_report.write(facts, Path(words.out))
    told = f"{words.out}: {size / 1e6:,.1f} MB. No person, path or photo of a person is in it."
    console.print(told, markup=False, soft_wrap=True)


def predict_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """Which kinds of fruit photo files show. Raises BadInput, also where some can't be used."""
    predictor = Predictor.of(files, settings, version=words.classifier)
    predictions = list(predictor.predict(words.photos))
    lake_tables.predictions(console, predictions, by=predictor.classifier)
    refused = sum(prediction.refused is not None for prediction in predictions)
    if refused:
        raise BadInput(
            f"{refused:,} of {len(predictions):,} photos can't be used; the table says why."
        )


def similar_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """The photos of the lake that are most similar to one. Raises BadInput, also where it can't be used."""
    model = local_model(files, settings)
    try:
        embedding = embedded(model, Path(words.photo))
    except BadInput as refused:
        raise BadInput(f"{words.photo} can't be used: {refused}; name another photo.") from None
    # For one question nothing is worth keeping.
    held = Embeddings(files.root, model.weights_id, memory=0)
    found = held.nearest(embedding, count=int(words.count))
    if not found:
        raise BadInput(
            f"The lake {files.root} has no photos of that model yet: run python run.py --layer all."
        )
    lake_tables.similar(console, found, to=words.photo)


def serve_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """The page and its API, until Ctrl-C. Raises BadInput: the lake has no such model, the port is taken."""
    # Loaded here: no other command needs a web framework.
    from page import server
    from page.question_queue import QuestionQueue

    local_model(files, settings)
    server.serve(
        QuestionQueue(files, settings), host=words.host, port=int(words.port), console=console
    )
