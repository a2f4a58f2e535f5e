"""The sources of settings: files over one another, environment variables over them, and flags over all.

This module brings the values together as nested tables, remembers the source of each, and notes what can't be
used, so that a user is told of everything at once. The class of the settings (`model`) is a parameter; that
class validates the values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from conf.setting_files import FileReader
from conf.setting_schema import CONFIG, Model, fields, sections, takes_table, takes_text
from conf.unknown_keys import unknown_key

ENVIRONMENT_PREFIX = "FRUIT_LAKE__"
"""The beginning of the names of environment variables that set a key: FRUIT_LAKE__PATHS__LAKE sets
paths.lake."""

EXCLUDING = {"pca.components": "pca.variance", "pca.variance": "pca.components"}
"""Keys that exclude one another. The later one wins; only one file must not have both."""


@dataclass(frozen=True)
class SettingSource:
    """A source of values. `name` is what a user calls it, and `path` is that of a file."""

    kind: Literal["file", "variable", "flag"]
    name: str
    path: str = ""

    def told(self, key: str, *, names_key: bool = True) -> str:
        """Return the beginning of a message about a key. In a file, it `names_key` or the file alone."""
        if self.kind == "flag":
            return f"{self.name} {key}"
        if self.kind == "variable":
            return self.name
        return f"{self.path}: {key}" if names_key else self.path

    def spelled(self, key: str) -> str:
        """Return a key as this source writes it."""
        return variable(key) if self.kind == "variable" else key


FLAG = SettingSource("flag", "--set")


def variable(key: str) -> str:
    """Return the name of the environment variable that sets a key."""
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "__")


@dataclass
class Gathered:
    """The values of all sources, as nested tables.

    `origins` has the source of each value by its `section.key`; a key of Spark's own is
    `spark.config.KEY`. `files` are the files, the lowest first, and `lowest` has the values of
    that one by the same keys. `problems` are sentences about
    what can't be used. Without `is_complete`, a file is missing with all that it says.
    """

    model: Model
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, SettingSource] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    files: list[SettingSource] = field(default_factory=list)
    lowest: dict[str, Any] = field(default_factory=dict)
    is_complete: bool = True

    def take_table(self, table: Mapping[str, Any], source: SettingSource) -> None:
        """Put the values of a file over those that lie below it."""
        known = sections(self.model)
        for name, values in table.items():
            if name not in known:
                named = [f"{name}.{key}" for key in values] if isinstance(values, dict) else []
                for key in named or [name]:
                    self._refuse(key, source)
            elif isinstance(values, dict):
                self.values.setdefault(name, {})
                for key, value in values.items():
                    self.take(f"{name}.{key}", value, source)
            else:
                keys = ", ".join(known[name].model_fields)
                told = f"is a section; write its keys below a line [{name}]: {keys}."
                self.problems.append(f"{source.told(name)} {told}")

    def take(self, key: str, value: Any, source: SettingSource) -> None:
        """Put a value over that of earlier sources. A table of Spark's keys is joined with theirs."""
        if key == CONFIG and isinstance(value, Mapping):
            self.values.setdefault("spark", {}).setdefault("config", {})
            for name, each in _flat(value):
                self._put(f"{CONFIG}.{name}", each, source)
        elif key == CONFIG:
            told = f'is a table of Spark\'s own keys; set one: {CONFIG}.KEY = "VALUE".'
            self.problems.append(f"{source.told(key)} {told}")
        elif key.startswith(f"{CONFIG}."):
            self._put(key, value, source)
        elif key not in fields(self.model):
            self._refuse(key, source)
        elif isinstance(value, Mapping) and not takes_table(fields(self.model)[key]):
            told = f"is a setting and no section; write {key.partition('.')[2]} = VALUE."
            self.problems.append(f"{source.told(key)} {told}")
        else:
            self._put(key, value, source)

    def take_text(self, key: str, text: str, source: SettingSource) -> None:
        """Put a value over the others that is given as text: numbers, booleans and lists as in TOML."""
        known = fields(self.model).get(key)
        self.take(key, text if known is None or takes_text(known) else _parsed(text), source)

    def _put(self, key: str, value: Any, source: SettingSource) -> None:
        other = EXCLUDING.get(key, "")
        if other in self.origins and (self.origins[other] != source or source == FLAG):
            section, _, rest = other.partition(".")
            del self.values[section][rest], self.origins[other]
        if key.startswith(f"{CONFIG}."):
            table = self.values.setdefault("spark", {}).setdefault("config", {})
            table[key.removeprefix(f"{CONFIG}.")] = value
        else:
            section, _, rest = key.partition(".")
            self.values.setdefault(section, {})[rest] = value
        self.origins[key] = source
        if source in self.files[:1]:
            self.lowest[key] = value

    def _refuse(self, key: str, source: SettingSource) -> None:
        """Note a key that the settings don't have, and an unknown section once for all of its keys."""
        told = unknown_key(self.model, key, spelled=source.spelled)
        problem = f"{source.told(key, names_key=False)}: {told}"
        if problem not in self.problems:
            self.problems.append(problem)


def gathered(
    model: Model, conf: str, *, environment: Mapping[str, str], overrides: Sequence[str]
) -> Gathered:
    """Return the values of `conf` under those of the environment and of the overrides.

    `conf` is the name of a shipped file without `.toml`, or the path of a TOML file. An override is written
    `section.key=value`.
    """
    reader = FileReader(model)
    files = reader.chain(conf)
    found = Gathered(model, problems=list(reader.problems), is_complete=reader.is_complete)
    for file in files:
        found.files.append(SettingSource("file", file.name, str(file.path)))
        found.take_table(file.values, found.files[-1])
    for name, text in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            found.take_text(key, text, SettingSource("variable", name))
        elif key := _misspelled_variable(model, name):
            found.problems.append(f"{name}: write it as {variable(key)}, with two _ between words.")
    for override in overrides:
        key, equals, text = override.partition("=")
        if equals and key.strip():
            found.take_text(key.strip(), text.strip(), FLAG)
        else:
            found.problems.append(f"--set {override}: write it as section.key=value.")
    return found


def _misspelled_variable(model: Model, name: str) -> str:
    """Return the key that a variable such as FRUIT_LAKE_PATHS_LAKE means to set, or an empty text."""
    if not name.startswith(ENVIRONMENT_PREFIX.rstrip("_")):
        return ""
    plain = name.replace("_", "")
    return next((key for key in fields(model) if variable(key).replace("_", "") == plain), "")


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield Spark's keys with their values. TOML reads a key that stands without quotes as nested tables."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{rest}", each) for rest, each in _flat(value))
        else:
            yield key, value


def _parsed(text: str) -> Any:
    """Return the value that TOML reads from a text, or the text itself where it isn't TOML."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
