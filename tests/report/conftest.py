"""One lake with all that a report tells of: runs, a drift, classifiers, an erasure that waits."""

import io
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

import run
from lake import catalog
from privacy import erasures
from privacy.erasures import DEFERRED, Erasure, State
from tests.place import Place
from tests.privacy import canary

START = datetime(2026, 1, 1, 6, tzinfo=UTC)
DUE = datetime(2126, 1, 8, 6, tzinfo=UTC)


@pytest.fixture(scope="session")
def told(samples_lake, tmp_path_factory, spark):
    """The samples' lake, with photos of a marked subject, classifiers and a request that waits."""
    root = tmp_path_factory.mktemp("told") / "place"
    shutil.copytree(samples_lake.root, root)
    place = Place(root, spark, None).set()
    canary.send(place.landing, {f"{canary.MARKER}-{n}.jpg": canary.jpeg(n) for n in range(6)})
    # The same bytes of nobody's: a copy of that person's photo all the same.
    canary.send(place.landing, {"copy.jpg": canary.jpeg(0), "tiny.png": tiny(9)}, subject=None)
    canary.send(place.landing, {"tiny.png": tiny(200)})
    place.run()
    assert (
        run.main(["train", "--lake", place.settings.paths.lake, "--set", "training.folds=2"]) == 0
    )
    request = Erasure("R-1", State.REQUESTED, DEFERRED, "tombstone", "certificate", START, 0)
    with place.writing() as context:
        erasures.reach(context.lake, request, State.LOGICAL, at=START, due_at=DUE)
    return place


@pytest.fixture(scope="session")
def photo(told):
    """One of the lake's own, with a label, of nobody."""
    files = sorted(told.landing.rglob("*.jpg"))
    return next(f for f in files if "subject=" not in str(f) and f.stat().st_size > 20_000)


def tiny(seed):
    """A photo that is too small, and has one colour that no other has."""
    made = io.BytesIO()
    Image.new("RGB", (16, 16), (seed, 255 - seed, seed)).save(made, "PNG")
    return made.getvalue()


def add_runs(place, count):
    """Rows as `count` daily runs would have left them in the journals."""
    [model] = {row["weights_id"] for row in place.lake.read(catalog.DRIFT).collect()}
    runs, quality, drift = [], [], []
    for day in range(count):
        begun = START - timedelta(days=day)
        run_id = f"{begun:%Y%m%dT%H%M%S}.000Z-{day:08x}"
        blocked = day % 100 == 7
        runs += [
            {
                "run_id": run_id,
                "layer": layer,
                "status": "blocked" if blocked and layer == "silver" else "done",
                "started_at": begun,
                "finished_at": begun + timedelta(seconds=30 + day % 9),
                "counts": {"in": 1000 + day, "kept": 990 + day, "refused:blank": 10},
                "code_revision": "0123456789ab",
            }
            for layer in ("bronze", "silver", "gold")
        ]
        quality += [
            {
                "run_id": run_id,
                "chunk": 10_000 + day,
                "suite": "silver_embeddings",
                "expectation": "norm",
                "severity": "critical",
                "success": not blocked,
                "unexpected_count": 600 if blocked else 0,
                "element_count": 1000,
                "action": "blocked" if blocked else "passed",
                "judged_at": begun,
            }
        ]
        drift += [
            {
                "run_id": run_id,
                "chunk": 10_000 + day,
                "weights_id": model,
                "model_version": "pca-of-then",
                "photos": 990 + day,
                "mean_shift": 0.1 * (day % 9),
                "reconstruction": 0.0,
                "label_mix": 0.0,
                "brightness": 0.0,
                "components": [0.0, 0.2],
                "measured_at": begun,
            }
        ]
    with place.writing() as context:
        for table, rows in (
            (catalog.RUNS, runs),
            (catalog.QUALITY, quality),
            (catalog.DRIFT, drift),
        ):
            context.lake.record(table, rows, layer="test")
