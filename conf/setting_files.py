"""Settings files: those that the project ships, and files of one's own, which lie over another one.

A file says in its top-level key `base` what it lies over: the name of shipped settings, or the path of
another file, relative to its own folder. An empty base means: the file stands alone. Without that key a file
stands alone if it is a shipped one or has every setting that must be there; otherwise it lies over `local`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf.setting_schema import Model, lacking

HERE = Path(__file__).parent
"""The folder of the settings files that the project ships."""

NO_SETTINGS = {"prices"}
"""The TOML files in that folder that are something else."""

BASE, USUAL_BASE = "base", "local"
CLUSTER = "emr"
"""The section of the cluster's settings, and the name of the shipped settings that have it."""

MISTAKES = (
    (
        "Cannot overwrite|Duplicate inline",
        "a key stands there for the second time; keep one of them",
    ),
    ("Cannot declare", "a [section] stands there for the second time; join the two"),
    ("Unescaped", "a text has a single \\ in it; write \\\\, or the text in 'single quotes'"),
    (
        r"Illegal character|Expected \"'\"|Unterminated",
        "a text doesn't end in its line; close its quotes",
    ),
    (
        "Invalid value",
        "a value isn't valid; write a text in quotes, and true or false in small letters",
    ),
    ("Expected '='", "a key has no value; write KEY = VALUE"),
    ("Expected '\\]'", "a [section] has no closing bracket; add it"),
    (
        "Expected newline",
        "a value has something behind it; a text stands in quotes, a remark behind #",
    ),
)
"""What tomllib says of frequent mistakes, as a pattern, and what we say."""


@dataclass(frozen=True)
class SettingsFile:
    """A settings file as it was read. `name` is what a user calls it: a shipped name, or its path.

    `values` are its nested tables, without `base`. `base` is None where the file says nothing about it.
    """

    name: str
    path: Path
    values: dict[str, Any]
    base: Any = None

    @property
    def is_shipped(self) -> bool:
        """Whether the project ships the file, and it was named by its name."""
        return self.name in shipped()


@dataclass
class FileReader:
    """Reads a settings file and what it lies over. `problems` gets a sentence for each that can't be used."""

    model: Model
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True

    def chain(self, conf: str) -> list[SettingsFile]:
        """Return the files from the lowest to the one that `conf` names: a shipped name or a path."""
        files: list[SettingsFile] = []
        wanted, said, folder = conf, f"--conf {conf}", Path()
        while (file := self._read(wanted, said=said, folder=folder)) is not None:
            files.insert(0, file)
            base = self._base(file)
            if not base:
                return files
            path = _path(base, file.path.parent)
            if path.resolve() in {each.path.resolve() for each in files}:
                names = " → ".join([*(each.name for each in reversed(files)), str(path)])
                self._failed(f"{names}: each is the {BASE} of the one before; take a {BASE} out.")
                return files
            wanted, said, folder = base, f"{file.name}: base = {base!r}", file.path.parent
        return files

    def _base(self, file: SettingsFile) -> str:
        """Return what a file lies over, or an empty text where it stands alone."""
        if isinstance(file.base, str):
            return file.base
        if file.base is not None:
            what = f"{file.name}: {BASE} is no text"
            self._failed(f'{what}; write {BASE} = "{USUAL_BASE}" or the path of a file in quotes.')
            return USUAL_BASE
        if file.is_shipped or not lacking(self.model, file.values):
            return ""
        if CLUSTER not in file.values:
            return USUAL_BASE
        self._failed(
            f'{file.name}: a section [{CLUSTER}] needs a {BASE}; write {BASE} = "{CLUSTER}" at the top, as '
            f'{BASE} = "{USUAL_BASE}" would give Spark the settings of a laptop.'
        )
        return CLUSTER

    def _read(self, named: str, *, said: str, folder: Path) -> SettingsFile | None:
        path = _path(named, folder)
        name = named if named in shipped() else str(path)
        if problem := _missing(named, path):
            self._failed(f"{said}: {problem}")
            return None
        try:
            values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            self._failed(f"{said}: the file can't be read ({error.strerror}); make it readable.")
        except UnicodeDecodeError:
            self._failed(f"{said}: the file is no text in UTF-8; save it as such.")
        except tomllib.TOMLDecodeError as error:
            self._failed(f"{path}: {_mistake(error)}")
        else:
            return SettingsFile(name, path, values, values.pop(BASE, None))
        return None

    def _failed(self, problem: str) -> None:
        """Note a problem after which values are missing that nobody forgot."""
        self.problems.append(problem)
        self.is_complete = False


def shipped() -> list[str]:
    """Return the names of the settings that the project ships, in the order of the alphabet."""
    return sorted({file.stem for file in HERE.glob("*.toml")} - NO_SETTINGS)


def _path(named: str, folder: Path) -> Path:
    """Return the path of shipped settings, or of a file that is named relative to a folder."""
    return HERE / f"{named}.toml" if named in shipped() else folder / named


def _missing(named: str, path: Path) -> str:
    """Return what is wrong where there is no file, and what to do; otherwise an empty text."""
    try:
        if named and path.is_file():
            return ""
        if named and path.is_dir():
            return "this is a folder; name a TOML file in it."
        if named and path.exists():
            return "this is no plain file; save its text to one."
    except OSError as error:
        return f"the file can't be read ({error.strerror}); make it readable."
    is_path = "." in named or "/" in named
    what = (
        "there is no such file" if is_path else f"there are no settings {named or 'without a name'}"
    )
    otherwise = f"name {', '.join(shipped())} or a TOML file"
    near = _nearest(named, path)
    return f"{what}; did you mean {near}?" if near else f"{what}; {otherwise}."


def _nearest(named: str, path: Path) -> str:
    """Return the name of shipped settings, or of a file beside a missing one, that is meant perhaps."""
    try:
        beside = sorted(each.name for each in path.parent.glob("*.toml"))
    except OSError:
        beside = []
    stem = path.name.removesuffix(".toml")
    known: dict[str, str] = {name.removesuffix(".toml"): str(path.parent / name) for name in beside}
    known |= {name: name for name in shipped()} if "/" not in named else {}
    found = difflib.get_close_matches(stem, known, n=1) if stem else []
    return known[found[0]] if found else ""


def _mistake(error: tomllib.TOMLDecodeError) -> str:
    """Return our sentence for an error of tomllib, with the number of the line where it has one."""
    found = re.search(r"\(at line (\d+)", str(error))
    where = f"line {found[1]}" if found else "its last line"
    for pattern, sentence in MISTAKES:
        if re.search(pattern, str(error)):
            return f"not valid TOML: in {where} {sentence}."
    what = str(error).partition(" (at ")[0]
    return f"not valid TOML: {where} can't be understood ({what}); put it right."
