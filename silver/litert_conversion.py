"""Keras models to LiteRT flatbuffers: what is broadcast, and the one door to TensorFlow."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING, Any

from silver.litert_runtime import quiet_stderr

if TYPE_CHECKING:
    import keras


def tensorflow() -> Any:
    """The module `tensorflow`, loaded at the first call (5 to 10 s), on the driver's CPU alone."""
    # Both are read at the first import only. A GPU would need its own build and give other bits.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with quiet_stderr():
        import tensorflow

        tensorflow.keras  # noqa: B018 (loaded lazily, and it chatters too)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return tensorflow


def convert(model: keras.Model | bytes) -> bytes:
    """A LiteRT flatbuffer of a model with one input: float32, batch 1, shapes fixed. One that is a
    flatbuffer already stays as it is.

    Equal weights under equal layer names give equal bytes, in this process or another, with the
    same TensorFlow.
    """
    if isinstance(model, bytes):
        return model
    tf = tensorflow()
    pixels = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="pixels")
    function = tf.function(lambda pixels: model(pixels, training=False), autograph=False)
    with quiet_stderr():
        concrete = function.get_concrete_function(pixels)
        # With the function as the trackable object no SavedModel is written on the way: 2 s, not 9.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
        return bytes(converter.convert())


def weights_id(flatbuffer: bytes) -> str:
    """The model's identity in every row: the SHA-256 of its flatbuffer, in hex."""
    return hashlib.sha256(flatbuffer).hexdigest()
