"""Photos of the lake are recognized by their pixels, and nothing of whose they are is needed."""

import io

import numpy as np
import pytest
from PIL import Image

from lake import catalog
from page.known_photos import Known, KnownPhotos
from silver.fingerprints import Fingerprint
from silver.pixels import Limits
from tests.support import canary
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_tables import WEIGHTS, classifier, embedding, write, write_training

LIMITS = Limits(
    max_bytes=10**7,
    max_pixels=10**7,
    min_side=16,
    blank_range=4,
    decode_seconds=5,
    decoder_memory=10**9,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A lake of photos alike: `seen` was trained on; others share its hash, or have no label, or two."""
    root = tmp_path_factory.mktemp("lake")
    rows = [
        embedding("seen", dhash=7),
        embedding("brighter", "lime", dhash=7, brightness=0.5001),
        embedding("sharper", "lime", dhash=7, sharpness=103.0),
        embedding("plain", None, dhash=-(2**63)),
        embedding("copy", "lime", dhash=9, subject="pseudonym-of-anna"),
        embedding("copied", "kiwi", dhash=9),
        embedding("of another model", "plum", dhash=5, weights_id="b" * 64),
    ]
    write(root, catalog.EMBEDDINGS, rows)
    write_training(root, classifier(photos=2, tested=2), tested=["seen", "copy"])
    return str(root)


@pytest.fixture(scope="module")
def known(root):
    return KnownPhotos.of(root, WEIGHTS, classifier(photos=2, tested=2))


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ((7, 0.5, 100.0), Known(True, "kiwi", True)),
        ((7, 0.5, 100.0001), Known(True, "kiwi", True)),
        ((7, 0.5001, 100.0), Known(True, "lime", False)),
        ((7, 0.5, 103.0), Known(True, "lime", False)),
        ((7, 0.6, 100.0), Known(False, None, False)),
        ((8, 0.5, 100.0), Known(False, None, False)),
        ((-(2**63), 0.5, 100.0), Known(True, None, False)),
        ((9, 0.5, 100.0), Known(True, "kiwi / lime", True)),
        ((5, 0.5, 100.0), Known(False, None, False)),
    ],
    ids=[
        *("the same", "rounded", "brighter", "sharper", "none so bright", "another hash"),
        *("without a label", "copies", "of another model"),
    ],
)
def test_a_photo_is_known_by_hash_brightness_and_sharpness(known, photo, expected):
    assert known.find(Fingerprint(*photo)) == expected


def test_without_a_classifier_only_the_label_is_known(root):
    found = KnownPhotos.of(root, WEIGHTS, None).find(Fingerprint(7, 0.5, 100.0))
    assert found == Known(True, "kiwi", None)


def test_a_model_without_photos_knows_none(root):
    found = KnownPhotos.of(root, "c" * 64, None).find(Fingerprint(7, 0.5, 100.0))
    assert found == Known(False, None, None)


def fingerprint(content):
    return Fingerprint.of(decoded_pixels(content, size=64, limits=LIMITS))


def test_the_pixels_count_and_not_the_file():
    """The same pixels in another file, with other metadata, are the same photo; one pixel more is not."""
    photo = canary.jpeg(1)
    rgb = np.asarray(Image.open(io.BytesIO(photo)))
    saved = io.BytesIO()
    Image.fromarray(rgb).save(saved, "PNG")
    assert fingerprint(saved.getvalue()) == fingerprint(photo)
    assert fingerprint(canary.jpeg(2)) != fingerprint(photo)
    changed, other = io.BytesIO(), rgb.copy()
    other[40, 40] = 255 - other[40, 40]
    Image.fromarray(other).save(changed, "PNG")
    assert fingerprint(changed.getvalue()) != fingerprint(photo)
