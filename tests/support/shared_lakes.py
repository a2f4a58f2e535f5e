"""Lakes that the suite makes once, whichever of its processes first needs them."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], dict[str, Any]]
) -> tuple[Path, dict[str, Any]]:
    """Return the folder that `make` fills, and the facts about it that `make` returns.

    The first process of the suite that asks makes it, and the others wait. Nobody may change it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, facts = base / name, base / f"{name}.pickle"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not facts.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what an earlier try left
            folder.mkdir()
            facts.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(facts.read_bytes())
