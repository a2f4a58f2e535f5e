"""The files of a package and the archive that holds them. The same files give the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from conf import toml_text
from conf.errors import BadSettings
from conf.secret_values import SECRET_KEY
from conf.setting_files import BASE
from conf.settings import Settings
from lake.run_journal import code_revision
from silver import model_artifact

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
    "fruit_lake",
    "cli",
)
"""The folders of the project that are part of a package."""

MAIN = "run.py"
"""The file that spark-submit runs."""

ROOT = "package"
"""The name of the folder into which YARN unpacks a package, in the working folder of driver and executors."""

GZIP_LEVEL = 1
"""The level of gzip's compression. Level 6 makes a package a tenth smaller, and takes three times as long."""


def code_files() -> dict[str, bytes]:
    """Return the content of run.py and of every file of the rooms, by name.

    The file `REVISION` is added, which names the revision of the code. Caches and hidden files are left out.
    """
    files = [PROJECT / MAIN]
    for room in ROOMS:
        files += [path for path in (PROJECT / room).rglob("*") if path.is_file()]
    paths = {path.relative_to(PROJECT).as_posix(): path for path in files}
    contents = {
        name: path.read_bytes() for name, path in paths.items() if not _is_hidden_or_cached(name)
    }
    return {**contents, "REVISION": f"{code_revision()}\n".encode()}


def _is_hidden_or_cached(name: str) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def packaged_settings(settings: Settings) -> Settings:
    """Return the settings for a package, which name the converted extractor in the package.

    Raises BadSettings where a key in spark.config looks like that of a secret, because packages are kept.
    """
    for key, value in settings.spark.config.items():
        if value and SECRET_KEY.search(key):
            raise BadSettings(
                f"spark.config {key} looks like a secret, and packages are kept; leave it out, because the "
                f"role of the nodes gives access to AWS."
            )
    name = model_artifact.file_name(settings.model.precision)
    model = settings.model.model_copy(update={"flatbuffer": f"{ROOT}/{name}"})
    return settings.model_copy(update={"model": model})


def as_toml(settings: Settings) -> str:
    """Return the settings as the text of a TOML file, from which `Settings.load` reads the same settings.

    The file stands alone, so that nothing of a laptop's settings comes to a cluster.
    """
    sections = settings.model_dump(mode="json", exclude_none=True)
    tables = [toml_text.as_table(name, values) for name, values in sections.items()]
    return "\n".join([f'{BASE} = ""\n', *tables])


def write_archive(content: Mapping[str, bytes | Path], archive: Path) -> None:
    """Write files, given by their names, to a .tar.gz.

    The same files give the same bytes: they are sorted, and have one time, one mode and no owner.
    """
    with (
        archive.open("wb") as sink,
        gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=sink, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(content):
            source = content[name]
            data = source.read_bytes() if isinstance(source, Path) else source
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 0
            tar.addfile(entry, io.BytesIO(data))
