"""What a worker does: no TensorFlow, nothing on the terminal or the network, one model a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lake.enums import Precision
from lake.model_identity import file_sha256
from silver import inference_runtime, litert_conversion
from silver.inference_runtime import CompiledModel, UnusableModel, compiled_model, shape_of
from silver.litert_conversion import convert, quiet_stderr
from silver.processor_features import BFLOAT16, UnsupportedPrecision, check, features

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import sys
import numpy as np
from pathlib import Path
from silver import extractors, inference_runtime, pixels
model = inference_runtime.CompiledModel(Path(sys.argv[1]).read_bytes())
embedding = model.embed(np.zeros((model.size, model.size, 3), np.uint8))
assert embedding.shape == (model.dimensions,)
extractors.extractor("efficientnet_lite0").source("random:1")
print(*sorted({"tensorflow", "keras"} & set(sys.modules)))
"""

WATCHED = """
import sys
import time
seen = []
asks = ("socket.", "urllib.", "subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")
sys.addaudithook(lambda event, given: event.startswith(asks) and seen.append(event))
if sys.argv[2] == "ours":
    import numpy as np
    from pathlib import Path
    from silver.inference_runtime import CompiledModel
    model = CompiledModel(Path(sys.argv[1]).read_bytes())
    model.embed(np.zeros((model.size, model.size, 3), np.uint8))
else:
    import openvino
time.sleep(1)  # another thread sends
print(len(seen), sys.modules.get("openvino_telemetry") is not None)
"""

SIGNALLED = """
import faulthandler
import os
import signal
import sys
from pathlib import Path
from silver.inference_runtime import CompiledModel
faulthandler.enable()
content = Path(sys.argv[1]).read_bytes()
for _ in range(3):
    model = CompiledModel(content)  # the one before is freed
del model
signal.signal(signal.SIGTERM, lambda *_: print("received"))
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture(scope="module")
def model(lite0):
    return CompiledModel(lite0.flatbuffer)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


@pytest.fixture
def worker(lite0, tmp_path):
    """Runs a script in a process of its own; it finds the model's path in its arguments."""
    path = tmp_path / "model.tflite"
    path.write_bytes(lite0.flatbuffer)

    def run(script, *words, **more):
        return subprocess.run(
            [sys.executable, "-c", script, path, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        )

    return run


def test_a_worker_loads_no_tensorflow_and_prints_nothing(worker):
    done = worker(WORKER)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_nothing_is_sent_to_anybody(worker, tmp_path):
    """The bare import tells of itself, here in a home where nobody refused that. Nobody is reached: the proxy
    is none."""
    home = tmp_path / "home"
    home.mkdir()
    nowhere = {"HOME": str(home), "CI": "", "https_proxy": "http://127.0.0.1:9"}
    done = worker(WATCHED, "ours", **nowhere)
    assert (done.stdout, done.stderr) == ("0 False\n", "")
    assert list(home.iterdir()) == []
    bare = worker(WATCHED, "bare", **nowhere)
    assert bare.stdout.split()[1] == "True"
    assert int(bare.stdout.split()[0]) > 0


def test_a_signal_is_received_after_models_were_freed(worker):
    done = worker(SIGNALLED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "received\n", "")


def test_a_model_leaves_no_file_behind(worker, tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    assert worker(WORKER, TMPDIR=str(aside)).returncode == 0
    assert list(aside.iterdir()) == []


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
    monkeypatch.setattr(inference_runtime, "_loaded", {})
    identity = file_sha256(lite0.flatbuffer)
    assert compiled_model(lite0.flatbuffer, identity) is compiled_model(lite0.flatbuffer, identity)


def test_bytes_that_are_not_those_of_the_id_are_refused(lite0, monkeypatch):
    monkeypatch.setattr(inference_runtime, "_loaded", {})
    with pytest.raises(UnusableModel, match="model_sha256"):
        compiled_model(lite0.flatbuffer, "0" * 64)


@pytest.mark.parametrize("content", [b"no model", bytes(1000)])
def test_what_is_no_flatbuffer_is_refused(content):
    for load in (CompiledModel, shape_of):
        with pytest.raises(UnusableModel, match="no LiteRT flatbuffer"):
            load(content)


@pytest.mark.parametrize("kept", [8, 1000, 100_000, -1])
def test_a_flatbuffer_that_was_cut_off_is_refused(lite0, kept):
    with pytest.raises(UnusableModel, match="damaged, or has an operation"):
        shape_of(lite0.flatbuffer[:kept])


@pytest.mark.parametrize("streams", [2, 3])
def test_more_streams_give_the_same_bits_in_order(lite0, model, streams):
    photos = np.random.default_rng(1).integers(0, 256, (7, 224, 224, 3), dtype=np.uint8)
    several = CompiledModel(lite0.flatbuffer, streams=streams)
    for start in range(0, len(photos), streams):
        some = photos[start : start + streams]
        begun = [several.begin(photo) for photo in some]
        for photo, embedding in zip(some, begun, strict=True):
            np.testing.assert_array_equal(embedding(), model.embed(photo))


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 9, 3), (12,)])
def test_a_model_of_another_shape_is_refused(shape):
    keras = litert_conversion.tensorflow().keras
    inputs = keras.Input(shape, name="pixels")
    outputs = keras.layers.Flatten(name="embedding")(inputs)
    with pytest.raises(UnusableModel, match="must turn one square RGB photo"):
        CompiledModel(convert(keras.Model(inputs, outputs, name="other")))


def test_a_model_of_any_batch_takes_one_photo(noise):
    """As `TFLiteConverter.from_keras_model` makes it."""
    tf = litert_conversion.tensorflow()
    pixels = tf.keras.Input((8, 8, 3), name="pixels")
    pooled = tf.keras.layers.GlobalAveragePooling2D(name="embedding")(pixels)
    content = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(pixels, pooled)).convert()
    assert shape_of(content) == (8, 3)
    some = noise[:8, :8]
    found = CompiledModel(content).embed(some)
    np.testing.assert_allclose(found, some.mean(axis=(0, 1)), rtol=1e-6)


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
    model = CompiledModel(converter.convert())
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


# Precision


def cpuinfo(tmp_path, *flags):
    """The file that Linux would have of such an x86-64 processor with two cores."""
    path = tmp_path / "cpuinfo"
    core = f"processor\t: 0\nmodel name\t: One\nflags\t\t: {' '.join(flags)}\nbugs\t\t: none\n\n"
    path.write_text(core * 2)
    return path


def test_the_features_are_those_of_the_file(tmp_path):
    assert features(cpuinfo(tmp_path, "fpu", "avx2")) == {"fpu", "avx2"}
    assert features(tmp_path / "no file") == set()
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert features(tmp_path / "arm") == set()


@pytest.mark.parametrize("feature", BFLOAT16)
def test_either_feature_is_enough_for_bfloat16(tmp_path, feature):
    held = features(cpuinfo(tmp_path, "avx2", feature))
    check(Precision.BFLOAT16, lambda: held)


def test_a_processor_without_bfloat16_is_refused_in_one_sentence(lite0, tmp_path):
    def older():
        return features(cpuinfo(tmp_path, "avx2", "avx512f", "avx512_vnni"))

    sha256 = file_sha256(lite0.flatbuffer)
    with pytest.raises(UnsupportedPrecision) as refused:
        compiled_model(lite0.flatbuffer, sha256, precision=Precision.BFLOAT16, processor=older)
    told = str(refused.value)
    assert "avx512_bf16 or amx_bf16" in told
    assert "set model.precision=float32, or take machines" in told
    assert (refused.value.exit_code, told.count("\n")) == (2, 0)
    assert compiled_model(lite0.flatbuffer, sha256, processor=older).dimensions == 1280


def test_bfloat16_is_other_arithmetic_under_its_own_name(lite0, model, noise, monkeypatch):
    if not set(BFLOAT16).intersection(features()):
        pytest.skip("this machine's processor has no bfloat16")
    monkeypatch.setattr(inference_runtime, "_loaded", {})
    sha256 = file_sha256(lite0.flatbuffer)
    rough, exact = (
        compiled_model(lite0.flatbuffer, sha256, precision=precision).embed(noise)
        for precision in (Precision.BFLOAT16, Precision.FLOAT32)
    )
    np.testing.assert_array_equal(exact, model.embed(noise))
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()
