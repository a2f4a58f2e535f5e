"""EfficientNet-B0 (Tan & Le 2019), as in keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from silver.litert_conversion import tensorflow
from silver.weights import WeightsSource, downloaded, fill, named

if TYPE_CHECKING:
    import keras

DIMENSIONS = 1280
SIZE = 224

# The address that keras.applications fetches these weights from.
IMAGENET = "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5"

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, in [0, 1]."""


def source(weights: str) -> WeightsSource:
    """Return the source of the weights of that name. `imagenet` is downloaded once.

    A file must be saved from keras.applications.EfficientNetB0(include_top=False, pooling="avg").
    Raises WeightsUnavailable where the weights can't be fetched or used.
    """
    return named(weights, imagenet=lambda: downloaded(IMAGENET))


def build(source: WeightsSource) -> keras.Model:
    """Return the model. Input: float32[n, 224, 224, 3], RGB in [0, 255]. Output: float32[n, 1280].

    Raises WeightsUnavailable where the weights are broken or belong to another model.
    """
    keras = tensorflow().keras
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    body = keras.applications.EfficientNetB0(
        input_tensor=pixels, include_top=False, weights=None, name="efficientnet_b0"
    )
    fill(body, source)
    _, scaling, normalization, *_ = body.layers
    # Keras names these two layers by counters.
    scaling.name, normalization.name = "scaling", "normalization"
    _normalise(normalization, is_random=source.kind == "random")
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(body.output)
    return keras.Model(pixels, embedding, name="efficientnet_b0")


def _normalise(layer: Any, *, is_random: bool) -> None:
    """Set ImageNet's variance in the layer where the weights hold the standard deviation instead.

    The published weights do. Keras then divides once more by its square root, in a layer that a model
    built without these weights doesn't have.
    """
    if is_random:
        layer.adapt_mean.assign(MEAN)
    if is_random or np.allclose(layer.adapt_variance, DEVIATION, atol=1e-3):
        layer.adapt_variance.assign(np.square(DEVIATION))
    layer.finalize_state()
