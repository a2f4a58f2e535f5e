"""What daily runs leave behind, and what they cost: the same lake after a few runs and after a year of them.

    python benchmarks/many_runs.py PLACE [--runs N] [--photos N] [--rounds N] [--json FILE]

PLACE is a folder that stays: a lake that has 200 runs there goes on with the next one.

How to read it:

- Each run takes in so many new photos of 8 × 8 pixels through all layers, one after another in this process.
  All tables, gates and commits are those of any lake. Only the extractor is a small one: its embeddings have
  1,280 values, as those of MobileNetV2, and cost next to nothing. So what is measured is the tables.
- The photos leave the landing folder after their run. `listed_objects.py` measures long listings.
- `files` and `MB` are those of a table's current version. `written` is the bytes of all files that its
  commits ever added, over those of commits that only added rows: what compaction and rewriting cost.
  `entries` are the files of its log. A year passes within hours here, so nothing is past a retention: neither
  old files nor entries of the log are removed, which the lake of a real year has no more.
- `early` is a copy of the lake after EARLY runs. At the end the same new photos are taken in on copies of
  both lakes in turns, each by a process of its own, and the ratio is that of the medians. No run fits a new
  PCA version there.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table as Screen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.daily_run import LIBRARIES
from benchmarks.whole_processes import ROOT, process
from conf.errors import FruitLakeError
from conf.settings import Settings
from lake import delta_log
from lake.catalog import Table
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.locate import folder
from silver import litert_conversion

RUNS, PHOTOS = 365, 1000
EARLY = 4
"""The runs of the lake that the other one is compared with: the run after them is the fifth."""

SIDE, VALUES = 8, 1280
"""The pixels of a photo's side, and the length of an embedding."""

KINDS = ("apple", "kiwi", "lemon", "plum")
MODEL, JOURNAL = "model.tflite", "runs.json"
WANTED = 1.2


@dataclass(frozen=True)
class Size:
    """What a table holds and what was written for it. Bytes: `now` in its current version, `written` by all
    commits, `came` by those that only added rows."""

    files: int
    now: int
    written: int
    came: int
    entries: int

    @property
    def amplification(self) -> float | None:
        """The bytes written over those that came; None where rows are only replaced."""
        return self.written / self.came if self.came else None


# The runs


def photo(number: int) -> bytes:
    """A PNG of noise, of which no two are alike."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()


def deliver(landing: Path, run: int, photos: int) -> None:
    """Puts the photos of one run into an empty landing folder."""
    shutil.rmtree(landing, ignore_errors=True)
    for number in range(photos):
        path = landing / KINDS[number % len(KINDS)] / f"{run:05d}-{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(run * photos + number))


def model() -> bytes:
    """A LiteRT flatbuffer of a megabyte, whose weights are random and always the same."""
    keras = litert_conversion.tensorflow().keras
    keras.utils.set_random_seed(1)
    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(pixels)
    flat = keras.layers.Flatten(name="flat")(scaled)
    embedding = keras.layers.Dense(VALUES, activation="relu", name="embedding")(flat)
    return litert_conversion.convert(keras.Model(pixels, embedding))


def overrides(place: Path, landing: Path, lake: Path) -> dict[str, str]:
    """The settings of a run, but for those that are shipped."""
    return {
        "paths.landing": str(landing),
        "paths.lake": str(lake),
        "subjects.key": f"file:{place / 'lake.key'}",
        "photos.min_side": str(SIDE),
        "model.extractor": "tflite",
        "model.weights": str(place / MODEL),
    }


def done(place: Path) -> list[float]:
    """The seconds of the runs that the lake has."""
    journal = place / JOURNAL
    return list(json.loads(journal.read_text())) if journal.exists() else []


def go_on(place: Path, runs: int, photos: int, console: Console) -> list[float]:
    """Makes the runs that the lake lacks, and returns the seconds of all. Raises FruitLakeError where one
    fails."""
    from cli.lake_access import writing
    from run import run_layers

    landing, lake = place / "landing", place / "lake"
    own = [f"{name}={value}" for name, value in overrides(place, landing, lake).items()]
    settings = Settings.load("local", environment={}, overrides=own)
    seconds = done(place)
    for run in range(len(seconds), runs):
        if run == EARLY:
            shutil.rmtree(place / "early", ignore_errors=True)
            shutil.copytree(lake, place / "early")
        deliver(landing, run, photos)
        began = time.perf_counter()
        with writing(settings, Console(quiet=True)) as context:
            run_layers(context, ("bronze", "silver", "gold"))
        seconds.append(time.perf_counter() - began)
        (place / JOURNAL).write_text(json.dumps(seconds))
        console.print(f"run {run + 1:,}: {seconds[-1]:.1f} s")
    return seconds


# What they left


def sizes(root: str) -> dict[str, Size]:
    """What each table of a lake holds, and what was written for it."""
    lake = Lake(_no_spark, folder(root), Run.begin("benchmark"))
    return {table.name: _size(lake, table) for table in lake.tables()}


def _size(lake: Lake, table: Table) -> Size:
    files, now = lake.log(table).size()
    written = came = 0
    for version in range(lake.version(table) + 1):
        commit = delta_log.actions(lake.files, table, version) or []
        added = sum(action["add"]["size"] for action in commit if "add" in action)
        written += added
        came += 0 if any("remove" in action for action in commit) else added
    entries = len(lake.files.names(f"{table.name}/{delta_log.FOLDER}", suffix=""))
    return Size(files, now, written, came, entries)


def _no_spark() -> Any:
    raise RuntimeError("logs need no Spark")


def compared(place: Path, photos: int, rounds: int, runs: int) -> dict[str, list[float]]:
    """The seconds of one more run on copies of both lakes, in turns. Raises Failed."""
    lakes = {"early": place / "early", "late": place / "lake"}
    seconds: dict[str, list[float]] = {name: [] for name in lakes}
    for turn in range(rounds):
        for name in sorted(lakes, reverse=bool(turn % 2)):
            with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as made:
                own = overrides(place, Path(made, "landing"), Path(made, "lake"))
                shutil.copytree(lakes[name], own["paths.lake"])
                deliver(Path(made, "landing"), runs, photos)
                command = [str(ROOT / "run.py"), "--layer", "all"]
                for key, value in (own | {"refit.growth": "1000"}).items():
                    command += ["--set", f"{key}={value}"]
                seconds[name].append(process(command, Path(made)).seconds)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]]) -> float:
    """How many times as long the run on the late lake took."""
    return statistics.median(seconds["late"]) / statistics.median(seconds["early"])


# The command


def show(
    console: Console, found: Mapping[str, Size], seconds: Mapping[str, Sequence[float]]
) -> None:
    """The tables, and the ratio."""
    screen = Screen(title="tables")
    for name in ("table", "files", "MB", "written", "entries"):
        screen.add_column(name, justify="left" if name == "table" else "right")
    for name, size in found.items():
        times = "–" if size.amplification is None else f"{size.amplification:.2f} ×"
        screen.add_row(
            name, f"{size.files:,}", f"{size.now / 1e6:,.1f}", times, f"{size.entries:,}"
        )
    console.print(screen)
    came = sum(size.came for size in found.values())
    written = sum(size.written for size in found.values())
    console.print(f"all tables: written {written / came:.2f} times what came with new rows.")
    early, late = (statistics.median(seconds[name]) for name in ("early", "late"))
    console.print(
        f"one more run: {early:.1f} s on the early lake, {late:.1f} s on the late one, "
        f"{ratio(seconds):.2f} times; at most {WANTED} is wanted."
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("place", type=Path, help="a folder for the lake, which stays")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="of the late lake")
    parser.add_argument("--photos", type=int, default=PHOTOS, metavar="N", help="of each run")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="medians of so many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    words = parser.parse_args(argv)
    if words.runs <= EARLY:
        parser.error(f"--runs: more than {EARLY}")
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the runs, measures and prints; the exit code of the error where something fails."""
    words, console = parse(argv), Console(highlight=False, width=120)
    facts = machine.facts(LIBRARIES) | {"photos": words.photos}
    console.print(f"{facts['cpu']}, {facts['cores']} cores, load {machine.load()[0]} at the start")
    place = words.place.resolve()
    place.mkdir(parents=True, exist_ok=True)
    try:
        if not (place / MODEL).exists():
            (place / MODEL).write_bytes(model())
        runs = go_on(place, words.runs, words.photos, console)
        found = sizes(str(place / "lake"))
        seconds = compared(place, words.photos, words.rounds, len(runs))
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    show(console, found, seconds)
    if words.json:
        tables = {name: asdict(size) for name, size in found.items()}
        numbers = {"facts": facts, "runs": runs, "tables": tables, "seconds": seconds}
        words.json.write_text(json.dumps(numbers | {"ratio": ratio(seconds)}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
