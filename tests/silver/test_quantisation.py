"""A model in int8: its file is the same each time, near float32, and made by NNCF in silence."""

import io
import os
import re
import subprocess
import sys
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import Precision
from lake.model_identity import file_sha256
from lake.samples.fruit_drawings import FRUITS
from lake.samples.scene import photo
from silver import litert_conversion, model_artifact, processor_features, quantisation
from silver.inference_runtime import CompiledModel, UnusableModel, compiled_model, shape_of
from silver.model_files import MEMBERS, QuantisedModel, unpacked
from silver.processor_features import INT8, LIMITS, UnsupportedPrecision
from silver.quantisation import Unquantisable, calibration_scenes
from tests.support.earlier_lakes import unpack_lake

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[2]

WATCHED = """
import sys
from pathlib import Path
from silver import quantisation
seen = []
asks = ("socket.", "urllib.", "subprocess.Popen", "os.fork", "os.posix_spawn", "os.system")
sys.addaudithook(lambda event, given: event.startswith(asks) and seen.append(event))
if sys.argv[2] == "ours":
    quantisation.SCENES = 2
    quantisation.quantised(Path(sys.argv[1]).read_bytes())
from nncf.telemetry import wrapper
print(len(seen), isinstance(wrapper.telemetry, wrapper.NNCFTelemetry))
"""

WORKER = """
import sys
import numpy as np
from pathlib import Path
from lake.enums import Precision
from silver.inference_runtime import CompiledModel
from silver import embedding_rows
model = CompiledModel(Path(sys.argv[1]).read_bytes(), precision=Precision.INT8)
assert model.embed(np.zeros((model.size, model.size, 3), np.uint8)).shape == (model.dimensions,)
print(*sorted({"nncf", "tensorflow", "keras"} & set(sys.modules)))
"""

HELD_OUT = 60
"""The number of drawn scenes that no model was calibrated on."""


def settings(weights, *, extractor="tflite"):
    words = [f"model.extractor={extractor}", f"model.weights={weights}", "model.precision=int8"]
    return Settings.load("local", environment={}, overrides=words).model


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Settings of a small model in int8, whose weights are a flatbuffer of a user."""
    root = tmp_path_factory.mktemp("own")
    unpack_lake(5, root)
    return settings(root / "model.tflite")


@pytest.fixture(scope="module")
def flatbuffer(own):
    return Path(own.weights).read_bytes()


@pytest.fixture(scope="module")
def converted(own):
    """The lineage and the file of the small model in int8."""
    return model_artifact.convert(own)


@pytest.fixture(scope="module")
def content(converted):
    return converted[1]


def run(script, *words, **more):
    """Runs a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
    )


def cosines(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def scenes(size, count, *, seed=1):
    """Drawn scenes that aren't those of the calibration."""
    kinds = list(FRUITS)
    for number in range(count):
        drawn = photo(kinds[number % len(kinds)], (640, 480), np.random.default_rng([seed, number]))
        yield np.asarray(drawn.resize((size, size), Image.Resampling.HAMMING))


# The file


def test_the_file_holds_the_flatbuffer_and_what_was_made_of_it(converted, own, flatbuffer):
    lineage, content = converted
    assert (lineage.precision, lineage.source_sha256) == ("int8", file_sha256(flatbuffer))
    assert lineage.model_sha256 == file_sha256(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert [(each.filename, each.date_time[0]) for each in archive.infolist()] == [
            (name, 1980) for name in MEMBERS
        ]
    held = unpacked(content)
    assert held.exact == flatbuffer
    names = re.findall(rb'<layer id="\d+" name="([^"]*)"', held.xml)
    assert sorted(map(int, names)) == list(range(len(names)))
    for private in (str(Path.home()), str(Path(own.weights).parent), "/tmp"):
        assert private.encode() not in content


def test_another_process_gives_the_same_bytes_and_nothing_on_the_terminal(
    one_conversion, own, converted, flatbuffer, capfd
):
    """There the flatbuffer is given, as a lake's own is."""
    capfd.readouterr()
    assert one_conversion(own, flatbuffer).result() == converted
    assert capfd.readouterr() == ("", "")


def test_names_are_those_of_a_new_process_also_where_models_were_read_before(flatbuffer, lite0):
    """OpenVINO counts the operations of its process, and names them by that."""
    names = []
    for _ in range(2):
        model = quantisation.inference_runtime.read(flatbuffer)[0]
        quantisation._name_anew(model)
        names.append([op.get_friendly_name() for op in model.get_ordered_ops()])
        shape_of(lite0.flatbuffer)
    assert names[0] == names[1] == [str(number) for number in range(len(names[0]))]


def test_the_lakes_own_flatbuffer_is_quantised(own, flatbuffer):
    """What is given is taken, and not what the weights would convert to now."""
    other = flatbuffer + bytes(8)
    _, made = model_artifact.convert(own, other)
    assert unpacked(made).exact == other


def test_scenes_are_the_same_each_time_and_of_every_kind():
    first, again = (list(islice(calibration_scenes(16), len(FRUITS))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first[0].shape, first[0].dtype) == ((16, 16, 3), np.uint8)
    assert len({scene.tobytes() for scene in first}) == len(FRUITS)


# Who takes part


def test_nncf_sends_nothing_and_leaves_no_file(own, tmp_path):
    home, aside = tmp_path / "home", tmp_path / "aside"
    for folder in (home, aside):
        folder.mkdir()
    nowhere = {"HOME": str(home), "CI": "", "https_proxy": "http://127.0.0.1:9"}
    done = run(WATCHED, own.weights, "ours", TMPDIR=str(aside), **nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "0 False"
    assert [*home.iterdir(), *aside.iterdir()] == []
    bare = run(WATCHED, own.weights, "bare", **nowhere)
    assert bare.stdout.split()[-1] == "True"


def test_a_worker_loads_no_nncf_and_leaves_no_file(content, tmp_path):
    path, aside = tmp_path / "model.zip", tmp_path / "aside"
    path.write_bytes(content)
    aside.mkdir()
    done = run(WORKER, path, TMPDIR=str(aside))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    assert list(aside.iterdir()) == []


# What it gives


def test_the_same_file_runs_in_int8_and_in_float32(content, flatbuffer):
    rough = CompiledModel(content, precision=Precision.INT8)
    exact, before = CompiledModel(content), CompiledModel(flatbuffer)
    assert shape_of(content, precision=Precision.INT8) == shape_of(content) == shape_of(flatbuffer)
    pixels = list(scenes(rough.size, 20))
    found, expected, again = (
        np.stack([m.embed(x) for x in pixels]) for m in (rough, exact, before)
    )
    np.testing.assert_array_equal(again, expected)
    near = cosines(found, expected)
    print(near)
    assert 0.99 < near.mean() < 1


@pytest.mark.parametrize(
    ("name", "mean", "least"), [("mobilenet", 0.985, 0.96), ("lite0", 0.985, 0.96)]
)
def test_embeddings_of_scenes_are_near_those_of_float32(request, name, mean, least):
    """Seen: MobileNetV2 with its weights of ImageNet 0.9908 in the mean and 0.977 at worst, and
    EfficientNet-Lite0 0.9909 and 0.974."""
    given = request.getfixturevalue(name)
    if given.weights.startswith("random"):
        pytest.skip("the weights of ImageNet are absent")
    wanted = settings(given.weights, extractor=given.model.name)
    content = model_artifact.convert(wanted, given.flatbuffer)[1]
    rough, exact = CompiledModel(content, precision=Precision.INT8), CompiledModel(content)
    pixels = list(scenes(exact.size, HELD_OUT))
    found, expected = (np.stack([m.embed(x) for x in pixels]) for m in (rough, exact))
    near = cosines(found, expected)
    print(near.mean(), near.min())
    assert mean <= near.mean() < 1
    assert near.min() >= least


# What is refused


def test_a_flatbuffer_is_no_model_in_int8(flatbuffer):
    for load in (CompiledModel, shape_of):
        with pytest.raises(UnusableModel, match="is a flatbuffer, which nobody quantised") as told:
            load(flatbuffer, precision=Precision.INT8)
        assert "\n" not in str(told.value)


def test_the_file_of_int8_is_no_model_in_bfloat16(content):
    for load in (CompiledModel, shape_of):
        with pytest.raises(
            UnusableModel, match="can't run in bfloat16: its file was made for int8"
        ):
            load(content, precision=Precision.BFLOAT16)


def zipped(members, method=zipfile.ZIP_STORED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def promising(content, size):
    """A ZIP whose list of members promises so many bytes of the first one."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 24] + size.to_bytes(4, "little") + content[at + 28 :]


def damaged(content):
    """What may become of the file of a model in int8, or stand in its place."""
    held = unpacked(content)
    named = list(zip(MEMBERS, held, strict=True))
    yield b""
    yield b"PK\x03\x04"
    yield bytes(1000)
    yield from (content[:size] for size in (8, 1000, len(content) // 2, len(content) - 1))
    flipped = bytearray(content)
    flipped[100] ^= 255
    yield bytes(flipped)
    yield zipped(named[:2])
    yield zipped([*named, ("more", b"")])
    yield zipped([named[0], named[2], named[1]])
    yield zipped([("../exact.tflite", held.exact), *named[1:]])
    yield zipped(named, zipfile.ZIP_DEFLATED)
    yield promising(content, 2**31)
    yield promising(zipped(named, zipfile.ZIP_DEFLATED), 2**31)


def test_a_damaged_file_is_refused_in_one_sentence(content):
    for number, broken in enumerate(damaged(content)):
        with pytest.raises(UnusableModel) as told:
            shape_of(broken, precision=Precision.INT8)
        assert "no whole ZIP of exact.tflite, model.xml, model.bin" in str(told.value), number
        assert "\n" not in str(told.value)


def test_a_whole_zip_of_no_model_is_refused(content, flatbuffer):
    held = unpacked(content)
    for other in (
        held._replace(xml=b"no model"),
        held._replace(xml=held.xml[: len(held.xml) // 2]),
        held._replace(weights=held.weights[:-40]),
        held._replace(weights=b""),
    ):
        with pytest.raises(UnusableModel, match="damaged, or has an operation"):
            CompiledModel(other.packed(), precision=Precision.INT8)
    with pytest.raises(UnusableModel, match="no LiteRT flatbuffer"):
        CompiledModel(held._replace(exact=b"no model").packed())
    nested = QuantisedModel(content, held.xml, held.weights).packed()
    with pytest.raises(UnusableModel, match="no LiteRT flatbuffer"):
        CompiledModel(nested)


def quantised_before(*, takes_bytes):
    """A flatbuffer that TensorFlow quantised: all of it, or its weights alone."""
    tf = litert_conversion.tensorflow()
    pixels = tf.keras.Input((16, 16, 3), name="pixels")
    maps = tf.keras.layers.Conv2D(64, 5, name="maps")(pixels)
    pooled = tf.keras.layers.GlobalAveragePooling2D(name="embedding")(maps)
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(pixels, pooled))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if takes_bytes:
        levels = [np.full((1, 16, 16, 3), level, np.float32) for level in (0, 255)]
        converter.representative_dataset = lambda: ([level] for level in levels)
        converter.inference_input_type = tf.uint8
    return converter.convert()


@pytest.mark.parametrize("takes_bytes", [True, False])
def test_what_is_quantised_already_is_refused(takes_bytes):
    with pytest.raises(
        Unquantisable, match=r"quantised already.* set model.precision=float32"
    ) as told:
        quantisation.quantised(quantised_before(takes_bytes=takes_bytes))
    assert (told.value.exit_code, "\n" in str(told.value)) == (2, False)


def test_the_refusal_of_the_process_is_told_here(one_conversion, tmp_path):
    (tmp_path / "bytes.tflite").write_bytes(quantised_before(takes_bytes=True))
    with pytest.raises(BadInput, match="The model is quantised already, or takes bytes"):
        one_conversion(settings(tmp_path / "bytes.tflite")).result()


def test_a_model_without_a_layer_for_int8_is_refused(tmp_path):
    tf = litert_conversion.tensorflow()
    pixels = tf.keras.Input((4, 4, 3), name="pixels")
    flat = tf.keras.layers.Flatten(name="embedding")(pixels)
    path = tmp_path / "flat.tflite"
    path.write_bytes(litert_conversion.convert(tf.keras.Model(pixels, flat)))
    done = run(WATCHED, path, "ours")
    assert done.returncode == 1
    assert "Unquantisable: The model can't be quantised: it has no layer" in done.stderr


# The processor


@pytest.mark.parametrize("feature", INT8)
def test_either_feature_is_enough_for_int8(feature):
    processor_features.check(Precision.INT8, lambda: {"avx2", feature})


def test_a_processor_without_exact_sums_of_bytes_is_refused(content):
    def older():
        return {"avx2", "avx512f", "avx512_bf16"}

    with pytest.raises(UnsupportedPrecision) as told:
        compiled_model(content, file_sha256(content), precision=Precision.INT8, processor=older)
    assert "int8 needs a processor with avx512_vnni, avx_vnni or amx_int8" in str(told.value)
    assert "set model.precision=float32, or take machines" in str(told.value)
    assert (told.value.exit_code, "\n" in str(told.value)) == (2, False)


@pytest.mark.parametrize(
    ("limit", "features", "is_allowed"),
    [
        ("AVX2", {*INT8}, False),
        ("avx2", {*INT8}, False),
        ("SSE41", {*INT8}, False),
        ("AVX512_CORE", {*INT8}, False),
        ("AVX2_VNNI", {"avx512_vnni"}, False),
        ("AVX2_VNNI_2", {"avx512_vnni"}, False),
        ("AVX2_VNNI", {"avx_vnni"}, True),
        ("AVX512_CORE_VNNI", {"avx512_vnni"}, True),
        ("AVX512_CORE_BF16", {"avx512_vnni"}, True),
        ("AVX512_CORE_FP16", {"avx512_vnni"}, True),
        ("AVX10_1_512", {"avx512_vnni"}, True),
        ("AVX512_CORE_AMX", {"amx_int8"}, True),
        ("ALL", {"avx_vnni"}, True),
        ("DEFAULT", {"avx512_vnni"}, True),
        ("", {"avx512_vnni"}, True),
    ],
)
@pytest.mark.parametrize("variable", LIMITS)
def test_a_limit_of_the_environment_counts(variable, limit, features, is_allowed, monkeypatch):
    monkeypatch.setenv(variable, limit)
    if is_allowed:
        processor_features.check(Precision.INT8, lambda: features)
    else:
        with pytest.raises(UnsupportedPrecision):
            processor_features.check(Precision.INT8, lambda: features)


def test_the_first_variable_that_is_set_counts(monkeypatch):
    first, second = "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"
    monkeypatch.setenv(second, "AVX2")
    monkeypatch.setenv(first, "ALL")
    processor_features.check(Precision.INT8, lambda: INT8)
    monkeypatch.setenv(first, "")
    with pytest.raises(UnsupportedPrecision):
        processor_features.check(Precision.INT8, lambda: INT8)
