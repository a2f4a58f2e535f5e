"""One Spark session, one converted flatbuffer and one undisturbed lake for the whole suite."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from bronze.samples import write_samples
from conf.settings import Settings
from lake import keys as keyring
from lake import session
from lake.journal import LayerRun, Run
from lake.lake import Lake
from run import Context, run_layers
from silver import flatbuffer

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"
WEIGHTS = PHOTOS.parent / "weights" / "mobilenet_v2_imagenet.weights.h5"
SAMPLES = 60
ALL = ("bronze", "silver", "gold")


@dataclass
class Place:
    """A landing folder and a lake, and the runs over them, as the command line does them."""

    root: Path
    spark: object
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
        keys = keyring.load(self.settings.subjects.key, lake=self.settings.paths.lake)
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


@pytest.fixture(scope="session")
def spark():
    started = session.start(Settings.load("local", environment={}).spark)
    yield started
    session.stop(started)


@pytest.fixture(scope="session", autouse=True)
def one_conversion():
    """The same model is converted once for all lakes of the suite."""
    convert, made = flatbuffer.convert, {}

    def converted(model):
        name = (model.name, sum(float(abs(w.numpy()).sum()) for w in model.weights))
        if name not in made:
            made[name] = convert(model)
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flatbuffer, "convert", converted)
        yield


@pytest.fixture
def place(tmp_path, spark) -> Place:
    """An empty landing folder and no lake yet."""
    (tmp_path / "landing").mkdir()
    return Place(tmp_path, spark, None).set()


@pytest.fixture(scope="session")
def samples_lake(tmp_path_factory, spark) -> Place:
    """The lake of the generated samples, never disturbed: tests that change it copy it first."""
    root = tmp_path_factory.mktemp("samples")
    write_samples(root / "landing", SAMPLES)
    place = Place(root, spark, None).set()
    place.did = place.run()
    return place


@pytest.fixture
def copied(samples_lake, tmp_path, spark) -> Place:
    """A copy of the samples' lake, landing folder and key, with the files' times."""
    shutil.copytree(samples_lake.root, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path, spark, None).set()


@pytest.fixture
def real_photos() -> Path:
    """1,142 shop photos of 28 kinds of fruit, and a LICENSE."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos (../shared/photos) are not on this machine")
    return PHOTOS
