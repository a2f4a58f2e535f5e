"""What a worker does: no TensorFlow, nothing on the terminal, one interpreter a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from silver import litert_conversion, litert_runtime
from silver.litert_conversion import convert
from silver.litert_runtime import Interpreter, UnusableModel, interpreter, quiet_stderr

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import sys
import numpy as np
from pathlib import Path
from silver import extractors, litert_runtime, pixels
model = litert_runtime.Interpreter(Path(sys.argv[1]).read_bytes())
embedding = model.embed(np.zeros((model.size, model.size, 3), np.uint8))
assert embedding.shape == (model.dimensions,)
extractors.extractor("efficientnet_lite0").source("random:1")
print(*sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def model(lite0):
    return Interpreter(lite0.flatbuffer)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


BARE = """
import sys
from ai_edge_litert.interpreter import Interpreter
Interpreter(sys.argv[1], num_threads=1).allocate_tensors()
"""


@pytest.fixture
def worker(lite0, tmp_path):
    """Runs a script in a process of its own; it finds the model's path in its arguments."""
    path = tmp_path / "model.tflite"
    path.write_bytes(lite0.flatbuffer)

    def run(script):
        return subprocess.run(
            [sys.executable, "-c", script, path],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    return run


def test_a_worker_loads_no_tensorflow_and_prints_nothing(worker):
    done = worker(WORKER)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_litert_runs_the_model_on_xnnpack(worker):
    """As it tells a process that doesn't keep it quiet."""
    assert "XNNPACK delegate" in worker(BARE).stderr


def test_the_model_tells_its_shape(model):
    assert (model.size, model.dimensions) == (224, 1280)


def test_an_embedding_is_float32_and_not_a_view_of_the_next(model, noise):
    first = model.embed(noise)
    kept = first.copy()
    model.embed(255 - noise)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, kept)


def test_an_embedding_depends_on_its_photo_alone(model, noise):
    first = model.embed(noise)
    model.embed(255 - noise)
    np.testing.assert_array_equal(model.embed(noise), first)


def test_read_only_and_strided_pixels_embed_alike(model, noise):
    expected = model.embed(noise)
    frozen = noise.copy()
    frozen.flags.writeable = False
    flipped = np.ascontiguousarray(noise[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(model.embed(frozen), expected)
    np.testing.assert_array_equal(model.embed(flipped), expected)


@pytest.mark.parametrize("shape", [(3,), (1, 1, 3), (224, 224), (224, 224, 1), (100, 100, 3)])
def test_pixels_of_another_shape_are_refused(model, shape):
    with pytest.raises(ValueError, match="224 x 224"):
        model.embed(np.zeros(shape, np.uint8))


def test_a_process_loads_a_model_once(lite0, monkeypatch):
    monkeypatch.setattr(litert_runtime, "_loaded", {})
    identity = litert_conversion.weights_id(lite0.flatbuffer)
    assert interpreter(lite0.flatbuffer, identity) is interpreter(lite0.flatbuffer, identity)


def test_bytes_that_are_not_those_of_the_id_are_refused(lite0, monkeypatch):
    monkeypatch.setattr(litert_runtime, "_loaded", {})
    with pytest.raises(UnusableModel, match="weights_id"):
        interpreter(lite0.flatbuffer, "0" * 64)


@pytest.mark.parametrize("content", [b"no model", bytes(1000)])
def test_what_is_no_flatbuffer_is_refused(content):
    with pytest.raises(UnusableModel, match="no LiteRT flatbuffer"):
        Interpreter(content)


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 9, 3), (12,)])
def test_a_model_of_another_shape_is_refused(shape):
    keras = litert_conversion.tensorflow().keras
    inputs = keras.Input(shape, name="pixels")
    outputs = keras.layers.Flatten(name="embedding")(inputs)
    with pytest.raises(UnusableModel, match="must turn one square RGB photo"):
        Interpreter(convert(keras.Model(inputs, outputs, name="other")))


def test_bytes_go_into_a_model_of_bytes_as_they_are(noise):
    """A quantised model takes uint8, and its scaling is within it."""
    tf = litert_conversion.tensorflow()
    pixels = tf.keras.Input((8, 8, 3), name="pixels")
    pooled = tf.keras.layers.GlobalAveragePooling2D(name="embedding")(pixels)
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(pixels, pooled))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    levels = [np.full((1, 8, 8, 3), level, np.float32) for level in (0, 255)]
    converter.representative_dataset = lambda: ([level] for level in levels)
    converter.inference_input_type = tf.uint8
    model = Interpreter(converter.convert())
    some = noise[:8, :8]
    np.testing.assert_allclose(model.embed(some), some.mean(axis=(0, 1)), atol=1)


def test_quiet_stderr_drops_chatter_and_keeps_the_rest(capfd):
    with quiet_stderr():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nkeep me\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "keep me\nafter\n"


def test_quiet_stderr_drops_nothing_of_a_failure(capfd):
    def fail():
        os.write(2, b"INFO: the cause\n")
        raise RuntimeError

    with pytest.raises(RuntimeError), quiet_stderr():
        fail()
    assert capfd.readouterr().err == "INFO: the cause\n"
