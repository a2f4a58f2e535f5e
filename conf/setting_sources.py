"""The sources of settings: a TOML file, environment variables over it, and flags over both.

This module brings the values together as nested tables and refuses unknown keys. The class of the settings
(`model`) is a parameter; that class validates the values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from conf.errors import BadSettings, hint

HERE = Path(__file__).parent
"""The folder of the settings files that the project ships."""

ENVIRONMENT_PREFIX = "FRUIT_LAKE__"
"""The beginning of the names of environment variables that set a key: FRUIT_LAKE__PATHS__LAKE sets
paths.lake."""

Model = type[BaseModel]
"""The class of the settings. Each of its fields is a section, and is a model itself."""


def gathered(
    model: Model, conf: str, *, environment: Mapping[str, str], overrides: Sequence[str]
) -> dict[str, Any]:
    """Return the values of `conf` under those of the environment and of the overrides, as nested tables.

    `conf` is the name of a shipped file without `.toml`, or the path of a TOML file. An override is written
    `section.key=value`. Raises BadSettings where there is no such file, where it isn't TOML, or where a
    source has an unknown key.
    """
    values = _read_toml(model, conf)
    for name, text in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _assign(model, values, key, text, source=name)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise BadSettings(f"--set {override}: write it as section.key=value.")
        _assign(model, values, key.strip(), text.strip(), source=f"--set {key.strip()}")
    return values


def bad_value(error: ValidationError, *, conf: str) -> BadSettings:
    """Return the error that tells a user of the first value that is missing or can't be used."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return BadSettings(f"{conf}: the settings lack {where}; add it.")
    what = f"{where} = {first['input']!r}: " if where and where != "pca" else ""
    return BadSettings(f"{what}{first['msg']}.")


def known_keys(model: Model) -> list[str]:
    """Return every `section.key` that the settings have."""
    return [f"{name}.{key}" for name in model.model_fields for key in _keys_of(model, name)]


def _keys_of(model: Model, section: str) -> Mapping[str, FieldInfo]:
    """Return the keys of a section with their types, also of an optional section (`EmrSettings | None`)."""
    annotation = model.model_fields[section].annotation
    alternatives = get_args(annotation) or (annotation,)
    return next(each.model_fields for each in alternatives if issubclass(each, BaseModel))


def _read_toml(model: Model, conf: str) -> dict[str, Any]:
    path = Path(conf) if conf.endswith(".toml") else HERE / f"{conf}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in HERE.glob("*.toml")))
        raise BadSettings(
            f"--conf {conf}: no such settings; name one of {shipped} or a .toml file."
        )
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: not valid TOML ({error}).") from None
    for key in _dotted_keys(values):
        _check_known(model, key, source=str(path))
    return values


def _dotted_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the keys of nested tables as `section.key`.

    The table spark.config counts as one key, because Spark knows what may stand in it.
    """
    return [
        key
        for name, value in values.items()
        for key in (
            _dotted_keys(value, f"{prefix}{name}.")
            if isinstance(value, dict) and f"{prefix}{name}" != "spark.config"
            else [f"{prefix}{name}"]
        )
    ]


def _check_known(model: Model, key: str, *, source: str) -> None:
    """Raise BadSettings where the settings have no such key; the message names the nearest key."""
    known = known_keys(model)
    if key in known or key.startswith("spark.config."):
        return
    otherwise = f"the known keys are {', '.join(known)}."
    nearest = hint(key, known, otherwise=otherwise, cutoff=0.4)
    raise BadSettings(f"{source}: unknown key {key}; {nearest}")


def _assign(model: Model, values: dict[str, Any], key: str, text: str, *, source: str) -> None:
    """Put a value that is given as text into the nested tables.

    Numbers, booleans and lists are written as in TOML. Of two keys that exclude one another
    (`pca.components` and `pca.variance`), the later one wins.
    """
    _check_known(model, key, source=source)
    section, _, rest = key.partition(".")
    table: dict[str, Any] = values.setdefault(section, {})
    if rest.startswith("config."):
        table.setdefault("config", {})[rest.removeprefix("config.")] = text
        return
    if section == "pca" and rest in ("components", "variance"):
        table.pop("components", None), table.pop("variance", None)
    table[rest] = text if _takes_text(_keys_of(model, section)[rest]) else _parsed(text)


def _takes_text(field: FieldInfo) -> bool:
    """Return whether a field's type is a text, an optional text, or a choice of texts."""
    kind = field.annotation
    alternatives = () if get_origin(kind) is tuple else get_args(kind)
    return kind is str or any(each is str or isinstance(each, str) for each in alternatives)


def _parsed(text: str) -> Any:
    """Return the value that TOML reads from a text, or the text itself where it isn't TOML."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
