"""A benchmark that judges what a run makes of photos, in a folder of its own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.input_photos import originals_of
from conf.errors import FruitLakeError


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
