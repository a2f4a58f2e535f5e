"""`similar`: the photos of the lake that are most similar to one. Without Spark."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from cli.output import photo_tables
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format
from page.predictions import embedded, local_model
from page.similar_photos import Embeddings


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows the most similar photos of the lake. Raises BadInput, also where the photo can't be used."""
    files = existing_lake(settings)
    lake_format.check_format(files)
    model = local_model(files, settings)
    try:
        embedding = embedded(model, Path(words.photo))
    except BadInput as refused:
        raise BadInput(f"{words.photo} can't be used: {refused}; name another photo.") from None
    # For one question nothing is worth keeping in memory.
    held = Embeddings(files.root, model.weights_id, memory=0)
    found = held.nearest(embedding, count=int(words.count))
    if not found:
        raise BadInput(
            f"The lake {files.root} has no photos of that model yet: run python run.py --layer all."
        )
    photo_tables.similar(console, found, to=words.photo)
