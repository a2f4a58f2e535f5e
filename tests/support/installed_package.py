"""The product as `pip install .` puts it into a folder, and Python processes that know only that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def install(folder: Path) -> Path:
    """Installs the product, without its dependencies, and returns the folder that holds its packages.

    pip builds from a copy, because it leaves files beside what it builds.
    """
    source, target = folder / "source", folder / "installed"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "run.py"):
        shutil.copy(ROOT / name, source)
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    unwanted = shutil.ignore_patterns("__pycache__", "screenshots")
    for pattern in tool["packages"]["find"]["include"]:
        room = pattern.removesuffix("*")
        shutil.copytree(ROOT / room, source / room, ignore=unwanted)
    words = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-compile", "--no-index"]
    words += ["--disable-pip-version-check", "--target", str(target), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    return target


def python(code: str, *words: str, installed: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A process that runs code in another folder, with no way to the project but the installed packages."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
