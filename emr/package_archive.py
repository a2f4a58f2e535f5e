"""A package's content, and its one file: the same bytes from the same content."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conf.errors import BadSettings
from conf.settings import Settings
from lake.run_journal import code_revision

PROJECT = Path(__file__).resolve().parents[1]
ROOMS = (
    "conf",
    "lake",
    "bronze",
    "silver",
    "gold",
    "expectations",
    "privacy",
    "report",
    "page",
    "emr",
    "cli",
)
MAIN = "run.py"

ROOT = "package"
"""The folder that a package is unpacked as, in the working folder of driver and executors."""

SECRET = re.compile("(?i)secret|password|token|access[.]?key")
"""As Spark's own `spark.redaction.regex` has it."""

LEVEL = 1
"""Of gzip. Level 6 makes a package a tenth smaller, and takes three times as long."""


def code() -> dict[str, bytes]:
    """Every file of the rooms, and `run.py`, by name; in `REVISION` what they are a revision of."""
    files = [PROJECT / MAIN]
    for room in ROOMS:
        files += [path for path in (PROJECT / room).rglob("*") if path.is_file()]
    names = {path.relative_to(PROJECT).as_posix(): path for path in files}
    kept = {n: path.read_bytes() for n, path in names.items() if not _is_hidden_or_cached(n)}
    return {**kept, "REVISION": f"{code_revision()}\n".encode()}


def _is_hidden_or_cached(name: str) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def packaged(settings: Settings) -> Settings:
    """The settings as a package has them: with the extractor that lies in it.

    Raises BadSettings for a value in spark.config that looks like a secret: a package is kept for good.
    """
    for key, value in settings.spark.config.items():
        if value and SECRET.search(key):
            raise BadSettings(
                f"spark.config {key} looks like a secret, and packages are kept: leave it out, the role of "
                f"the nodes gives access to AWS."
            )
    model = settings.model.model_copy(update={"flatbuffer": f"{ROOT}/model.tflite"})
    return settings.model_copy(update={"model": model})


def as_toml(settings: Settings) -> str:
    """The settings as a file that `Settings.load` reads to the same again."""
    sections = settings.model_dump(mode="json", exclude_none=True)
    return "\n".join(_table(name, values) for name, values in sections.items())


def _table(name: str, values: Mapping[str, Any]) -> str:
    """One table, the tables in it last. JSON's text, numbers and lists are also TOML's."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"[{name}]"]
    lines += [f"{_json(key)} = {_json(value)}" for key, value in plain.items()]
    inner = [_table(f"{name}.{key}", values[key]) for key in values if key not in plain]
    return "\n".join([*lines, *inner]) + "\n"


def _json(value: Any) -> str:
    # DEL is the one character that JSON may have as it is, and TOML may not.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(content: Mapping[str, bytes | Path], archive: Path) -> None:
    """Writes a .tar.gz of files by name: sorted, of one time, one mode and no owner."""
    with (
        archive.open("wb") as sink,
        gzip.GzipFile("", "wb", LEVEL, fileobj=sink, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(content):
            source = content[name]
            data = source.read_bytes() if isinstance(source, Path) else source
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 0
            tar.addfile(entry, io.BytesIO(data))
