"""The command `upgrade`, as the command line calls it."""

from rich.console import Console

from cli.commands.upgrade import run
from cli.parser import parse
from conf.settings import Settings


def upgrade(settings: Settings, console: Console) -> None:
    """Upgrades the lake of the settings."""
    run(parse(["upgrade"]), settings, console)
