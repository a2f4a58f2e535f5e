"""`settings`: each setting in force, its source and its meaning, as a settings file. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Command, Parser, Words, one_of
from cli.output import settings_file
from cli.setting_flags import flag_of, overrides
from conf import setting_schema
from conf.settings import Settings, load

SECTIONS = tuple(setting_schema.sections(Settings))


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows the settings, or those of some sections, or those that differ from their base.

    Raises BadInput for a section that there is none of.
    """
    for name in words.sections:
        one_of(name, SECTIONS, what="section", otherwise=f"name one of {', '.join(SECTIONS)}.")
    loaded = load(getattr(words, "conf", None) or "local", overrides=overrides(words))
    shown = settings_file.shown(
        loaded,
        sections=words.sections or SECTIONS,
        only_changed=words.changed,
        flag=lambda key: flag_of(words, key),
    )
    settings_file.show(console, loaded, shown, is_whole=not (words.sections or words.changed))


def _add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "sections",
        metavar="SECTION",
        nargs="*",
        default=(),
        help="these sections alone, such as pca",
    )
    parser.add_argument(
        "--changed", action="store_true", help="only what differs from the base: local or emr"
    )


COMMAND = Command(
    name="settings",
    help="each setting in force, where it comes from and what it means, as a settings file",
    example=("settings", "each setting; with > my.toml behind it, a settings file to start from"),
    run=run,
    add_arguments=_add_arguments,
    makes_buckets=True,
)
