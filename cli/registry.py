"""Every command of the command line, in the order in which help shows them. A new command is one entry in a
file of cli/declarations, and one file in cli/commands with what it does."""

from __future__ import annotations

from cli.command import Command
from cli.declarations import emr_commands, lake_commands, model_commands, privacy_commands

COMMANDS: tuple[Command, ...] = (
    *lake_commands.COMMANDS,
    *model_commands.COMMANDS,
    *privacy_commands.COMMANDS,
    *emr_commands.COMMANDS,
)

BY_NAME = {command.name: command for command in COMMANDS}
