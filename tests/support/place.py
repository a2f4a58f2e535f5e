"""A landing folder and a lake for a test, and the runs over them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cli.lake_access import writing
from conf.settings import Settings
from lake import known_keys, lease
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
    console: Console = field(default_factory=Console)
    printed: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self._new_screen()

    @classmethod
    def of(cls, root: Path, spark: SparkSession, *overrides: str) -> Self:
        """The folders `landing` and `lake` under a root. A kind of `Place` with more attributes gets these
        from the fixture that makes it."""
        paths = (f"paths.landing={root / 'landing'}", f"paths.lake={root / 'lake'}")
        settings = Settings.load("local", environment={}, overrides=[*paths, *overrides])
        return cls(root, spark, settings)

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def screen(self) -> str:
        """What the last run printed, and what was printed on the console since."""
        return self.printed.getvalue()

    def _new_screen(self) -> None:
        self.printed = io.StringIO()
        self.console = Console(file=self.printed, width=200)

    @contextmanager
    def writing(self) -> Iterator[Context]:
        """A new run that may write."""
        self._new_screen()
        with writing(self.settings, self.console) as context:
            yield context

    def index_keys(self) -> None:
        """Makes the index of the keys that bronze/objects has, for which the lake is too small."""
        with self.writing() as context, pytest.MonkeyPatch.context() as patch:
            patch.setattr(known_keys, "FEWEST", 0)
            assert known_keys.fold(context.lake)

    def run(self, *layers: str) -> dict[str, LayerRun]:
        """Runs the layers, by default all; what each did, by name."""
        with self.writing() as context:
            did = run_layers(context, layers or ALL)
        return {layer.layer: layer for layer in did}

    @property
    def lake(self) -> Lake:
        """The lake for reading, as it is now."""
        return Lake(lambda: self.spark, self.files, Run.begin(self.settings.digest))

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
        return Place.of(self.root, self.spark, *overrides)


class SamplesLake(Place):
    """The lake of the generated samples: the fault points that its run passed, and what each layer did."""

    points: list[str]
    did: dict[str, LayerRun]
