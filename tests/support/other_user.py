"""Runs a script as a user without rights, for what holds for root doesn't hold for others."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD = "import sys\nsys.path[:0] = sys.argv[1:]\n"


def _python_of_everybody() -> str | None:
    """A Python of this version that other users than root may start."""
    there = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    return there or (None if sys.executable.startswith("/root") else sys.executable)


def as_nobody(script: str, *, given: str = "") -> subprocess.CompletedProcess[str]:
    """What a script of this project does as the user nobody. The test is skipped where it can't be one."""
    if sys.platform != "linux" or os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root")
    python, nobody = _python_of_everybody(), pwd.getpwnam("nobody")
    becoming = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    libraries = str(Path(np.__file__).parents[1])
    for needed in (python, libraries, str(ROOT / "run.py")):
        if not needed or subprocess.run([*becoming, "test", "-r", needed], check=False).returncode:
            pytest.skip("only root may read this Python and this project")
    command = [*becoming, str(python), "-c", HEAD + script, str(ROOT), libraries]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)
