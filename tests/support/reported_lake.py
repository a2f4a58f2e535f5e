"""One lake with all that a report and a page tell of: runs, drift, classifiers, an erasure that waits."""

import io
from datetime import UTC, datetime

from PIL import Image

import run
from lake.enums import ErasureMode, ErasureState
from privacy.erasure import request_journal
from privacy.erasure.erasure_request import ErasureRequest
from tests.support import canary
from tests.support.journal_rows import START

DUE = datetime(2126, 1, 8, 6, tzinfo=UTC)


def make(place):
    """Adds to the samples' lake photos of a marked subject, classifiers and a request that waits."""
    canary.send(place.landing, {f"{canary.MARKER}-{n}.jpg": canary.jpeg(n) for n in range(6)})
    # The same bytes of nobody's: a copy of that person's photo all the same.
    canary.send(place.landing, {"copy.jpg": canary.jpeg(0), "tiny.png": tiny(9)}, subject=None)
    canary.send(place.landing, {"tiny.png": tiny(200)})
    place.run()
    words = ["train", "--lake", place.settings.paths.lake, "--set", "training.folds=2"]
    assert run.main(words) == 0
    request = ErasureRequest(
        "R-1", ErasureState.REQUESTED, ErasureMode.DEFERRED, "tombstone", "certificate", START, 0
    )
    with place.writing() as context:
        key = context.pseudonyms.certificates
        request_journal.reach(
            context.lake, request, ErasureState.LOGICAL, at=START, key=key, due_at=DUE
        )


def tiny(seed):
    """A photo that is too small, and has one colour that no other has."""
    made = io.BytesIO()
    Image.new("RGB", (16, 16), (seed, 255 - seed, seed)).save(made, "PNG")
    return made.getvalue()
