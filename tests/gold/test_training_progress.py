"""What a terminal shows while classifiers are trained."""

import io

import pytest
from rich.console import Console

from gold import training_progress
from gold.training_progress import TrainingProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    times = [0.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: times[0])
    return times


def test_the_time_left_follows_from_the_steps_that_are_done(clock):
    console = Console(file=io.StringIO())
    progress = TrainingProgress(console, [100, 100, 10, 10])
    assert progress.told() == "step 1 of 4"
    for now, told in (
        (30.0, "step 2 of 4, about 36 s left"),
        (50.0, "step 3 of 4, about 5 s left"),
        (52.0, "step 4 of 4, about 2 s left"),
    ):
        with progress.step("svm"):
            clock[0] = now
        assert progress.told() == told


def test_a_terminal_shows_the_step():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with TrainingProgress(console, [1.0]).step("svm on embeddings"):
        pass
    assert "svm on embeddings, step 1 of 1" in console.file.getvalue()


def test_a_step_that_fails_is_not_done():
    progress = TrainingProgress(Console(file=io.StringIO()), [1, 1])
    with pytest.raises(ZeroDivisionError), progress.step("svm"):
        raise ZeroDivisionError
    assert progress.told() == "step 1 of 2"
