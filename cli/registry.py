"""Every command of the command line, in the order in which help shows them. A new command is its words in
cli/declarations, one entry here, and one file in cli/commands."""

from __future__ import annotations

from cli.command import Command
from cli.declarations.emr_commands import EMR
from cli.declarations.lake_commands import CHECK, REPLAY, REPORT, SAMPLES, STATUS
from cli.declarations.model_commands import MODELS, PREDICT, RETIRE, SERVE, SIMILAR, TRAIN
from cli.declarations.privacy_commands import AUDIT, ERASE, LIFT, RESTORE, RETAIN

COMMANDS: tuple[Command, ...] = (
    SAMPLES,
    STATUS,
    CHECK,
    REPLAY,
    MODELS,
    TRAIN,
    PREDICT,
    SIMILAR,
    SERVE,
    REPORT,
    RETIRE,
    AUDIT,
    ERASE,
    LIFT,
    RETAIN,
    RESTORE,
    EMR,
)

BY_NAME = {command.name: command for command in COMMANDS}
