"""`settings`: each setting in force, its source and its meaning, as a settings file. Without Spark."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words, one_of
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
    loaded = load(getattr(words, "conf", "local"), overrides=overrides(words))
    shown = settings_file.shown(
        loaded,
        sections=words.sections or SECTIONS,
        only_changed=words.changed,
        flag=lambda key: flag_of(words, key),
    )
    settings_file.show(console, loaded, shown, is_whole=not (words.sections or words.changed))
