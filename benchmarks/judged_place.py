"""A benchmark that judges what a run makes of photos, in a folder of its own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.input_photos import originals_of
from benchmarks.process_watch import Watch, end_of, watched
from conf.errors import BadInput, FruitLakeError

ROOT = Path(__file__).resolve().parents[1]
LOG = "log"
"""The file in a place with what its last command printed."""


def called(place: Path, *words: str, overrides: Sequence[str]) -> tuple[int, Watch]:
    """Run a command over the folders of a place, and return its exit code and what was seen meanwhile."""
    command = [sys.executable, str(ROOT / "run.py"), *words]
    command += [word for each in overrides for word in ("--set", each)]
    return watched(command, place=place, log=place / LOG)


def run(place: Path, *words: str, overrides: Sequence[str]) -> Watch:
    """Run a command as `called` does. Raises BadInput where it fails."""
    code, watch = called(place, *words, overrides=overrides)
    if code:
        said = end_of(place / LOG)
        raise BadInput(f"run.py {' '.join(words)} failed with exit code {code}:\n{said}")
    return watch


def exit_code(
    judge: Callable[[Path, Path, Console], bool], *, photos: Path | None, place: Path | None
) -> int:
    """Judge a place and the photos, and return 0 where all is right.

    The place is an empty folder, which is kept where it is named. The photos are those of a folder, or else
    as `originals_of` finds them. An error is shown and gives its exit code.
    """
    console = Console(width=None if sys.stdout.isatty() else 140)
    work = place or Path(tempfile.mkdtemp())
    try:
        return 0 if judge(work, originals_of(photos, work=work), console) else 1
    except FruitLakeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        if not place:
            shutil.rmtree(work)
