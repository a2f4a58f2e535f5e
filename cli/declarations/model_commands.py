"""The commands on models and what they say of photos: models, train, retire, predict, similar, serve."""

from __future__ import annotations

from cli.command import Command, Words, photo_count, whole_number
from cli.parameters import PATH, Argument, Flag, Option
from conf.errors import BadInput
from page.host_names import HostNames, is_loopback

SHEET = "similar.html"
"""The page of pictures that `similar --open` writes where `--out` names none."""


def _check_similar(words: Words) -> None:
    photo_count(words.count)


def _check_serve(words: Words) -> None:
    whole_number(words, "port")
    HostNames.of(words.host, words.names)
    if words.token is None and not is_loopback(words.host):
        raise BadInput(
            f"--host {words.host} lets other machines ask, so the page needs a password; name its place with "
            f"--token env:NAME or --token file:PATH."
        )


COMMANDS = (
    Command(
        name="models",
        help="every model version; fit, promote or roll back one",
        example=("models --rollback", "the PCA version before the champion, for readers"),
        parameters=(
            Flag("--refit", "fit a new PCA version now"),
            Option("--promote", "VERSION", "make this version the champion"),
            Flag("--rollback", "make the version before the champion the champion"),
            Flag("--recompute", "take gold/moments anew from silver/embeddings"),
        ),
        exclusive=(("refit", "promote", "rollback", "recompute"),),
    ),
    Command(
        name="train",
        help="fit and test classifiers of the kinds of fruit",
        example=("train", "classifiers of kinds, tested on photos held out"),
    ),
    Command(
        name="retire",
        help="remove a model's rows from silver and gold",
        example=("retire mobilenet_v2", "that model's rows leave silver and gold"),
        parameters=(Argument("model", "MODEL", "its number as status shows it, or its name"),),
    ),
    Command(
        name="predict",
        help="which kinds of fruit photo files show, and how surely",
        example=("predict a.jpg photos", "which kinds of fruit these photos show"),
        parameters=(
            Argument(
                "photos",
                "PHOTO",
                "files of photos, and folders with all photos below them",
                nargs=-1,
                required=True,
                type=PATH,
            ),
            Option("--classifier", "VERSION", "as models lists them (default: the champion)"),
            Flag("--json", "as JSON, for programs"),
            Flag("--csv", "as CSV, for a spreadsheet"),
        ),
        exclusive=(("json", "csv"),),
    ),
    Command(
        name="similar",
        help="the photos of the lake that are most similar to one",
        example=(
            "similar a.jpg --count 5 --open",
            "the photos of the lake that are most like this one",
        ),
        parameters=(
            Argument("photo", "PHOTO", "the file of a photo", type=PATH),
            Option("--count", "N", "how many", default="10"),
            Flag("--json", "as JSON, for programs"),
            Flag("--open", "show them as pictures in a browser, but no person's"),
            Option(
                "--out",
                "FILE",
                f"write that page of pictures to this file (--open alone: {SHEET})",
                type=PATH,
            ),
        ),
        check=_check_similar,
    ),
    Command(
        name="serve",
        help="a web page that says what a photo shows, and its JSON API",
        example=("serve --port 8000", "a page that says which fruit a photo shows"),
        parameters=(
            Option("--port", "N", "at which port the page is", default="8000"),
            Option(
                "--host",
                "HOST",
                "at which address; 127.0.0.1 is this machine alone, others need --token",
                default="127.0.0.1",
            ),
            Option(
                "--token",
                "PLACE",
                "where the password is that clients send: env:NAME, file:PATH or aws-secret:ARN",
                offered=("env:", "file:", "aws-secret:"),
            ),
            Option(
                "--name",
                "NAME",
                "one more name under which browsers ask it; may be given many times",
                stored_as="names",
                multiple=True,
            ),
        ),
        check=_check_serve,
    ),
)
