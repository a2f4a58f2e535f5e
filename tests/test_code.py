"""The linter, the formatter and the type checker, so that one command runs all there is to run."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process  # `make lint` runs these three beside `make quick`

ROOT = Path(__file__).resolve().parents[1]
ROOMS = [path.parent.name for path in sorted(ROOT.glob("*/__init__.py"))]


@pytest.mark.parametrize(
    "words",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "run.py", *ROOMS]],
    ids=" ".join,
)
def test_the_code_passes(words):
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
