"""Sentences on the screen."""

import io

import pytest
from rich.console import Console

from cli.output.sentences import say

LONG = "/home/you/photos/of/all/the/fruit"


def said(text, *, width=30, is_terminal=True):
    file = io.StringIO()
    say(Console(file=file, width=width, force_terminal=is_terminal, color_system=None), text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("error: there is no such layer; name one", ["error: there is no such layer;", "name one"]),
        (
            "  quarantined 3 of 57 photos: that is good",
            ["  quarantined 3 of 57 photos:", "    that is good"],
        ),
        ("one\n  two", ["one", "  two"]),
        (f"the lake in {LONG} is gone", ["the lake in", LONG, "is gone"]),
        ("a [bold] name, [/] and :apple: signs", ["a [bold] name, [/] and :apple:", "signs"]),
    ],
)
def test_a_terminal_breaks_lines_between_words(text, lines):
    assert said(text).splitlines() == lines


def test_a_file_has_the_whole_sentence():
    text = f"the lake in {LONG} is gone: name another one with --lake"
    assert said(text, is_terminal=False) == f"{text}\n"
