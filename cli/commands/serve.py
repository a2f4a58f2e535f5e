"""`serve`: a web page that says what a photo shows, and its JSON API."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from conf.settings import Settings
from lake import lake_format, secret_places
from page.access import check_token
from page.host_names import HostNames
from page.predictions import local_model


def run(words: Words, settings: Settings, console: Console) -> None:
    """Serves the page and its API until Ctrl-C. Raises BadInput where the lake has no such model, or the port
    is taken, and as `lake.secret_places.secret` for the token."""
    # Loaded here: no other command needs a web framework.
    from page import server
    from page.question_queue import QuestionQueue

    files = existing_lake(settings)
    lake_format.check_format(files)
    token = None
    if words.token is not None:
        token = secret_places.secret(words.token, lake=files.root, make=False, setting="--token")
        check_token(token, place=words.token)
    local_model(files, settings)
    server.serve(
        QuestionQueue(files, settings),
        host=words.host,
        port=int(words.port),
        hosts=HostNames.of(words.host, words.names),
        token=token,
        console=console,
    )
