"""What `daily_run.py` measures: whole processes, over copies of a lake and of tables that are made once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.input_photos import MOBILENET, linked, originals_of, write_photos
from benchmarks.journal_intervals import events_of, intervals, layers_since
from benchmarks.process_watch import end_of, watched
from conf.errors import FruitLakeError
from conf.settings import Settings
from lake import cpu_cores, spark_session

ROOT = Path(__file__).resolve().parents[1]
NEW = 10

BARE, OURS = "bare Spark", "bare Spark, our settings"
TEN, NOTHING, FIRST = "ten new photos", "nothing new", "new lake"
FLOORS, RUNS = (BARE, OURS), (TEN, NOTHING, FIRST)
TAKEN = {TEN: NEW, NOTHING: 0, FIRST: NEW}
"""Photos that a run finds new, where it does what it should."""


@dataclass
class Whole:
    """One process from its start to its end. `taken` photos were new to bronze, `parts` are seconds by name,
    `memory` is the peak in bytes by kind of process."""

    seconds: float
    taken: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    others: float | None = None


class Failed(FruitLakeError):
    """A process ended with an error. The message has the end of what it printed."""


@dataclass(frozen=True)
class Bench:
    """What the measurements share: a folder to work in, photos, and how many cores Spark takes.

    `work` has `held`, a landing folder and its lake, and `tables`, those of bare Spark.
    """

    work: Path
    held: Sequence[Path]
    new: Sequence[Path]
    cores: int
    console: Console

    @classmethod
    def made(cls, photos: Path | None, held: int, work: Path, console: Console) -> Bench:
        """Everything that the measurements copy, made in `work`: a lake of so many photos, and tables.

        `photos` is a folder of them; by default it is the shared one, or samples. Raises BadInput, Failed.
        """
        cores = cpu_cores.cores()
        with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
            source = originals_of(photos, work=work)
            made = write_photos(source, held + NEW, into=work / "photos", pool=pool)
        bench = cls(work, made[:-NEW], made[-NEW:], cores, console)
        place = work / "held"
        place.mkdir()
        built = bench.run(bench.held, place)
        console.print(f"A lake of {built.taken:,} photos: {built.seconds:.0f} s")
        bench.bare({}, work)
        return bench

    def measured(self, name: str) -> Whole:
        """One measurement, in a folder of its own that is removed. Raises Failed."""
        with tempfile.TemporaryDirectory(dir=self.work, ignore_cleanup_errors=True) as made:
            place = Path(made)
            if name in FLOORS:
                shutil.copytree(self.work / "tables", place / "tables")
                done = self.bare({} if name == BARE else our_settings(), place)
            elif name == FIRST:
                done = self.run(self.new, place)
            else:
                shutil.copytree(self.work / "held" / "lake", place / "lake")
                shutil.copy2(self.work / "held" / "lake.key", place)
                done = self.run([*self.held, *(self.new if name == TEN else ())], place)
        self.console.print(f"{name}: {done.seconds:.1f} s")
        return done

    def bare(self, settings: Mapping[str, str], place: Path) -> Whole:
        """A process that appends to the tables in a folder and reads them. Raises Failed."""
        given = json.dumps(documented_settings(self.cores) | settings)
        script = str(ROOT / "benchmarks" / "bare_spark.py")
        os.sync()  # so that the copy is not written to the disk during the measurement
        return process([script, str(place / "tables"), given], place)

    def run(self, photos: Sequence[Path], place: Path) -> Whole:
        """A run of all layers over these photos, on the lake in a folder or on a new one. Raises Failed."""
        landing, lake = linked(photos, place / "landing"), place / "lake"
        weights = str(MOBILENET) if MOBILENET.exists() else "random:1"
        command = [str(ROOT / "run.py"), "--layer", "all"]
        command += ["--landing", str(landing), "--lake", str(lake)]
        command += ["--extractor", "mobilenet_v2", "--weights", weights]
        command += ["--set", f"spark.master=local[{self.cores}]"]
        os.sync()
        began = datetime.now(UTC)
        done = process(command, place)
        layers = layers_since(str(lake), began)
        done.taken = dict(layers[0]["counts"]).get("in", 0)
        events = events_of(str(lake))
        done.parts = whole_parts(layers, events, began=began, seconds=done.seconds)
        return done


def whole_parts(
    layers: Sequence[Mapping[str, Any]],
    events: Sequence[tuple[datetime, str]],
    *,
    began: datetime,
    seconds: float,
) -> dict[str, float]:
    """The parts of a process that began at a moment and took so many seconds: those of its layers, and what
    was before, between and after them."""
    before = (layers[0]["started_at"] - began).total_seconds()
    after = seconds - (layers[-1]["finished_at"] - began).total_seconds()
    within = intervals(layers, events)
    between = seconds - before - after - sum(within.values())
    ends = {"between layers": between, "after the last layer": after}
    return {"before the first layer": before} | within | ends


def documented_settings(cores: int) -> dict[str, str]:
    """The settings that Delta's documentation asks for, on this machine alone."""
    extensions, catalog = "spark.sql.extensions", "spark.sql.catalog.spark_catalog"
    return {
        "spark.master": f"local[{cores}]",
        "spark.jars.packages": Settings.load("local", environment={}).spark.packages,
        **{name: spark_session.REQUIRED[name] for name in (extensions, catalog)},
        # Without these Spark doesn't start where the machine's own name resolves to no address.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }


def our_settings() -> dict[str, str]:
    """The settings that the product gives to Spark on a laptop."""
    return spark_session.REQUIRED | Settings.load("local", environment={}).spark.config


def process(script: Sequence[str], place: Path) -> Whole:
    """Runs a script in a folder to its end. Raises Failed."""
    log = place / "log"
    code, watch = watched([sys.executable, *script], place=place, log=log)
    if code:
        raise Failed(f"{Path(script[0]).name} ended with code {code}:\n{end_of(log)}")
    return Whole(watch.seconds, memory=dict(watch.peak), others=watch.others)
