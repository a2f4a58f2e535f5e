"""Our sentences for what pydantic finds wrong with values: each says what to give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from conf.errors import BadSettings
from conf.secret_values import may_be_secret
from conf.setting_files import BASE, CLUSTER, USUAL_BASE, shipped
from conf.setting_schema import CONFIG, fields, form, lacking, takes_number
from conf.setting_sources import EXCLUDING, Gathered, SettingSource
from conf.toml_text import as_value

LONGEST = 60
"""The most characters of a value that a message shows."""


def problems_of(found: Gathered, error: ValidationError | None) -> list[str]:
    """Return a sentence for each value that is missing or can't be used.

    `error` is what pydantic says of the values. What is missing only because a file couldn't be read is left
    out.
    """
    bad = dict.fromkeys(_keys(found, error))
    told = [_bad_value(found, key) for key in bad]
    if found.is_complete:
        told += [*_missing(found), *_target(found)]
    return told


def raise_all(problems: Sequence[str]) -> None:
    """Raise BadSettings where there are problems: one as it is, several with a line for each."""
    if len(problems) == 1:
        raise BadSettings(problems[0])
    if problems:
        lines = "".join(f"\n  {each}" for each in problems)
        raise BadSettings(f"The settings have {len(problems)} errors; put each right:{lines}")


def _keys(found: Gathered, error: ValidationError | None) -> Iterator[str]:
    """Yield the keys of values that can't be used, as they stand in `origins`."""
    for each in error.errors() if error else ():
        key = ".".join(map(str, each["loc"][:2]))
        if key == CONFIG:
            key = ".".join(map(str, each["loc"]))
        if key in found.origins:
            yield key
    for key, field in fields(found.model).items():
        if takes_number(field) and isinstance(_value(found, key), bool):
            yield key  # pydantic takes true for 1


def _value(found: Gathered, key: str) -> Any:
    if key.startswith(f"{CONFIG}."):
        return found.values["spark"]["config"][key.removeprefix(f"{CONFIG}.")]
    section, _, rest = key.partition(".")
    return found.values.get(section, {}).get(rest)


def _bad_value(found: Gathered, key: str) -> str:
    known = fields(found.model).get(key)
    wanted = form(known) if known else "a text in quotes"
    value = _value(found, key)
    shown = "" if may_be_secret(key, value) else f" = {_short(value)}"
    return f"{found.origins[key].told(key)}{shown}: give {wanted}."


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else as_value(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _missing(found: Gathered) -> Iterator[str]:
    """Yield a sentence for each source that has begun sections and lacks keys of them, or whole sections."""
    lacks: dict[tuple[SettingSource, str], list[str]] = {}
    for section, keys in lacking(found.model, found.values).items():
        begun = [each for key, each in found.origins.items() if key.startswith(f"{section}.")]
        source = begun[0] if begun else found.files[0]
        base = CLUSTER if section == CLUSTER else USUAL_BASE
        is_there = section in found.values
        named = [f"{section}.{key}" for key in keys] if is_there else [f"[{section}]"]
        lacks.setdefault((source, base), []).extend(named)
    for (source, base), names in lacks.items():
        what = f"{source.told(base, names_key=False)}: the settings lack {', '.join(names)}"
        if source.kind != "file":
            yield f"{what}; use --conf {base}, which has them."
        elif source.name in shipped():
            yield f"{what}; add what is missing."
        else:
            yield f'{what}; add what is missing, or take it from {BASE} = "{base}" at the top.'


def _target(found: Gathered) -> Iterator[str]:
    """Yield a sentence where not exactly one of two keys that exclude one another is set."""
    one, other = EXCLUDING
    section = one.partition(".")[0]
    given = [key for key in (one, other) if _value(found, key) is not None]
    if section in found.values and len(given) != 1:
        source = found.origins[other] if given else found.files[-1]
        what = f"both {one} and {other} are" if given else f"neither {one} nor {other} is"
        yield f"{source.told(section, names_key=False)}: {what} set; set one of them."
