"""The command line's words, good and bad."""

import pytest

from conf import arguments
from conf.errors import BadInput


@pytest.mark.parametrize(
    "words",
    [
        ["--lake", "x", "--set", "pca.components=3", "status"],
        ["status", "--lake", "x", "--set", "pca.components=3"],
    ],
)
def test_shared_flags_stand_before_and_after_a_command(words):
    parsed = arguments.parse(words)
    assert parsed.command == "status"
    assert arguments.overrides(parsed) == ["pca.components=3", "paths.lake=x"]


def test_named_flags_go_over_set():
    parsed = arguments.parse(["--layer", "all", "--extractor", "a", "--set", "model.extractor=b"])
    assert arguments.overrides(parsed)[-1] == "model.extractor=a"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say what to do"),
        (["--layer", "brnze"], r"no layer brnze; did you mean bronze\?"),
        (["--layer", "xyz"], "name one of bronze, silver, gold or all"),
        (["statsu"], r"no command statsu; did you mean status\?"),
        (["--layer", "all", "--samples", "-3"], "samples|expected one argument"),
        (["--layer", "all", "--samples", "many"], "many is no number of photos"),
        (["samples", "0"], "0 is no number of photos"),
        (["samples"], "required: N"),
        (["--layer", "all", "status"], "don't go together"),
        (["replay", "--chunk", "3"], "--chunk N and --quarantine go together"),
        (["replay", "--quarantine"], "--chunk N and --quarantine go together"),
        (["replay", "--chunk", "x", "--quarantine"], "--chunk x is no number"),
        (["replay", "--chunk", "3", "--quarantine", "--reason", "r"], "don't go together"),
        (["models", "--refit", "--rollback"], "not allowed with argument --refit"),
        (["check", "--version", "1"], "name it with --table"),
        (["--layer", "all", "--lakes"], "unrecognized arguments: --lakes|expected one argument"),
    ],
)
def test_bad_words_are_refused(words, message):
    with pytest.raises(BadInput, match=message):
        arguments.parse(words)
