"""The path from bytes to embedding against a plain one: every pixel decoded, and Keras itself."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from lake.enums import PixelWay, Precision
from silver import resizing
from silver.inference_runtime import CompiledModel
from silver.pixels import Limits
from silver.processor_features import NEEDED, features
from silver.quantisation import quantised
from tests.support import exact_bicubic
from tests.support.decoded_photos import decoded_pixels
from tests.support.real_photos import PHOTOS

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
ALL_KINDS = sorted(path.name for path in PHOTOS.glob("*/")) or KINDS
FEW = 20
PHONE = (4000, 3000)

LEAST = {PixelWay.HAMMING: 0.9999, PixelWay.BICUBIC: 0.997}
MEAN = {PixelWay.HAMMING: 0.9999, PixelWay.BICUBIC: 0.9995}
"""The cosines of embeddings to those of the plain path, which rounds for HAMMING, as Pillow does, and not at
all for BICUBIC. Whole levels alone cost the latter 0.9989 at worst and 0.99985 in the mean."""

MOST_APART = {PixelWay.HAMMING: 0.005, PixelWay.BICUBIC: 0.02}
"""The most by which the shares of neighbours of the right kind differ."""

NEAR = {
    Precision.BFLOAT16: {"mobilenet": (0.9985, 0.997, 0.02), "lite0": (0.9985, 0.997, 0.02)},
    Precision.INT8: {"mobilenet": (0.985, 0.95, 0.03), "lite0": (0.965, 0.88, 0.03)},
}
"""For a precision and a model: the mean and the least cosine of embeddings to those of the plain path in
float32, and the most by which the shares of neighbours of the right kind differ."""

ways = pytest.mark.parametrize("way", PixelWay)


@pytest.fixture(scope="module")
def known(photos):
    """(kind, JPEG) of some photos of each kind."""
    return [(kind, photo) for kind in KINDS for photo in photos(kind)[:EACH]]


@pytest.fixture(scope="module")
def everyone(photos, mobilenet_weights, mobilenet):
    """The kinds of photos of all kinds, and by the way of their pixels their embeddings, of length 1."""
    known = [(kind, photo) for kind in ALL_KINDS for photo in photos(kind)[:FEW]]
    kinds, contents = zip(*known, strict=True)
    found = {way: ours(contents, mobilenet.flatbuffer, way) for way in PixelWay}
    return kinds, {way: x / np.linalg.norm(x, axis=1)[:, None] for way, x in found.items()}


def ours(contents, flatbuffer, way, precision=Precision.FLOAT32):
    model = CompiledModel(flatbuffer, precision=precision)
    return np.stack(
        [
            model.embed(decoded_pixels(content, size=224, limits=LIMITS, way=way)).copy()
            for content in contents
        ]
    )


def plain(contents, keras, way):
    batch = np.stack([plainly_resized(content, way) for content in contents])
    return np.concatenate(
        [
            np.asarray(keras(batch[start : start + 25].astype(np.float32), training=False))
            for start in range(0, len(batch), 25)
        ]
    )


def plainly_resized(content, way):
    """All pixels of a JPEG at full scale, resized: by Pillow, or in float64 and without any rounding."""
    image = Image.open(BytesIO(content)).convert("RGB")
    if way is PixelWay.HAMMING:
        return np.asarray(image.resize((224, 224), resizing.FILTER))
    return exact_bicubic.resized(np.asarray(image), 224)


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@ways
@pytest.mark.parametrize("model", ["mobilenet", "lite0"])
def test_embeddings_and_neighbours_are_those_of_the_plain_path(request, model, known, way):
    converted = request.getfixturevalue(model)
    kinds, contents = zip(*known, strict=True)
    found = ours(contents, converted.flatbuffer, way)
    expected = plain(contents, converted.model, way)
    assert cosines(found, expected).min() >= LEAST[way]
    assert cosines(found, expected).mean() >= MEAN[way]
    right = [
        cross_val_score(KNeighborsClassifier(5, metric="cosine"), x, kinds, cv=5).mean()
        for x in (found, expected)
    ]
    assert abs(right[0] - right[1]) <= MOST_APART[way]


@pytest.mark.parametrize("precision", NEAR)
@pytest.mark.parametrize("model", ["mobilenet", "lite0"])
def test_a_precision_is_near_the_plain_path(request, model, known, precision):
    if not set(NEEDED[precision]).intersection(features()):
        pytest.skip(f"this machine's processor has no {precision}")
    converted = request.getfixturevalue(model)
    kinds, contents = zip(*known, strict=True)
    way = PixelWay.HAMMING
    content = converted.flatbuffer
    content = quantised(content) if precision is Precision.INT8 else content
    found = ours(contents, content, way, precision)
    expected = plain(contents, converted.model, way)
    near = cosines(found, expected)
    right = [
        cross_val_score(KNeighborsClassifier(5, metric="cosine"), x, kinds, cv=5).mean()
        for x in (found, expected)
    ]
    mean, least, apart = NEAR[precision][model]
    assert near.mean() >= mean
    assert near.min() >= least
    assert abs(right[0] - right[1]) <= apart


@ways
def test_a_large_photo_at_a_reduced_scale_embeds_as_decoded_in_full(mobilenet, known, way):
    """Real photos, enlarged to a phone's 12 megapixels: a quarter of the scale is decoded."""
    contents = []
    for _, content in known[:: EACH * 2]:
        made = BytesIO()
        Image.open(BytesIO(content)).resize(PHONE, Image.Resampling.BICUBIC).save(made, "JPEG")
        contents.append(made.getvalue())
    found = ours(contents, mobilenet.flatbuffer, way)
    expected = plain(contents, mobilenet.model, way)
    assert cosines(found, expected).min() >= LEAST[way]


@pytest.mark.parametrize(
    "classifier", [KNeighborsClassifier(5, metric="cosine"), NearestCentroid()], ids=str
)
def test_bicubic_pixels_tell_the_kinds_apart_nearly_as_hammings_do(everyone, classifier):
    """Of all 1,142 photos, 5-NN is right on 0.930 (Hamming: 0.928), and the nearest centroid on 0.834
    (0.843), which is more than chance: docs/performance.md."""
    kinds, embeddings = everyone
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    right = {
        way: cross_val_score(classifier, found, kinds, cv=folds).mean()
        for way, found in embeddings.items()
    }
    assert right[PixelWay.BICUBIC] >= right[PixelWay.HAMMING] - 0.015
