"""Shell completion of the installed command, `fruit-lake`: what a Tab offers in bash, zsh and fish.

The values that it offers are looked up when a shell asks for them, and nothing else is loaded then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import shell_complete

PROGRAM = "fruit-lake"

VARIABLE = "_FRUIT_LAKE_COMPLETE"
"""The environment variable by which a shell asks; click's scripts for shells set it."""

ROOT = Path(__file__).resolve().parents[1]


def asked_for() -> bool:
    """Whether a shell has started this process to complete a word, or to get its script."""
    return VARIABLE in os.environ


def answer(commands: click.Command) -> int:
    """Answers the shell on the standard output, and returns the exit code."""
    return shell_complete(commands, {}, PROGRAM, VARIABLE, os.environ[VARIABLE])


def extractors() -> Iterable[str]:
    """The extractors that the project has."""
    names = (file.stem for file in (ROOT / "silver" / "extractors").glob("*.py"))
    return sorted(name for name in names if name != "__init__")


def setting_files() -> Iterable[str]:
    """The settings that the project ships."""
    return ("emr", "local")


def settings() -> Iterable[str]:
    """Every setting, as `section.key=`."""
    from conf.settings import known_keys

    return [f"{key}=" for key in known_keys()]


def judged_tables() -> Iterable[str]:
    """The tables that have a suite of expectations."""
    names = sorted(file.stem for file in (ROOT / "expectations").glob("*_*.json"))
    return [name.replace("_", "/", 1) for name in names]


def tables() -> Iterable[str]:
    """Every table of a lake."""
    from lake.catalog import TABLES

    return [table.name for table in TABLES]


def reasons() -> Iterable[str]:
    """The reasons for which silver refuses a photo."""
    from silver.pixels import RefusalReason

    return list(RefusalReason)
