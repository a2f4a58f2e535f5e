"""A new Python for work on bytes of strangers: it inherits nothing that it doesn't need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

START = "import sys; sys.path[:] = sys.argv[4:]; from lake.isolated_work import main; main()"

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The child's environment, beside LD_LIBRARY_PATH, by which some Pythons find their own library."""


def started(descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start `isolated_work.main` with these descriptors. Raises OSError."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", START, *map(str, descriptors), *import_path()],
        env=ENVIRONMENT | {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
    )


@cache
def shared_rights() -> str:
    """Return what a child on this machine could not give up of its parent's rights: `network`, or nothing.

    A kernel may give no namespaces to a process without rights, as in a container with Docker's defaults.
    """
    code = "import sys; sys.path[:] = sys.argv[1:]; from lake.isolated_work import is_apart as a; "
    command = [sys.executable, "-I", "-S", "-c", code + "sys.exit(not a())", *import_path()]
    return "network" if subprocess.run(command, check=False).returncode else ""


def import_path() -> list[str]:
    """Return where this process finds modules, this project among them."""
    code = str(Path(__file__).parents[1])
    found = [os.path.abspath(path) for path in sys.path if path]
    return found if code in found else [code, *found]
