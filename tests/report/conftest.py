"""One lake with all that a report tells of: runs, a drift, classifiers, an erasure that waits."""

import io
import shutil
from datetime import UTC, datetime

import pytest
from PIL import Image

import run
from lake.column_values import ErasureMode, ErasureState
from privacy.erasure import request_journal
from privacy.erasure.request_journal import ErasureRequest
from tests.support import canary
from tests.support.journal_rows import START
from tests.support.place import Place

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
    request = ErasureRequest(
        "R-1", ErasureState.REQUESTED, ErasureMode.DEFERRED, "tombstone", "certificate", START, 0
    )
    with place.writing() as context:
        request_journal.reach(context.lake, request, ErasureState.LOGICAL, at=START, due_at=DUE)
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
