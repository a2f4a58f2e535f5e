"""The sentences about keys that the settings don't have, with what is meant perhaps."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from conf.setting_files import BASE
from conf.setting_schema import CONFIG, Model, fields, sections

Spelled = Callable[[str], str]
"""How a source writes a key: pca.scale stands in an environment variable as FRUIT_LAKE__PCA__SCALE."""


def unknown_key(model: Model, key: str, *, spelled: Spelled) -> str:
    """Return what is wrong with a key that the settings don't have, and what to do.

    A section is looked for first, then a key within it: `silver.bach` is near to no section, whatever its
    second word is near to.
    """
    section, dot, rest = key.partition(".")
    known = sections(model)
    if BASE in (key, rest):
        return (
            f"{BASE} stands in a settings file alone, at its top; name other settings with --conf."
        )
    if key in known:
        return f"{key} is a section and no setting; set one of its keys: {_keys(model, key)}."
    if section in known:
        return f"unknown key {key}; {_within(model, section, rest, spelled=spelled)}"
    if not dot and (near := _near(key, [each.partition(".")[2] for each in fields(model)])):
        found = next(each for each in fields(model) if each.endswith(f".{near}"))
        return f"unknown key {key}; did you mean {spelled(found)}?"
    if near := _near(section, known):
        return f"unknown key {key}; {_in_near(model, near, rest, spelled=spelled)}"
    return f"there is no section {section}; the sections are {', '.join(known)}."


def _within(model: Model, section: str, rest: str, *, spelled: Spelled) -> str:
    """Return the end of the sentence about an unknown key of a known section."""
    if f"{section}.config" == CONFIG and "." in rest:
        return f"did you mean {spelled(f'{CONFIG}.{section}.{rest}')}?"
    keys = list(sections(model)[section].model_fields)
    if near := _near(rest, keys, cutoff=0.4):
        return f"did you mean {spelled(f'{section}.{near}')}?"
    elsewhere = [each for each in fields(model) if each.partition(".")[2] == rest]
    if len(elsewhere) == 1:
        return f"did you mean {spelled(elsewhere[0])}?"
    return f"the keys of {section} are {_keys(model, section)}."


def _in_near(model: Model, section: str, rest: str, *, spelled: Spelled) -> str:
    """Return the end of the sentence about a section that is written wrong."""
    near = _near(rest, sections(model)[section].model_fields) if rest else ""
    return f"did you mean {spelled(f'{section}.{near}')}?" if near else f"did you mean {section}?"


def _keys(model: Model, section: str) -> str:
    return ", ".join(sections(model)[section].model_fields)


def _near(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""
