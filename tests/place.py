"""A landing folder and a lake for a test, and the runs over them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console

from conf.settings import Settings
from lake import keys as keyring
from lake.journal import LayerRun, Run
from lake.lake import Lake
from run import Context, run_layers

ALL = ("bronze", "silver", "gold")


@dataclass
class Place:
    """A landing folder and a lake, and the runs over them, as the command line does them."""

    root: Path
    spark: SparkSession
    settings: Settings

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def screen(self) -> str:
        """What the last run printed."""
        return self.console.file.getvalue()

    def context(self) -> Context:
        """A new run over the lake."""
        self.console = Console(file=io.StringIO(), width=200)
        keys = keyring.load(self.settings.subjects.key, lake=self.settings.paths.lake, make=True)
        run = Run.begin(self.settings.digest)
        lake = Lake.open(
            self.spark, self.settings.paths.lake, run=run, keys=keys, delta=self.settings.delta
        )
        return Context(self.settings, lake, keys, self.console)

    def run(self, *layers: str) -> dict[str, LayerRun]:
        """Runs the layers, by default all; what each did, by name."""
        did = run_layers(self.context(), layers or ALL)
        return {layer.layer: layer for layer in did}

    @property
    def lake(self) -> Lake:
        return self.context().lake

    def set(self, *overrides: str) -> Place:
        """The same folders under other settings."""
        paths = (f"paths.landing={self.landing}", f"paths.lake={self.root / 'lake'}")
        settings = Settings.load("local", environment={}, overrides=[*paths, *overrides])
        return Place(self.root, self.spark, settings)
