"""Every command of the command line, in the order in which help shows them. A new command is one entry here
and one file in cli/commands."""

from __future__ import annotations

from cli.command import Command
from cli.commands import (
    audit,
    check,
    emr,
    erase,
    lift,
    models,
    predict,
    replay,
    report,
    restore,
    retain,
    retire,
    samples,
    serve,
    settings,
    similar,
    status,
    train,
)

COMMANDS: tuple[Command, ...] = (
    samples.COMMAND,
    settings.COMMAND,
    status.COMMAND,
    check.COMMAND,
    replay.COMMAND,
    models.COMMAND,
    train.COMMAND,
    predict.COMMAND,
    similar.COMMAND,
    serve.COMMAND,
    report.COMMAND,
    retire.COMMAND,
    audit.COMMAND,
    erase.COMMAND,
    lift.COMMAND,
    retain.COMMAND,
    restore.COMMAND,
    emr.COMMAND,
)

BY_NAME = {command.name: command for command in COMMANDS}
