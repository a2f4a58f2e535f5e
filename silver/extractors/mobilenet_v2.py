"""MobileNetV2 (Sandler et al. 2018), width 1, as in keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from silver.litert_conversion import tensorflow
from silver.weights import WeightsSource, downloaded, fill, named

if TYPE_CHECKING:
    import keras

DIMENSIONS = 1280
SIZE = 224

# The address that keras.applications fetches these weights from.
IMAGENET = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
)


def source(weights: str) -> WeightsSource:
    """Return the source of the weights of that name. `imagenet` is downloaded once.

    A file must be saved from keras.applications.MobileNetV2(include_top=False, pooling="avg").
    Raises WeightsUnavailable where the weights can't be fetched or used.
    """
    return named(weights, imagenet=lambda: downloaded(IMAGENET))


def build(source: WeightsSource) -> keras.Model:
    """Return the model. Input: float32[n, 224, 224, 3], RGB in [0, 255]. Output: float32[n, 1280].

    Raises WeightsUnavailable where the weights are broken or belong to another model.
    """
    keras = tensorflow().keras
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(pixels)
    body = keras.applications.MobileNetV2(
        input_tensor=scaled, include_top=False, weights=None, name="mobilenet_v2"
    )
    fill(body, source)
    # The pooling layer is added here because keras.applications would name it by a counter.
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(body.output)
    return keras.Model(pixels, embedding, name="mobilenet_v2")
