"""ResNet-50 (He et al. 2016), as in keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from silver.litert_conversion import tensorflow
from silver.weights import WeightsSource, downloaded, fill, named

if TYPE_CHECKING:
    import keras

DIMENSIONS = 2048
SIZE = 224

# The address that keras.applications fetches these weights from.
IMAGENET = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
)

MEANS = (123.68, 116.779, 103.939)
"""Means of ImageNet's red, green and blue. The weights come from Caffe and expect them subtracted."""


def source(weights: str) -> WeightsSource:
    """Return the source of the weights of that name. `imagenet` is downloaded once.

    A file must be saved from keras.applications.ResNet50(include_top=False, pooling="avg").
    Raises WeightsUnavailable where the weights can't be fetched or used.
    """
    return named(weights, imagenet=lambda: downloaded(IMAGENET))


def build(source: WeightsSource) -> keras.Model:
    """Return the model. Input: float32[n, 224, 224, 3], RGB in [0, 255]. Output: float32[n, 2048].

    Raises WeightsUnavailable where the weights are broken or belong to another model.
    """
    keras = tensorflow().keras
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    offsets = [-mean for mean in MEANS]
    scaled = keras.layers.Rescaling(1.0, offset=offsets, name="scaling")(pixels)
    body = keras.applications.ResNet50(
        input_tensor=scaled, include_top=False, weights=None, name="resnet50"
    )
    fill(body, source)
    if source.kind == "random":
        _calm(body)
    # The weights expect the channels as blue, green, red. The first kernel is reversed once, which costs
    # nothing; reversing each photo would.
    kernel = body.get_layer("conv1_conv").kernel
    kernel.assign(np.asarray(kernel)[:, :, ::-1])
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(body.output)
    return keras.Model(pixels, embedding, name="resnet50")


def _calm(body: keras.Model) -> None:
    """Scale random weights down.

    The pixels are not scaled to a small range, and without this the sums of the blocks would grow to 1e5.
    """
    kernel = body.get_layer("conv1_conv").kernel
    kernel.assign(np.asarray(kernel) / 64)
    for layer in body.layers:
        if layer.name.endswith("_3_bn"):
            layer.gamma.assign(np.asarray(layer.gamma) / 4)
