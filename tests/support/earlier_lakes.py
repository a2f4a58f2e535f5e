"""Lakes of earlier formats (tests/lakes/README.md): unpacked, and the command line over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from tests.support.archives import unpack
from tests.support.place import Place

LAKES = Path(__file__).parents[1] / "lakes"
SETTINGS = ("pca.components=3", "training.folds=2", "gates.counted_from=10")
MODEL = ("model.extractor=tflite", "model.weights=model.tflite")

Call = Callable[..., tuple[int, str]]
"""The command line: returns the exit code, and all that it printed on both streams."""


def unpack_lake(number: int, root: Path) -> None:
    """Unpacks the lake of a format, with its landing folder, key and model."""
    unpack(LAKES / f"format-{number}.tar.gz", root)


def place_of(root: Path, spark: SparkSession) -> Place:
    """A lake that was unpacked under a root, under the settings that made it."""
    return Place.of(root, spark, *SETTINGS, *MODEL)


def calls(command: Callable[..., tuple[int, str, str]]) -> Call:
    """The command line over the lake in the folder of now, under the settings that made it."""
    words = ["--landing", "landing", "--lake", "lake"]
    for each in (*SETTINGS, *MODEL):
        words += ["--set", each]

    def called(*more: str) -> tuple[int, str]:
        code, out, err = command(*more, *words)
        return code, out + err

    return called


def audited(call: Call, subject: str, *words: str) -> dict[str, str]:
    """The status of each table in an audit of a subject, by table."""
    code, told = call("audit", "--subject", subject, *words, "--json", "answer.json")
    assert code == 0, told
    answer = json.loads(Path("answer.json").read_text())
    return {found["table"]: found["status"] for found in answer["findings"]}
