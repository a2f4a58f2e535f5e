"""The output of the command `settings`: a settings file, or an event for each setting."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.json_console import JsonConsole
from conf import toml_text
from conf.secret_values import may_be_secret
from conf.setting_files import BASE, shipped
from conf.setting_schema import CONFIG, fields, meaning, sections
from conf.settings import LoadedSettings, Settings

WIDTH = 79
"""The most characters of a line with a meaning, so that a terminal of 80 columns doesn't break it."""

ABOUT = (
    "The settings in force, made by run.py settings. Above each stands its meaning, and behind it where its "
    "value comes from. Save them to a file, change what you want, and name the file with --conf."
)
OVER_BASE = "A setting that you take out gets its value from the base."
ALONE = "The base is empty, so the file stands alone: take none out."


@dataclass(frozen=True)
class ShownSetting:
    """A setting in force. `key` is its name within the table `section`, such as pca or spark.config.

    `source` is the file, the variable or the flag that its value comes from; a `value` that is not set is
    None. `is_secret` says that the value must not be shown.
    """

    section: str
    key: str
    value: Any
    source: str
    meaning: str
    is_secret: bool

    @property
    def name(self) -> str:
        """The name of the setting, as `--set` takes it."""
        return f"{self.section}.{self.key}"


def shown(
    loaded: LoadedSettings,
    *,
    sections: Sequence[str],
    only_changed: bool,
    flag: Callable[[str], str],
) -> list[ShownSetting]:
    """Return the settings of some sections, in their order.

    With `only_changed`, those that differ from the lowest of the files. `flag` returns the flag that has set
    a setting.
    """
    found = []
    for each in _every(loaded, flag=flag):
        before = loaded.lowest_values.get(each.name)
        is_changed = loaded.origins.get(each.name, loaded.lowest) != loaded.lowest
        is_wanted = each.section.partition(".")[0] in sections
        if is_wanted and (not only_changed or (is_changed and each.value != before)):
            found.append(each)
    return found


def _every(loaded: LoadedSettings, *, flag: Callable[[str], str]) -> Iterator[ShownSetting]:
    values = loaded.settings.model_dump(mode="json")
    for name, field in fields(Settings).items():
        section, _, key = name.partition(".")
        if values[section] is None:
            continue
        own = {key: values[section][key]} if name != CONFIG else values[section][key]
        for each, value in own.items():
            table = CONFIG if name == CONFIG else section
            source = loaded.origins.get(f"{table}.{each}")
            told = "default" if source is None else source.name
            yield ShownSetting(
                section=table,
                key=each,
                value=value,
                source=flag(name) if source is not None and source.kind == "flag" else told,
                meaning=meaning(field),
                is_secret=may_be_secret(f"{table}.{each}", value),
            )


def show(
    console: Console, loaded: LoadedSettings, settings: Sequence[ShownSetting], *, is_whole: bool
) -> None:
    """Print settings as a settings file with its base. `is_whole` says that they are all there are.

    With `--log json`, each is an event.
    """
    if isinstance(console, JsonConsole):
        for each in settings:
            value = None if each.is_secret else each.value
            facts = {"key": each.name, "value": value, "is_secret": each.is_secret}
            console.event("setting", **facts, source=each.source, meaning=each.meaning)
        return
    lines = [*_head(loaded, is_whole=is_whole)]
    for table, rows in groupby(settings, lambda each: each.section):
        lines += _table(table, list(rows))
    if not settings:
        lines += ["", *_comment("Nothing here differs from the base.")]
    if is_whole and loaded.settings.emr is None:
        lines += ["", "# [emr] is not set: the cluster of run.py emr. --conf emr has it."]
    text = "\n".join(lines)
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _head(loaded: LoadedSettings, *, is_whole: bool) -> Iterator[str]:
    """Yield the first lines, with the base: shipped settings, or a file that stands alone.

    Such a file is the base of a part of its settings. All of them need none.
    """
    is_shipped = loaded.lowest.name in shipped()
    base = loaded.lowest.name if is_shipped else str(Path(loaded.lowest.path).resolve())
    stands_alone = is_whole and not is_shipped
    yield from _comment(f"{ABOUT} {ALONE if stands_alone else OVER_BASE}")
    yield f"{BASE} = {toml_text.as_value('' if stands_alone else base)}"


def _table(table: str, rows: Sequence[ShownSetting]) -> Iterator[str]:
    described = fields(Settings)[CONFIG] if table == CONFIG else sections(Settings)[table]
    yield ""
    yield from _comment(meaning(described))
    yield f"[{table}]"
    for row in rows:
        if table != CONFIG:
            yield from _comment(row.meaning)
        yield _line(row)


def _line(row: ShownSetting) -> str:
    key, source = toml_text.as_key(row.key), row.source
    if not source.isprintable():
        source = toml_text.as_value(source)  # the path of a file may hold a line break
    if row.value is None:
        return f"# {key} is not set."
    if row.is_secret:
        return f"# {key} is set (from {source}) and not shown here, because it may be a secret."
    return f"{key} = {toml_text.as_value(row.value)}  # {'' if source == 'default' else 'from '}{source}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
    )
