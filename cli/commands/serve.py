"""`serve`: a web page that says what a photo shows, and its JSON API."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from conf.settings import Settings
from lake import lake_format
from page.predictions import local_model


def run(words: Words, settings: Settings, console: Console) -> None:
    """Serves the page and its API until Ctrl-C. Raises BadInput where the lake has no such model, or the port
    is taken."""
    # Loaded here: no other command needs a web framework.
    from page import server
    from page.question_queue import QuestionQueue

    files = existing_lake(settings)
    lake_format.check_format(files)
    local_model(files, settings)
    queue = QuestionQueue(files, settings)
    server.serve(queue, host=words.host, port=int(words.port), console=console)
