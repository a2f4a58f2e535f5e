"""A landing folder and a lake for a test, and the runs over them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console

from cli.lake_access import writing
from conf.settings import Settings
from lake import lease
from lake.context import Context
from lake.readable_lake import Lake
from lake.run_journal import LayerRun, Run
from lake.storage.folder import Folder
from lake.storage.locate import folder
from run import run_layers

ALL = ("bronze", "silver", "gold")


@dataclass
class Place:
    """A landing folder and a lake, and the runs over them, as the command line does them."""

    root: Path
    spark: SparkSession
    settings: Settings
    console: Console = field(default_factory=lambda: Console(file=io.StringIO(), width=200))

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def screen(self) -> str:
        """What the last run printed, and what was printed on the console since."""
        return self.console.file.getvalue()

    @contextmanager
    def writing(self) -> Iterator[Context]:
        """A new run that may write."""
        self.console = Console(file=io.StringIO(), width=200)
        with writing(self.settings, self.console) as context:
            yield context

    def run(self, *layers: str) -> dict[str, LayerRun]:
        """Runs the layers, by default all; what each did, by name."""
        with self.writing() as context:
            did = run_layers(context, layers or ALL)
        return {layer.layer: layer for layer in did}

    @property
    def lake(self) -> Lake:
        """The lake for reading, as it is now."""
        return Lake(self.spark, self.files, Run.begin(self.settings.digest))

    @property
    def files(self) -> Folder:
        """What lies under the lake's root."""
        return folder(self.settings.paths.lake)

    def bury(self) -> None:
        """Removes the lease of a run that 'died' in this process, which lives on."""
        if self.files.exists(lease.NAME):
            self.files.delete(lease.NAME)

    def set(self, *overrides: str) -> Place:
        """The same folders under other settings."""
        paths = (f"paths.landing={self.landing}", f"paths.lake={self.root / 'lake'}")
        settings = Settings.load("local", environment={}, overrides=[*paths, *overrides])
        return Place(self.root, self.spark, settings)
