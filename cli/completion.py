"""Shell completion of the installed command, `fruit-lake`: what a Tab offers in bash, zsh and fish.

The values that it offers are looked up when a shell asks for them, and nothing else is loaded then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import click
from click.shell_completion import add_completion_class, shell_complete

from cli.command import INSTALLED
from cli.shells import Bash, Fish, Zsh

VARIABLE = "_FRUIT_LAKE_COMPLETE"
"""The environment variable by which a shell asks; click's scripts for shells set it."""

ROOT = Path(__file__).resolve().parents[1]


def is_asked_for() -> bool:
    """Whether a shell has started this process to complete a word, or to get its script."""
    return VARIABLE in os.environ


def answer(commands: click.Command) -> int:
    """Answers the shell on the standard output, and returns the exit code."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)
    return shell_complete(commands, {}, INSTALLED, VARIABLE, os.environ[VARIABLE])


def extractors() -> Iterable[str]:
    """The extractors that the project has."""
    files = (ROOT / "silver" / "extractors").glob("[!_]*.py")
    return sorted(file.stem for file in files)


def precisions() -> Iterable[str]:
    """The precisions that a model can run with."""
    from conf.pipeline_settings import ModelSettings

    return get_args(ModelSettings.model_fields["precision"].annotation)


def setting_files() -> Iterable[str]:
    """The settings that the project ships."""
    from conf import setting_files as files

    return files.shipped()


def settings() -> Iterable[str]:
    """Every setting, as `section.key=`."""
    from conf import setting_schema
    from conf.settings import Settings

    return [f"{key}=" for key in setting_schema.fields(Settings)]


def sections() -> Iterable[str]:
    """The sections of the settings."""
    from conf import setting_schema
    from conf.settings import Settings

    return list(setting_schema.sections(Settings))
