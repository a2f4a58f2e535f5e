"""The path from bytes to embedding against a plain one: every pixel decoded, and Keras itself."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from lake.enums import Precision
from silver import resizing
from silver.inference_runtime import CompiledModel
from silver.pixels import Limits
from silver.processor_features import BFLOAT16, features
from tests.support.decoded_photos import decoded_pixels

pytestmark = pytest.mark.tensorflow

LIMITS = Limits(
    max_bytes=50_000_000,
    max_pixels=100_000_000,
    min_side=16,
    blank_range=4,
    decode_seconds=30,
    decoder_memory=10**9,
)
KINDS = ("Kiwi", "Lemon", "Lime", "Granny-Smith", "Banana", "Avocado")
EACH = 25
PHONE = (4000, 3000)


@pytest.fixture(scope="module")
def known(photos):
    """(kind, JPEG) of some photos of each kind."""
    return [(kind, photo) for kind in KINDS for photo in photos(kind)[:EACH]]


def ours(contents, flatbuffer, precision=Precision.FLOAT32):
    model = CompiledModel(flatbuffer, precision=precision)
    return np.stack(
        [model.embed(decoded_pixels(content, size=224, limits=LIMITS)) for content in contents]
    )


def plain(contents, keras):
    images = [Image.open(BytesIO(content)).convert("RGB") for content in contents]
    batch = np.stack([np.asarray(image.resize((224, 224), resizing.FILTER)) for image in images])
    return np.concatenate(
        [
            np.asarray(keras(batch[start : start + 25].astype(np.float32), training=False))
            for start in range(0, len(batch), 25)
        ]
    )


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("model", ["mobilenet", "lite0"])
def test_embeddings_and_neighbours_are_those_of_the_plain_path(request, model, known):
    converted = request.getfixturevalue(model)
    kinds, contents = zip(*known, strict=True)
    found, expected = ours(contents, converted.flatbuffer), plain(contents, converted.model)
    assert cosines(found, expected).min() >= 0.9999
    right = [
        cross_val_score(KNeighborsClassifier(5, metric="cosine"), x, kinds, cv=5).mean()
        for x in (found, expected)
    ]
    assert abs(right[0] - right[1]) <= 0.005


@pytest.mark.parametrize("model", ["mobilenet", "lite0"])
def test_bfloat16_is_near_the_plain_path(request, model, known):
    if not set(BFLOAT16).intersection(features()):
        pytest.skip("this machine's processor has no bfloat16")
    converted = request.getfixturevalue(model)
    kinds, contents = zip(*known, strict=True)
    found = ours(contents, converted.flatbuffer, Precision.BFLOAT16)
    expected = plain(contents, converted.model)
    near = cosines(found, expected)
    right = [
        cross_val_score(KNeighborsClassifier(5, metric="cosine"), x, kinds, cv=5).mean()
        for x in (found, expected)
    ]
    print(near.mean(), near.min(), right)
    assert near.mean() >= 0.9985
    assert near.min() >= 0.997
    assert abs(right[0] - right[1]) <= 0.02


def test_a_large_photo_at_a_reduced_scale_embeds_as_decoded_in_full(mobilenet, known):
    """Real photos, enlarged to a phone's 12 megapixels: a quarter of the scale is decoded."""
    contents = []
    for _, content in known[:: EACH * 2]:
        made = BytesIO()
        Image.open(BytesIO(content)).resize(PHONE, Image.Resampling.BICUBIC).save(made, "JPEG")
        contents.append(made.getvalue())
    found, expected = ours(contents, mobilenet.flatbuffer), plain(contents, mobilenet.model)
    print(cosines(found, expected))
    assert cosines(found, expected).min() >= 0.9999
