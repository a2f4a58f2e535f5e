"""What a log may keep of an error."""

import pytest

from cli import error_messages
from conf.errors import BadInput, LeftBehind

NAME = "landing/subject=anna lee/label=kiwi/a, b.jpg"


@pytest.mark.parametrize(
    "key", ["Subject = ", "subject%3D", "subject%253D", "SUBJECT%20=", "subject＝", "subject﹦"]
)
def test_no_log_has_a_name_behind_any_spelling_of_the_key(key):
    logged = error_messages.logged(BadInput(f"landing/{key}anna/b.jpg can't be used."))
    assert logged.startswith("landing/subject=…")
    assert "anna" not in logged


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (BadInput("a.jpg can't be used: empty; name another photo."), "a.jpg can't be used"),
        (BadInput(f"{NAME} can't be used: empty; name another photo."), "landing/subject=…"),
        (BadInput("Give only the part that follows subject=."), "that follows subject=."),
        (LeftBehind(NAME), "--log text names it"),
        (OSError(2, "gone", NAME), "--log text says it"),
    ],
)
def test_no_log_has_the_name_of_a_person(error, kept):
    logged = error_messages.logged(error)
    assert kept in logged
    assert "anna" not in logged
    assert "b.jpg" not in logged
