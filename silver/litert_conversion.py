"""Conversion of Keras models to the LiteRT flatbuffers that workers get.

Everything of silver that needs TensorFlow gets it from this module.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

CHATTER = re.compile(rb"INFO: |WARNING: All log messages before absl|[IWE]\d{4} ")
NOTHING = re.compile(rb"(?!)")
"""Patterns of lines on stderr: CHATTER matches those that TensorFlow writes, NOTHING no line."""


def tensorflow() -> Any:
    """Return the module `tensorflow`, set to use the driver's CPU alone.

    The first call imports it, which takes 5 to 10 s.
    """
    # TensorFlow reads both variables at its first import only. A GPU would need another build of
    # TensorFlow, and its results would differ in their last bits.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with quiet_stderr():
        import tensorflow

        tensorflow.keras  # noqa: B018 (it is loaded lazily, and writes to stderr too)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return tensorflow


def convert(model: keras.Model | bytes) -> bytes:
    """Return the LiteRT flatbuffer of a model with one input: float32, a batch of 1, fixed shapes.

    A model that is a flatbuffer already is returned unchanged. Equal weights under equal layer names
    give equal bytes, in this process or another, with the same version of TensorFlow.
    """
    if isinstance(model, bytes):
        return model
    tf = tensorflow()
    pixels = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="pixels")
    function = tf.function(lambda pixels: model(pixels, training=False), autograph=False)
    with quiet_stderr():
        concrete = function.get_concrete_function(pixels)
        # With the function as the trackable object, no SavedModel is written: it takes 2 s instead of 9.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
        return bytes(converter.convert())


_stderr = threading.RLock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep the log lines of native libraries off the terminal; other lines appear when the block ends.

    Native libraries write to file descriptor 2 without Python's sys.stderr. Where the block raises, every
    line appears.
    """
    with _stderr, tempfile.TemporaryFile() as aside:
        terminal = os.dup(2)
        os.dup2(aside.fileno(), 2)
        dropped = CHATTER
        try:
            yield
        except BaseException:
            dropped = NOTHING
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            aside.seek(0)
            for line in aside:
                if not dropped.match(line):
                    os.write(2, line)
